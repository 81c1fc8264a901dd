package book

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hookbridge/translate"
)

// Book remembers calls. The zero value is not ready; see [New]. Its methods may be
// called from any goroutine.
type Book struct {
	mu       sync.Mutex
	networks map[networkKey]*Note   // that are announced
	guests   map[string][]plugNote  // by the domain's UUID
	running  map[string]RunningCall // by run
	failures []CallResult           // the newest last
	found    map[translate.Op]int   // calls planned since something had changed unseen

	recalled sync.Once
}

// networkKey names a network: the connection that it is known by, a newline, which no
// URI has, and its name.
type networkKey string

func keyOf(conn, network string) networkKey { return networkKey(conn + "\n" + network) }

// Interface names an interface that is plugged in.
type Interface struct {
	Connection, Network string // of the network
	UUID                string // of the guest
	MAC                 string
}

func (i Interface) key() interfaceKey {
	return interfaceKey{keyOf(i.Connection, i.Network), i.UUID, i.MAC}
}

type interfaceKey struct {
	network   networkKey
	uuid, mac string
}

// Note is what is remembered of one object.
type Note struct {
	Since time.Time   // when it was noticed to come up; zero: not known
	Last  *CallResult // nil: none is known
}

// keptFailures is how many failed calls are remembered.
const keptFailures = 16

// New returns a book in which nothing is noted.
func New() *Book {
	return &Book{
		networks: map[networkKey]*Note{},
		guests:   map[string][]plugNote{},
		running:  map[string]RunningCall{},
		found:    map[translate.Op]int{},
	}
}

// Planned enters a call that is about to be submitted. at is when the change was
// noticed; retry says that an earlier run of the agent had planned it already.
func (b *Book) Planned(call *translate.Call, at time.Time, retry bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if call.Cause == translate.CauseReconcile && !retry {
		b.found[call.Op]++
	}
	switch k := keyOf(call.Conn, call.Network); call.Op {
	case translate.OpStart, translate.OpStarted:
		if b.networks[k] == nil || call.Op == translate.OpStart {
			b.networks[k] = &Note{Since: at}
		}
	case translate.OpStopped:
		delete(b.networks, k)
	case translate.OpPlugged:
		nic := interfaceKey{k, call.Domain.UUID, call.NIC.MAC}
		if b.plugged(nic) == nil || call.Cause != translate.CauseRestart { // else it stayed plugged
			b.plug(nic, at)
		}
	case translate.OpUnplugged:
		b.unplug(interfaceKey{k, call.Domain.UUID, call.NIC.MAC})
	}
}

// Remembered enters a call about an interface that is not made. Of interfaces that were
// there with their guest there is nothing to remember but what the ledger knows.
func (b *Book) Remembered(call *translate.Call, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	nic := interfaceKey{keyOf(call.Conn, call.Network), call.Domain.UUID, call.NIC.MAC}
	switch {
	case call.Cause == translate.CauseReconcile:
		b.found[call.Op]++
		b.unplug(nic)
	case call.Op == translate.OpPlugged:
		b.plug(nic, at)
	default:
		b.unplug(nic)
	}
}

// Began notes that the scripts of a call are about to run.
func (b *Book) Began(run string, call translate.Call) {
	r := RunningCall{Run: run, CallRef: RefTo(call), Since: time.Now()}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[run] = r
}

// Ended notes how a call has ended.
func (b *Book) Ended(call translate.Call, r CallResult) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, r.Run)
	if r.Failed {
		if len(b.failures) == keptFailures {
			b.failures = slices.Delete(b.failures, 0, 1)
		}
		b.failures = append(b.failures, r)
	}
	k := keyOf(call.Conn, call.Network)
	if call.Domain == nil {
		if n := b.networks[k]; n != nil {
			n.Last = &r
		}
		if call.Op == translate.OpStart && r.Undo == translate.UndoDone {
			delete(b.networks, k) // there is no stopped
		}
		return
	}
	nic := interfaceKey{k, call.Domain.UUID, call.NIC.MAC}
	if r.Undo == translate.UndoDone {
		// What the script has refused gets no unplugged.
		if b.unplug(nic); call.Undo.Kind == translate.UndoDomain {
			delete(b.guests, nic.uuid)
		}
		return
	}
	if n := b.plugged(nic); n != nil {
		n.last = lastCallOf(r)
	}
}

// Network returns what is remembered of a network.
func (b *Book) Network(conn, name string) Note {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.networks[keyOf(conn, name)]; n != nil {
		return *n
	}
	return Note{}
}

// Interface returns what is remembered of an interface.
func (b *Book) Interface(i Interface) Note {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.plugged(i.key()); n != nil {
		return Note{n.since, n.callResult()}
	}
	return Note{}
}

// Lists returns the running calls, the longest first, the last failures, 16 at most,
// the newest first, and how many calls of each operation comparisons have led to.
func (b *Book) Lists() (running []RunningCall, failures []CallResult, found map[translate.Op]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	running = slices.SortedFunc(maps.Values(b.running), func(a, c RunningCall) int {
		return cmp.Or(a.Since.Compare(c.Since), strings.Compare(a.Run, c.Run))
	})
	failures = slices.Clone(b.failures)
	slices.Reverse(failures)
	return running, failures, maps.Clone(b.found)
}
