package agent

import (
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// ledger holds what has been announced to the hook script. It is the only
// place where records change, and it submits the calls that a change asks for
// in the order in which the changes were seen.
type ledger struct {
	mu       sync.Mutex
	networks map[string]*announcedNetwork
	domains  map[string]*announcedDomain
	uuids    map[string]string           // of domains, by name
	targets  map[string]*announcedDomain // by the devices of their interfaces on the host
	submit   func(chain)                 // see [dispatcher.submit]
	keeper   keeper

	// held are chains of an earlier run that wait for the verdict on their
	// connection: which calls are to be made at all.
	held []chain

	// adopted are the connections whose objects have been looked at in this
	// boot. Until then, with recordOnly, what is found is remembered without a
	// call.
	adopted    map[string]bool
	recordOnly bool

	// tally counts the calls of a chain that are not to be made and that no other call
	// comes before; see [caller.tally]. It reports false if there is another kind.
	tally func(chain) ([]keptCount, bool)

	// withdraw takes back calls that wait; see [dispatcher.withdraw].
	withdraw func(guest, network string, drop func(translate.Call) bool) []store.CallID

	lives    uint64                 // of networks, counted
	undone   map[string]time.Time   // when an undo took a network down, until it is up again
	ended    map[string]endedRun    // by domain, until it is seen in another run
	ungated  map[string]bool        // domains that the gate let pass without asking the script
	abandon  func(guest string)     // see [dispatcher.abandon]
	starting map[string]*beganStart // networks that are started by hand
}

// announcedNetwork is a record with what only the observer needs.
type announcedNetwork struct {
	*translate.Network

	// entered is when the gate found the network without asking libvirt. What was
	// read from libvirt before is older.
	entered time.Time

	// listed is when a look that no event asked for found the network; zero
	// otherwise. An event that arrived before is older than what was seen.
	listed time.Time

	life    uint64   // tells one from the next
	refusal *refusal // under way
}

func newLedger(submit func(chain), keeper keeper) *ledger {
	return &ledger{
		keeper:   keeper,
		networks: map[string]*announcedNetwork{},
		domains:  map[string]*announcedDomain{},
		uuids:    map[string]string{},
		targets:  map[string]*announcedDomain{},
		adopted:  map[string]bool{},
		submit:   submit,
		tally:    func(chain) ([]keptCount, bool) { return nil, false },
		undone:   map[string]time.Time{},
		ended:    map[string]endedRun{},
		ungated:  map[string]bool{},
		starting: map[string]*beganStart{},
	}
}

// restore takes over what was announced in an earlier run of the agent. Events
// that the new run gets are newer than that.
func (l *ledger) restore(k kept) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for key, n := range k.networks {
		l.networks[key] = &announcedNetwork{Network: n, listed: now}
	}
	for k, d := range k.domains {
		l.setDomain(k, &announcedDomain{looked: now}, d, nil)
	}
	l.held = k.chains
	l.adopted = k.adopted
}

// adopt notes that everything of a connection has been looked at once.
func (l *ledger) adopt(conn string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.adopted[conn] {
		l.adopted[conn] = true
		l.keeper.adopted(conn)
	}
}

// resume submits the calls that an earlier run planned for a connection's
// networks and did not finish.
func (l *ledger) resume(conn string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.held[:0:0]
	for _, c := range l.held {
		if c.tasks[0].call.Conn == conn {
			l.submit(c)
		} else {
			rest = append(rest, c)
		}
	}
	l.held = rest
}

// key joins a connection and a name or UUID; a URI has no newline.
func key(conn, name string) string { return conn + "\n" + name }

func (l *ledger) network(conn, name string) *announcedNetwork {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.networks[key(conn, name)]
}

// domainNamed returns the UUID of the announced domain of that name, "" if there
// is none.
func (l *ledger) domainNamed(conn, name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.uuids[key(conn, name)]
}

// networkOver returns the announced network whose bridge has this name, "" if
// there is none.
func (l *ledger) networkOver(conn, bridge string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.networks {
		if n.Conn != conn {
			continue
		}
		if head, err := translate.ParseNetwork(n.Live); err == nil && head.Bridge == bridge {
			return n.Name
		}
	}
	return ""
}

// announcedNetworks returns the names of a connection's networks that the script
// believes to be up, announcedDomains the UUIDs of its domains.
func (l *ledger) announcedNetworks(conn string) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.networks {
		if n.Conn == conn {
			names = append(names, n.Name)
		}
	}
	return names
}

func (l *ledger) announcedDomains(conn string) (uuids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.domains {
		if d.conn == conn {
			uuids = append(uuids, d.uuid)
		}
	}
	return uuids
}

// sawNetwork enters an observation of a network. looked is when it began, listed
// the time of a look that no event asked for, or zero; arrived that of the hint, or
// zero.
func (l *ledger) sawNetwork(seen translate.NetworkSeen, looked, listed, arrived time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(seen.Conn, seen.Name)
	c := change{conn: seen.Conn, bucket: store.Networks, key: k, noticed: arrived}
	a := l.networks[k]
	if a == nil {
		a = &announcedNetwork{}
	}
	was := a.Network
	if looked.Before(a.entered) {
		return
	}
	if r := a.refusal; r != nil {
		if was.SameLife(seen) {
			return // the undo's end looks again
		}
		r.settle(nil)
		c.cut = r.cut
		if r.call.Op == translate.OpStart {
			was = nil // natively it never was up
		}
	}
	if was != nil && listed.IsZero() {
		listed = a.listed
	}
	var now *translate.Network
	now, c.calls = was.Look(seen)
	if now == nil {
		delete(l.networks, k)
		l.send(c)
		return
	}
	c.packed, c.life = l.packNetwork(now), a.life
	if by := l.starting[k]; by != nil && was == nil {
		// start has been called; and it has come up just now, however it was found.
		c.calls, c.outcome = c.calls[1:], by.started
		c.calls[0].Undo = translate.Undo{Kind: translate.UndoNetwork}
	}
	if was == nil || slices.ContainsFunc(c.calls, func(call translate.Call) bool { return call.Op == translate.OpStart }) {
		l.lives++
		c.life = l.lives
		delete(l.undone, k)
	}
	l.networks[k] = &announcedNetwork{Network: now, entered: a.entered, listed: listed, life: c.life}
	if was == nil || len(c.calls) > 0 || *was != *now {
		l.send(c)
	}
}

// sawDomain enters an observation of a domain; known is what [ledger.domain] has said of
// it, or nil, looked when the look began, arrived when the hint came, or zero. The error is
// that of translate's Look: a document that could not be read to its end.
func (l *ledger) sawDomain(seen translate.DomainSeen, known *knownDomain, docs translate.NetworkDocs, looked, arrived time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(seen.Conn, seen.UUID)
	if run, ok := l.ended[k]; ok && seen.Running {
		if seen.ID == run.id || looked.Before(run.at) {
			return nil // read before it had ended
		}
		delete(l.ended, k)
	}
	c := change{conn: seen.Conn, bucket: store.Domains, key: k, guest: k, noticed: arrived}
	var was *translate.Domain
	var r *refusal
	if a := l.domains[k]; a != nil {
		was = a.recordOr(known)
		if a.passage != nil || was.Gated && looked.Before(a.since) {
			return nil // the guest is just being started
		}
		sameRun := seen.Running && was.InRun(seen.ID)
		if sameRun && (a.refusal != nil || looked.Before(a.since)) {
			a.removed = append(a.removed, seen.Removed...)
			return nil // the undo's end looks again
		}
		if r = a.refusal; r != nil {
			c.cut = r.cut
		}
		if sameRun {
			seen.Removed = append(seen.Removed, a.removed...)
		}
	}
	now, calls, err := was.Look(seen, docs)
	c.calls = calls
	r.settle(calls)
	switch {
	case now == nil && was == nil:
	case now == nil:
		l.dropDomain(k, was)
		l.send(c)
	default:
		a := &announcedDomain{looked: looked, noticed: looked}
		if known := l.domains[k]; known != nil && was.InRun(now.ID) {
			a.noticed = known.noticed
		}
		l.dropDomain(k, was)
		c.packed = l.setDomain(k, a, now, &seen)
		if was == nil || len(calls) > 0 || was.Live != now.Live || was.Name != now.Name || was.ID != now.ID || was.Gated != now.Gated || was.Daemon != now.Daemon {
			l.send(c)
		}
	}
	return err
}

// change is what a look or an undo changes: a record and calls.
type change struct {
	conn   string
	bucket store.Bucket
	key    string
	packed []byte // the record; nil: there is none any more
	guest  string // whose chain the calls are; empty for a network's
	life   uint64 // of the network
	calls  []translate.Call
	cut    []store.CallID // planned calls that are not made

	// passage is that of the guest through the gate, whose calls are made even if
	// what is found at first is only remembered.
	passage *passage

	// outcome is told how the last call ends.
	outcome *outcome

	// back is the passage that the calls take back.
	back *passage

	// noticed is when libvirt or the kernel told of it; zero: now.
	noticed time.Time
}

// send keeps a record and its calls together, and submits the calls.
func (l *ledger) send(ch change) {
	c := chain{guest: ch.guest, planned: ch.noticed}
	if c.planned.IsZero() {
		c.planned = time.Now()
	}
	if ch.guest != "" && len(ch.calls) > 0 {
		c.guest = orderKey(ch.calls[0])
	}
	silent := l.recordOnly && !l.adopted[ch.conn] && ch.passage == nil
	var moved *translate.Moved
	if ch.guest != "" && len(ch.calls) > 1 {
		moved = new(translate.Moved)
	}
	for _, call := range ch.calls {
		c.tasks = append(c.tasks, task{call: call, moved: moved, silent: silent, life: ch.life})
	}
	if n := len(c.tasks); n > 0 {
		c.tasks[n-1].outcome = ch.outcome
	}
	ch.passage.mark(c.tasks)
	if ch.back != nil {
		c.tasks = ch.back.markBack(c.tasks)
	}
	debug := l.keeper.log.IsLevelEnabled(logrus.DebugLevel)
	tell := func(what string) {
		for i := range c.tasks {
			logged(l.keeper.log, "", c.tasks[i].call).Debug(what)
		}
	}
	if ch.guest != "" && len(c.tasks) > 0 && len(ch.cut) == 0 {
		if counts, ok := l.tally(c); ok {
			l.keeper.counted(ch, counts)
			if debug {
				tell("done with")
			}
			return
		}
	}
	var planned func() // told when it is kept
	if debug && len(c.tasks) > 0 {
		planned = func() { tell("planned") }
	}
	l.keeper.record(ch, &c, planned)
	l.submit(c)
}
