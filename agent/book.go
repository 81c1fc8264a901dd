package agent

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"hookbridge/internal/history"
	"hookbridge/translate"
)

// book remembers for people what nothing else needs: since when each announced object
// is announced, how its last call ended, which scripts run, which have failed of late.
// It is fed by what is planned and by what is told, and has an entry for an announced
// object only, and for an interface only if it had a call, so it is no larger than the
// ledger.
type book struct {
	mu       sync.Mutex
	networks map[string]*note       // by network key
	guests   map[string][]plugNote  // by the domain's UUID
	running  map[string]RunningCall // by run
	failures []CallResult           // the newest last
	found    map[translate.Op]int   // calls planned since something had changed unseen

	recalled sync.Once
}

// interfaceKey names a plugged interface.
type interfaceKey struct{ network, uuid, mac string }

// note is what is remembered of one object.
type note struct {
	since time.Time // zero: not known
	last  *CallResult
}

// plugNote is the note of an interface. There may be tens of thousands: nothing in it
// holds on to a document.
type plugNote struct {
	network unique.Handle[string]
	mac     string
	since   time.Time
	last    *lastCall // nil: there was none
}

// lastCall is how the last call about an interface ended, without what its place tells.
type lastCall struct {
	run    string
	domain unique.Handle[string]
	op     translate.Op
	cause  translate.Cause
	time   time.Time
	script unique.Handle[string]
	took   history.Duration
	result unique.Handle[string]
	rest   *CallResult // of one that failed
}

func lastCallOf(r CallResult) *lastCall {
	l := &lastCall{
		run: r.Run, domain: unique.Make(r.Domain), op: r.Op, cause: r.Cause,
		time: r.Time, script: unique.Make(r.Script), took: r.Duration, result: unique.Make(r.Result),
	}
	if r.Failed || r.Undo != "" {
		r.CallRef = CallRef{}
		l.rest = &r
	}
	return l
}

// callResult is the CallResult of an interface's last call, nil if there was none.
func (n *plugNote) callResult() *CallResult {
	l := n.last
	if l == nil {
		return nil
	}
	r := CallResult{Run: l.run, Time: l.time, Result: l.result.Value(), Script: l.script.Value(), Duration: l.took}
	if l.rest != nil {
		r = *l.rest
	}
	conn, network, _ := strings.Cut(n.network.Value(), "\n")
	r.CallRef = CallRef{Network: network, Op: l.op, Connection: conn, Domain: l.domain.Value(), MAC: n.mac, Cause: l.cause}
	return &r
}

// keptFailures is how many failed calls are remembered.
const keptFailures = 16

func newBook() *book {
	return &book{
		networks: map[string]*note{},
		guests:   map[string][]plugNote{},
		running:  map[string]RunningCall{},
		found:    map[translate.Op]int{},
	}
}

// restore makes empty entries for the networks that an earlier run has announced. What
// their interfaces need is in the history, if anywhere; see recall.
func (b *book) restore(k kept) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range k.networks {
		b.networks[key] = &note{}
	}
	for _, d := range k.domains {
		for i := range d.NICs {
			if d.NICs[i].Network != "" {
				b.plug(interfaceKey{key(cmp.Or(d.NetworkConn, d.Conn), d.NICs[i].Network), d.UUID, d.NICs[i].MAC}, time.Time{})
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
			if was := b.plugged(nic); was != nil && call.Cause == translate.CauseRestart {
				continue // it stayed plugged
			}
			b.plug(nic, c.planned)
		case translate.OpUnplugged:
			b.unplug(interfaceKey{k, call.Domain.UUID, call.NIC.MAC})
		}
	}
}

// remembered enters the calls of a chain that are not made. Of interfaces that were there
// with their guest there is nothing to remember but what the ledger knows.
func (b *book) remembered(c chain) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range c.tasks {
		call := &c.tasks[i].call
		nic := interfaceKey{c.tasks[i].network(), call.Domain.UUID, call.NIC.MAC}
		if call.Cause == translate.CauseReconcile {
			b.found[call.Op]++
		} else if call.Op == translate.OpPlugged {
			b.plug(nic, c.planned)
			continue
		}
		b.unplug(nic)
	}
}

// plugged returns what is remembered of an interface, nil if that is nothing. b.mu is held.
func (b *book) plugged(k interfaceKey) *plugNote {
	all := b.guests[k.uuid]
	for i := range all {
		if all[i].mac == k.mac && all[i].network.Value() == k.network {
			return &all[i]
		}
	}
	return nil
}

// plug enters an interface. b.mu is held.
func (b *book) plug(k interfaceKey, since time.Time) {
	n := b.plugged(k)
	if n == nil {
		uuid := k.uuid
		if b.guests[uuid] == nil {
			uuid = strings.Clone(uuid)
		}
		b.guests[uuid] = append(b.guests[uuid], plugNote{network: unique.Make(k.network), mac: strings.Clone(k.mac)})
		n = &b.guests[uuid][len(b.guests[uuid])-1]
	}
	n.since, n.last = since, nil
}

// unplug forgets an interface. b.mu is held.
func (b *book) unplug(k interfaceKey) {
	if b.plugged(k) == nil {
		return
	}
	rest := slices.DeleteFunc(b.guests[k.uuid], func(o plugNote) bool { return o.mac == k.mac && o.network.Value() == k.network })
	if b.guests[k.uuid] = rest; len(rest) == 0 {
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
		if f.Call.Op == translate.OpStart && f.Undo.Result == translate.UndoDone {
			delete(b.networks, k) // there is no stopped
		}
		return
	}
	nic := interfaceKey{k, f.Call.Domain.UUID, f.Call.NIC.MAC}
	if f.Undo.Result == translate.UndoDone {
		// What the script has refused gets no unplugged.
		if b.unplug(nic); f.Call.Undo.Kind == translate.UndoDomain {
			delete(b.guests, nic.uuid)
		}
		return
	}
	if n := b.plugged(nic); n != nil {
		n.last = lastCallOf(r)
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
	for uuid, all := range b.guests {
		for i := range all {
			n := &all[i]
			known := nics[interfaceKey{n.network.Value(), uuid, n.mac}]
			if n.since.IsZero() {
				n.since = known.since
			}
			if n.last == nil && known.last != nil {
				n.last = lastCallOf(*known.last)
			}
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
	if n := b.plugged(k); n != nil {
		return note{n.since, n.callResult()}
	}
	return note{}
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
