package reckon

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Call is one call of a hook script.
type Call struct {
	Time    time.Time
	Network string
	Op      string // in the words of libvirt 1.2.2
	Guest   string // empty for a network's own calls, as is MAC
	MAC     string

	// Retry is for hookbridge's calls: it was marked HOOKBRIDGE_RETRY=1.
	Retry bool

	// Run is for libvirt's calls: it counts the guest's starts, failed ones
	// included, which Failed marks.
	Run    int
	Failed bool
}

func (c Call) String() string {
	s := c.Time.Format("15:04:05.000 ") + strings.Join(strings.Fields(c.Network+" "+c.Op+" "+c.Guest+" "+c.MAC), " ")
	if c.Retry {
		s += " RETRY"
	}
	return s
}

func (c Call) same(o Call) bool {
	return c.Network == o.Network && c.Op == o.Op && c.Guest == o.Guest && c.MAC == o.MAC
}

// Window is a stretch of time.
type Window struct{ From, To time.Time }

func (w Window) holds(t time.Time) bool { return !t.Before(w.From) && !t.After(w.To) }

func anyHolds(all []Window, times ...time.Time) bool {
	return slices.ContainsFunc(all, func(w Window) bool {
		return !slices.ContainsFunc(times, func(t time.Time) bool { return !w.holds(t) })
	})
}

// Circumstances are what the test did besides the operations themselves.
type Circumstances struct {
	// Unwatched are the times in which hookbridge or one of its connections was
	// down, each until everything had been looked at again. They begin as much
	// earlier as noticing a change may take.
	Unwatched []Window

	// Restarts are the restarts of libvirtd, until it answered.
	Restarts []Window

	// Links are updates of a guest's interface that did not move it.
	Links []Window

	// Held are the times in which a hook script of hookbridge's was slow.
	Held []Hold

	// Refused are the MACs of interfaces that libvirt refused to attach in the end.
	// It may have called its hook for them, and for containers forgets to call it
	// again (lxcDomainAttachDeviceNetLive).
	Refused map[string]bool

	// Containers are the LXC guests by name.
	Containers map[string]bool
}

// Hold is a stretch of time in which a network's script was slow, with as much
// more as it may take to make the calls that have piled up.
type Hold struct {
	Window
	Network string
}

// The names of the differences that are allowed.
const (
	Container      = "LXC interfaces announced again by libvirt 9.0 at its restart"
	BelowGuest     = "unplugged, or plugged again, after the network was destroyed below the guest"
	FailedStart    = "start that failed"
	FailedAttach   = "attachment that failed"
	LinkState      = "link state update"
	Unobserved     = "began and ended unobserved"
	Superseded     = "update of a network superseded unobserved"
	RestartMissed  = "plugged again at a restart of libvirtd that was followed by another, or by the interface's end, unobserved"
	Retried        = "made again, marked as a retry"
	OutageOrder    = "order of what happened in one outage"
	StoppedEarlier = "stopped told before unplugged, both in one outage"
	RestartOrder   = "order of the interfaces plugged again at a restart of libvirtd"
	HeldOrder      = "order of two guests in a network, one held up by a slow script elsewhere"
)

// Result is what came of a comparison.
type Result struct {
	Native, Ours int // calls given
	Matched      int // calls of hookbridge's that have their counterpart

	Lost     []string // calls of libvirt's without one
	Doubled  []string // calls of hookbridge's without one
	Disorder []string

	// Allowed counts, by name, the calls that differ and may; for the orders, the
	// pairs of calls.
	Allowed map[string]int

	// Told lists each of them.
	Told []string
}

// OK reports whether nothing was lost, doubled or out of order.
func (r *Result) OK() bool { return len(r.Lost)+len(r.Doubled)+len(r.Disorder) == 0 }

func (r *Result) allow(name string, what string) {
	r.Allowed[name]++
	r.Told = append(r.Told, name+": "+what)
}

// Compare holds ours against native. Both are in the order in which the calls
// began.
func Compare(native, ours []Call, c Circumstances) *Result {
	r := &Result{Native: len(native), Ours: len(ours), Allowed: map[string]int{}}
	native = r.without(native, c)
	// native's index of the counterpart of each of ours, -1 for none
	twin := make([]int, len(ours))
	for i := range twin {
		twin[i] = -1
	}
	theirs, mine := stories(native), stories(ours)
	for _, key := range keys(theirs, mine) {
		s := &story{native: native, ours: ours, theirs: theirs[key], mine: mine[key], circumstances: c}
		if key.mac != "" {
			s.orphans(native)
		}
		for _, m := range s.align() {
			r.enter(s, m, twin)
		}
	}
	r.order(native, ours, twin, c)
	r.barriers(ours, c, native)
	return r
}

// without drops libvirt's calls for what nobody can observe: an update of an
// interface that leaves it where it is, and an attachment that fails.
func (r *Result) without(native []Call, c Circumstances) []Call {
	plugged := map[place]bool{}
	var kept []Call
	for i := 0; i < len(native); i++ {
		n := native[i]
		if c.Refused[n.MAC] {
			r.allow(FailedAttach, n.String())
			continue
		}
		at := place{n.Network, n.Guest, n.MAC}
		if n.Op == "plugged" && plugged[at] && i+1 < len(native) {
			back := n
			back.Op, back.Time = "unplugged", native[i+1].Time
			if native[i+1] == back && anyHolds(c.Links, n.Time, back.Time) {
				r.allow(LinkState, n.String())
				r.allow(LinkState, back.String())
				i++
				continue
			}
		}
		if n.MAC != "" {
			plugged[at] = n.Op == "plugged"
		}
		kept = append(kept, n)
	}
	return kept
}

// object is what a story is about: a network, or an interface of a guest.
type object struct{ network, guest, mac string }

func objectOf(c Call) object {
	if c.MAC != "" {
		return object{guest: c.Guest, mac: c.MAC}
	}
	return object{network: c.Network}
}

// place is where an interface can be plugged.
type place struct{ network, guest, mac string }

func stories(calls []Call) map[object][]int {
	m := map[object][]int{}
	for i, c := range calls {
		o := objectOf(c)
		m[o] = append(m[o], i)
	}
	return m
}

func keys(all ...map[object][]int) []object {
	var found []object
	for _, m := range all {
		for o := range m {
			if !slices.Contains(found, o) {
				found = append(found, o)
			}
		}
	}
	slices.SortFunc(found, func(a, b object) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return found
}

// enter counts what one move of an alignment means.
func (r *Result) enter(s *story, m move, twin []int) {
	switch {
	case m.name == "" && len(m.native) == len(m.ours):
		for k := range m.ours {
			twin[m.ours[k]] = m.native[k]
			r.Matched++
		}
	case m.name == passed:
	case m.name == lost:
		r.Lost = append(r.Lost, s.native[m.native[0]].String())
	case m.name == doubled:
		r.Doubled = append(r.Doubled, s.ours[m.ours[0]].String())
	default:
		// A block: ours are in the place of some of native, found from the end.
		rest := slices.Clone(m.native)
		for k := len(m.ours) - 1; k >= 0; k-- {
			for n := len(rest) - 1; n >= 0; n-- {
				if s.native[rest[n]].same(s.ours[m.ours[k]]) {
					twin[m.ours[k]] = rest[n]
					rest = slices.Delete(rest, n, n+1)
					r.Matched++
					break
				}
			}
		}
		for _, n := range rest {
			r.allow(m.name, s.native[n].String())
		}
		if len(m.native) == 0 {
			for _, o := range m.ours {
				r.allow(m.name, s.ours[o].String())
			}
		}
	}
}
