package agent

import (
	"time"

	"hookbridge/translate"
)

// announcedDomain is the record of a domain, packed: thousands may be known, and
// few are looked at.
type announcedDomain struct {
	packed     []byte // by packDomain
	conn, uuid string
	name       string
	id         int
	gated      bool

	// looked is when the last look began.
	looked time.Time

	refusal *refusal // under way
	passage *passage // through the gate, under way

	// since is when the gate let the domain pass, or when the last undo ended. Looks
	// that began before are older than what it did; the undo itself has asked for
	// another.
	since time.Time

	// removed are the aliases that such looks came with.
	removed []string
}

// record unpacks the record.
func (a *announcedDomain) record() *translate.Domain {
	d, err := unpackDomain(a.packed)
	if err != nil { // it was packed by this very process
		return &translate.Domain{Conn: a.conn, UUID: a.uuid, Name: a.name, ID: a.id, Gated: a.gated}
	}
	return d
}

// knownDomain is what a look at a domain has to know of it.
type knownDomain struct {
	*translate.Domain
	looked time.Time
}

// domain returns what is known of an announced domain, nil if it is not announced.
func (l *ledger) domain(conn, uuid string) *knownDomain {
	l.mu.Lock()
	a := l.domains[key(conn, uuid)]
	if a == nil {
		l.mu.Unlock()
		return nil
	}
	copied, looked := *a, a.looked
	l.mu.Unlock()
	return &knownDomain{copied.record(), looked}
}

// eachDomain calls fn with the records of all announced domains. The ledger is not
// locked meanwhile.
func (l *ledger) eachDomain(fn func(*translate.Domain)) {
	l.mu.Lock()
	all := make([]announcedDomain, 0, len(l.domains))
	for _, a := range l.domains {
		all = append(all, *a)
	}
	l.mu.Unlock()
	for i := range all {
		fn(all[i].record())
	}
}

// setDomain makes a domain's record what is known of it, and returns it packed. l.mu is
// held.
func (l *ledger) setDomain(k string, a *announcedDomain, d *translate.Domain) []byte {
	packed, err := packDomain(d)
	if err != nil {
		l.keeper.failed(err)
	}
	a.packed, a.conn, a.name, a.id, a.gated = packed, d.Conn, d.Name, d.ID, d.Gated
	a.uuid = k[len(k)-len(d.UUID):] // of the key, to have it once
	l.domains[k] = a
	l.uuids[key(d.Conn, d.Name)] = a.uuid
	for i := range d.NICs {
		if dev := d.NICs[i].Target; dev != "" {
			l.targets[dev] = k
		}
	}
	return packed
}

// dropDomain forgets a domain's record. l.mu is held.
func (l *ledger) dropDomain(k string, was *translate.Domain) {
	if was == nil {
		return
	}
	delete(l.domains, k)
	delete(l.uuids, key(was.Conn, was.Name))
	for i := range was.NICs {
		if dev := was.NICs[i].Target; l.targets[dev] == k {
			delete(l.targets, dev)
		}
	}
}

// packNetwork packs a network's record.
func (l *ledger) packNetwork(n *translate.Network) []byte {
	packed, err := encode(n)
	if err != nil {
		l.keeper.failed(err)
	}
	return packed
}

// domainWithTarget returns the UUID of the announced domain that has an interface
// with this device on the host, "" if there is none.
func (l *ledger) domainWithTarget(conn, dev string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.domains[l.targets[dev]]; a != nil && a.conn == conn {
		return a.uuid
	}
	return ""
}
