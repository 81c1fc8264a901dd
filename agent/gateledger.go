package agent

import (
	"time"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// endedRun is the run of a domain that has ended without its last event having come.
type endedRun struct {
	id int // -1: unknown
	at time.Time
}

// keptEnded is how long an ended run is remembered: its events are in flight.
const keptEnded = time.Minute

// networkLife is what the gate has to know of an announced network.
type networkLife struct {
	live, inexact, generation string
	refused                   bool // it is being taken down
}

// networkLife returns what has been announced of a network.
func (l *ledger) networkLife(conn, name string) (networkLife, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.networks[key(conn, name)]
	if a == nil {
		return networkLife{}, false
	}
	return networkLife{a.Live, a.Inexact, a.Generation, a.refusal != nil}, true
}

// enterNetwork enters a network that the gate has found without asking libvirt.
// What is being read from libvirt meanwhile does not count.
func (l *ledger) enterNetwork(seen translate.NetworkSeen) {
	now := time.Now()
	l.sawNetwork(seen, now, time.Time{}, time.Time{})
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.networks[key(seen.Conn, seen.Name)]; a != nil {
		a.entered, a.listed = now, now
	}
}

// admit announces a guest that is about to start. The calls are the steps of the
// passage. Of a document that cannot be read to its end, what can be counts.
func (l *ledger) admit(seen translate.DomainSeen, docs translate.NetworkDocs, p *passage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(seen.Conn, seen.UUID)
	delete(l.ended, k)
	delete(l.ungated, k)
	c := change{conn: seen.Conn, bucket: store.Domains, key: k, guest: k, passage: p}
	was, r := l.depose(k, &c)
	now, calls, _ := was.Look(seen, docs)
	c.calls = calls
	r.settle(calls)
	c.packed = l.setDomain(k, &announcedDomain{looked: time.Now(), noticed: time.Now(), passage: p}, now, &seen)
	l.send(c)
}

// depose ends what is under way for the run of a domain that has been announced, if
// there is one, and returns its record and its undo, to be settled. l.mu is held.
func (l *ledger) depose(k string, c *change) (*translate.Domain, *refusal) {
	a := l.domains[k]
	if a == nil {
		return nil, nil
	}
	if a.refusal != nil {
		c.cut = a.refusal.cut
	}
	if a.passage != nil {
		a.passage.block("the guest was stopped meanwhile")
	}
	l.abandon(key(a.conn, a.name))
	was := a.record()
	l.dropDomain(k, was)
	return was, a.refusal
}

// admitted says that libvirtd is told to go on.
func (l *ledger) admitted(conn, uuid string, p *passage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.domains[key(conn, uuid)]; a != nil && a.passage == p {
		a.passage, a.since = nil, time.Now()
	}
}

// turnedAway takes back a passage: the record goes, and what the script has
// accepted is unplugged. ungated says that the guest starts all the same.
func (l *ledger) turnedAway(conn, uuid string, p *passage, docs translate.NetworkDocs, ungated bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(conn, uuid)
	if ungated {
		l.ungated[k] = true
	}
	a := l.domains[k]
	if a == nil || a.passage != p {
		return
	}
	was := a.record()
	l.dropDomain(k, was)
	if !ungated {
		l.hasEnded(k, was.ID)
	}
	c := change{conn: conn, bucket: store.Domains, key: k, guest: k, back: p}
	_, c.calls, _ = was.Look(gone(was, translate.CauseGate), docs)
	l.send(c)
}

// dismiss announces that a guest has stopped. id is that of the run, or -1.
func (l *ledger) dismiss(conn, uuid string, id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(conn, uuid)
	delete(l.ungated, k)
	a := l.domains[k]
	if a != nil && id < 0 {
		id = a.id
	}
	if e, ok := l.ended[k]; !ok || id >= 0 && e.id != id {
		l.hasEnded(k, id)
	}
	if a == nil {
		return
	}
	c := change{conn: conn, bucket: store.Domains, key: k, guest: k, back: a.passage}
	was, r := l.depose(k, &c)
	_, c.calls, _ = was.Look(gone(was, translate.CauseGate), l.cachedDocs(was.NetworkConn))
	r.settle(c.calls)
	l.send(c)
}

// gone is what is seen of a domain that does not run any more.
func gone(was *translate.Domain, cause translate.Cause) translate.DomainSeen {
	return translate.DomainSeen{Conn: was.Conn, NetworkConn: was.NetworkConn, UUID: was.UUID, Name: was.Name, Cause: cause}
}

// cachedDocs are the last live documents of networks. l.mu is held, and has to be
// when the function is called.
func (l *ledger) cachedDocs(conn string) translate.NetworkDocs {
	return func(name string) (string, string) {
		if a := l.networks[key(conn, name)]; a != nil {
			return a.Live, a.Inexact
		}
		text, err := translate.AuthorNetwork(name, "")
		if err != nil {
			text = ""
		}
		return text, "the network is gone; its document was written by hookbridge"
	}
}

// hasEnded remembers that a run of a domain has ended. l.mu is held.
func (l *ledger) hasEnded(k string, id int) {
	now := time.Now()
	for other, e := range l.ended {
		if now.Sub(e.at) > keptEnded {
			delete(l.ended, other)
		}
	}
	l.ended[k] = endedRun{id: id, at: now}
}

// endedAtGate reports whether the run of a domain that has this id, or an unknown
// one, has ended at the gate.
func (l *ledger) endedAtGate(conn, uuid string, id int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.ended[key(conn, uuid)]
	return ok && time.Since(e.at) < keptEnded && (e.id < 0 || id < 0 || e.id == id)
}

// wentUngated reports whether the gate has let a domain pass without having asked
// the script.
func (l *ledger) wentUngated(conn, uuid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ungated[key(conn, uuid)]
}

// gated reports whether a domain has been announced at the gate and not been seen to
// run since, or has been let pass there.
func (l *ledger) gated(conn, uuid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(conn, uuid)
	if l.ungated[k] {
		return true
	}
	a := l.domains[k]
	return a != nil && a.gated
}

// letPass notes that a domain starts without its script having been asked.
func (l *ledger) letPass(conn, uuid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ungated[key(conn, uuid)] = true
}
