package agent

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hookbridge/internal/history"
	"hookbridge/translate"
)

// book remembers for people what nothing else needs: since when each announced object
// is announced, how its last call ended, which scripts run, which have failed of late.
// It is fed by what is planned and by what is told, and has an entry for an announced
// object only, so it is no larger than the ledger.
type book struct {
	mu       sync.Mutex
	networks map[string]*note                 // by network key
	guests   map[string]map[interfaceKey]note // by the domain's UUID
	running  map[string]RunningCall           // by run
	failures []CallResult                     // the newest last
	found    map[translate.Op]int             // calls planned since something had changed unseen

	recalled sync.Once
}

// interfaceKey names a plugged interface.
type interfaceKey struct{ network, uuid, mac string }

// note is what is remembered of one object.
type note struct {
	since time.Time // zero: not known
	last  *CallResult
}

// keptFailures is how many failed calls are remembered.
const keptFailures = 16

func newBook() *book {
	return &book{
		networks: map[string]*note{},
		guests:   map[string]map[interfaceKey]note{},
		running:  map[string]RunningCall{},
		found:    map[translate.Op]int{},
	}
}

// restore makes empty entries for what an earlier run has announced.
func (b *book) restore(k kept) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range k.networks {
		b.networks[key] = &note{}
	}
	for _, d := range k.domains {
		for i := range d.NICs {
			if d.NICs[i].Network != "" {
				b.plug(interfaceKey{key(cmp.Or(d.NetworkConn, d.Conn), d.NICs[i].Network), d.UUID, d.NICs[i].MAC}, note{})
			}
		}
	}
}

// planned enters the calls of a chain that is about to be submitted.
func (b *book) planned(c chain) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range c.tasks {
		call := &c.tasks[i].call
		if call.Cause == translate.CauseReconcile && !c.tasks[i].retry {
			b.found[call.Op]++
		}
		switch k := c.tasks[i].network(); call.Op {
		case translate.OpStart, translate.OpStarted:
			if b.networks[k] == nil || call.Op == translate.OpStart {
				b.networks[k] = &note{since: c.planned}
			}
		case translate.OpStopped:
			delete(b.networks, k)
		case translate.OpPlugged:
			nic := interfaceKey{k, call.Domain.UUID, call.NIC.MAC}
			since := c.planned
			if was, ok := b.guests[nic.uuid][nic]; ok && call.Cause == translate.CauseRestart {
				since = was.since // it stayed plugged
			}
			b.plug(nic, note{since: since})
		case translate.OpUnplugged:
			b.unplug(interfaceKey{k, call.Domain.UUID, call.NIC.MAC})
		}
	}
}

// plug enters an interface. b.mu is held.
func (b *book) plug(k interfaceKey, n note) {
	if b.guests[k.uuid] == nil {
		b.guests[k.uuid] = map[interfaceKey]note{}
	}
	b.guests[k.uuid][k] = n
}

// unplug forgets an interface. b.mu is held.
func (b *book) unplug(k interfaceKey) {
	delete(b.guests[k.uuid], k)
	if len(b.guests[k.uuid]) == 0 {
		delete(b.guests, k.uuid)
	}
}

// began notes that the scripts of a call are about to run.
func (b *book) began(run string, call translate.Call) {
	r := RunningCall{Run: run, CallRef: refTo(call), Since: time.Now()}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running[run] = r
}

// told notes how a call has ended.
func (b *book) told(f Finished) {
	r := resultOfCall(f)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, f.Run)
	if r.Failed {
		if len(b.failures) == keptFailures {
			b.failures = slices.Delete(b.failures, 0, 1)
		}
		b.failures = append(b.failures, r)
	}
	k := key(f.Call.Conn, f.Call.Network)
	if f.Call.Domain == nil {
		if n := b.networks[k]; n != nil {
			n.last = &r
		}
		if f.Call.Op == translate.OpStart && f.Undo.Result == UndoDone {
			delete(b.networks, k) // there is no stopped
		}
		return
	}
	nic := interfaceKey{k, f.Call.Domain.UUID, f.Call.NIC.MAC}
	if f.Undo.Result == UndoDone {
		// What the script has refused gets no unplugged.
		if b.unplug(nic); f.Call.Undo.Kind == translate.UndoDomain {
			delete(b.guests, nic.uuid)
		}
		return
	}
	if n, ok := b.guests[nic.uuid][nic]; ok {
		n.last = &r
		b.guests[nic.uuid][nic] = n
	}
}

// recall fills in, once, what an earlier run of the agent knew, from the history of
// this boot.
func (b *book) recall(entries iter.Seq2[history.Entry, error]) {
	networks, nics := map[string]note{}, map[interfaceKey]note{}
	for e, err := range entries {
		if err != nil {
			break
		}
		network := key(e.Conn, e.Network)
		last, begins, ends := resultOfEntry(e), false, false
		switch translate.Op(e.Op) {
		case translate.OpStart, translate.OpPlugged, translate.OpPortCreated:
			begins = e.Cause != string(translate.CauseManual)
		case translate.OpStopped, translate.OpUnplugged, translate.OpPortDeleted:
			ends = e.Cause != string(translate.CauseManual)
		}
		amend := func(n note) note {
			if begins && e.Cause != string(translate.CauseRestart) {
				n = note{since: e.Time.Add(-time.Duration(e.Latency)), last: n.last}
			}
			if n.last == nil || n.last.Run != last.Run || !n.last.Failed { // else another script of that call has failed
				n.last = &last
			}
			return n
		}
		nic := interfaceKey{network, e.UUID, e.MAC}
		switch {
		case ends && e.MAC == "":
			delete(networks, network)
		case ends:
			delete(nics, nic)
		case e.MAC == "":
			networks[network] = amend(networks[network])
		default:
			nics[nic] = amend(nics[nic])
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, n := range b.networks {
		b.networks[k] = fill(n, networks[k])
	}
	for _, all := range b.guests {
		for k, n := range all {
			all[k] = *fill(&n, nics[k])
		}
	}
}

// fill puts what is recalled where nothing is known.
func fill(n *note, recalled note) *note {
	filled := *n
	if filled.since.IsZero() {
		filled.since = recalled.since
	}
	if filled.last == nil {
		filled.last = recalled.last
	}
	return &filled
}

// network returns what is remembered of a network.
func (b *book) network(k string) note {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.networks[k]; n != nil {
		return *n
	}
	return note{}
}

// nic returns what is remembered of an interface.
func (b *book) nic(k interfaceKey) note {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.guests[k.uuid][k]
}

// lists returns the running calls, the longest first, the failures, the newest first,
// and what comparisons have found.
func (b *book) lists() (running []RunningCall, failures []CallResult, found map[translate.Op]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	running = slices.SortedFunc(maps.Values(b.running), func(a, c RunningCall) int {
		return cmp.Or(a.Since.Compare(c.Since), strings.Compare(a.Run, c.Run))
	})
	failures = slices.Clone(b.failures)
	slices.Reverse(failures)
	return running, failures, maps.Clone(b.found)
}
