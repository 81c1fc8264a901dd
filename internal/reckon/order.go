package reckon

import (
	"fmt"
	"slices"
	"time"
)

// order checks that the counterparts come in libvirt's order, in each network and
// in each guest.
func (r *Result) order(native, ours []Call, twin []int, c Circumstances) {
	again := pluggedAgain(native)
	told := map[[2]int]bool{}
	for _, lane := range []struct {
		name string
		of   func(Call) string
	}{
		{"network", func(c Call) string { return c.Network }},
		{"guest", func(c Call) string { return c.Guest }},
	} {
		lanes := map[string][]int{}
		for i := range ours {
			if key := lane.of(ours[i]); key != "" && twin[i] >= 0 {
				lanes[key] = append(lanes[key], i)
			}
		}
		for _, calls := range lanes {
			for b, second := range calls {
				for _, first := range calls[:b] {
					pair := [2]int{first, second}
					if twin[first] < twin[second] || told[pair] || retriedInOrder(ours, twin, first, second) {
						continue
					}
					told[pair] = true
					// Natively, second came before first.
					text := fmt.Sprintf("%s: libvirt %s, then %s; hookbridge %s, then %s", lane.name, native[twin[second]], native[twin[first]],
						ours[first].Time.Format("15:04:05.000"), ours[second].Time.Format("15:04:05.000"))
					if name := orderName(native, again, twin[second], twin[first], ours, first, second, c); name != "" {
						r.allow(name, text)
					} else {
						r.Disorder = append(r.Disorder, text)
					}
				}
			}
		}
	}
}

// retriedInOrder reports whether two calls are in order if another call of those
// that were made again counts: which of a call and its retries is the counterpart
// nobody can tell.
func retriedInOrder(ours []Call, twin []int, first, second int) bool {
	for _, a := range retries(ours, twin, first) {
		for _, b := range retries(ours, twin, second) {
			if b < a {
				return true
			}
		}
	}
	return false
}

// retries returns a call and those without a counterpart that it is a retry of, or
// that are retries of it.
func retries(ours []Call, twin []int, i int) []int {
	all := []int{i}
	same := objectOf(ours[i])
	again := ours[i].Retry
	for k := i - 1; k >= 0 && again; k-- {
		if objectOf(ours[k]) != same {
			continue
		}
		if twin[k] >= 0 || !ours[k].same(ours[i]) {
			break
		}
		all, again = append(all, k), ours[k].Retry
	}
	for k := i + 1; k < len(ours); k++ {
		if objectOf(ours[k]) != same {
			continue
		}
		if twin[k] >= 0 || !ours[k].same(ours[i]) || !ours[k].Retry {
			break
		}
		all = append(all, k)
	}
	return all
}

// orderName names the reason for which two calls may come the other way round:
// earlier and later are their places in native, first and second those in ours,
// where the later one is first. Empty: none.
func orderName(native []Call, again map[int]bool, earlier, later int, ours []Call, first, second int, c Circumstances) string {
	a, b := native[earlier], native[later]
	switch {
	case again[earlier] && again[later] && anyHolds(c.Restarts, a.Time, b.Time):
		return RestartOrder
	case anyHolds(c.Unwatched, a.Time, b.Time) && a.Op == "unplugged" && b.Op == "stopped":
		return StoppedEarlier
	case anyHolds(c.Unwatched, a.Time, b.Time):
		return OutageOrder
	case a.MAC != "" && b.MAC != "" && a.Guest != b.Guest && heldElsewhere(ours, first, second, c.Held):
		return HeldOrder
	default:
		return ""
	}
}

// pluggedAgain finds the calls for what is plugged in the same place already.
func pluggedAgain(native []Call) map[int]bool {
	again := map[int]bool{}
	plugged := map[Call]bool{}
	for i, n := range native {
		place := Call{Network: n.Network, Guest: n.Guest, MAC: n.MAC}
		if n.MAC != "" {
			again[i] = n.Op == "plugged" && plugged[place]
			plugged[place] = n.Op == "plugged"
		}
	}
	return again
}

// heldElsewhere reports whether the guest of the second call was not ready for it
// when the first was made: another call of it, in another network, was waiting,
// running, or had ended just now.
func heldElsewhere(ours []Call, first, second int, held []Hold) bool {
	const handover = 200 * time.Millisecond
	for i := second - 1; i >= 0; i-- {
		before := ours[i]
		if before.Guest != ours[second].Guest {
			continue
		}
		elsewhere := before.Network != ours[second].Network
		if ours[first].Time.Sub(before.Time) >= handover {
			return elsewhere && slices.ContainsFunc(held, func(h Hold) bool {
				return h.Network == before.Network && h.holds(before.Time) && h.holds(ours[first].Time)
			})
		}
		if elsewhere {
			return true
		}
	}
	return false
}

// barriers checks hookbridge's calls by themselves: what is plugged is plugged
// into a network that was said to be up.
func (r *Result) barriers(ours []Call, c Circumstances, native []Call) {
	last := map[string]string{}
	plugged := map[place]bool{}
	below := map[place]bool{} // it was said that its network is gone
	for _, o := range ours {
		if o.MAC == "" {
			last[o.Network] = o.Op
			for at := range plugged {
				if at.network == o.Network {
					below[at] = o.Op == "stopped"
				}
			}
			continue
		}
		at := place{o.Network, o.Guest, o.MAC}
		if op := last[o.Network]; o.Op == "plugged" && op != "started" && op != "updated" &&
			(!below[at] || !restartedBefore(o, c)) && !destroyedBelow(native, o, c) {
			r.Disorder = append(r.Disorder, fmt.Sprintf("%s, after %q of its network", o, op))
		}
		if o.Op == "plugged" {
			plugged[at] = true
		} else {
			delete(plugged, at)
			delete(below, at)
		}
	}
}

// restartedBefore: at a restart of libvirtd hookbridge says plugged again, as libvirt
// 1.2.2, also of an interface that has no network any more. The call may come late.
func restartedBefore(o Call, c Circumstances) bool {
	return slices.ContainsFunc(c.Restarts, func(w Window) bool { return w.From.Before(o.Time) })
}

// destroyedBelow reports whether a network was gone below the guest when libvirtd
// was restarted, which hookbridge did not see.
func destroyedBelow(native []Call, o Call, c Circumstances) bool {
	up, plugged := false, false
	for _, n := range native {
		if n.Time.After(o.Time) {
			break
		}
		switch {
		case n.Network != o.Network:
		case n.MAC == "":
			up = n.Op == "started" || n.Op == "updated"
		case n.Guest == o.Guest && n.MAC == o.MAC:
			plugged = n.Op == "plugged"
		}
	}
	return !up && plugged && restartedBefore(o, c)
}
