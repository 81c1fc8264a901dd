package agent

import (
	"strings"
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
	plugged    int // interfaces
	gated      bool

	// looked is when the last look began, noticed when the first look at this run
	// did; noticed is zero for what an earlier run of the agent has announced.
	looked, noticed time.Time

	refusal *refusal // under way
	passage *passage // through the gate, under way

	// since is when the gate let the domain pass, or when the last undo ended. Looks
	// that began before are older than what it did; the undo itself has asked for
	// another.
	since time.Time

	// removed are the aliases that such looks came with.
	removed []string
}

// recordOr returns what is known of the domain if that is still the record, which it
// unpacks otherwise.
func (a *announcedDomain) recordOr(known *knownDomain) *translate.Domain {
	if known != nil && len(a.packed) > 0 && len(known.packed) > 0 && &known.packed[0] == &a.packed[0] {
		return known.Domain
	}
	return a.record()
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
	*translate.Domain        // not to be changed
	packed            []byte // the record that it is
	looked            time.Time
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
	return &knownDomain{copied.record(), copied.packed, looked}
}

// totals returns how many networks are up and how many interfaces plugged in.
func (l *ledger) totals() (up, plugged int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.domains {
		plugged += a.plugged
	}
	return len(l.networks), plugged
}

// noticed returns since when a domain's run is known, zero if an earlier run of the agent
// has announced it.
func (l *ledger) noticed(conn, uuid string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.domains[key(conn, uuid)]; a != nil {
		return a.noticed
	}
	return time.Time{}
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

// setDomain makes a domain's record what is known of it, and returns it packed. seen is
// the look that it comes from, or nil. l.mu is held.
func (l *ledger) setDomain(k string, a *announcedDomain, d *translate.Domain, seen *translate.DomainSeen) []byte {
	var listed []translate.Interface
	if seen != nil && seen.Live == d.Live {
		listed, _ = seen.Interfaces()
	}
	packed, err := packDomain(d, listed)
	if err != nil {
		l.keeper.failed(err)
	}
	// Of the keys, to have each text once, and nothing of the documents.
	byName := key(d.Conn, d.Name)
	a.packed, a.id, a.gated, a.plugged = packed, d.ID, d.Gated, 0
	a.conn, a.uuid, a.name = k[:len(d.Conn)], k[len(k)-len(d.UUID):], byName[len(byName)-len(d.Name):]
	l.domains[k] = a
	l.uuids[byName] = a.uuid
	for i := range d.NICs {
		if dev := d.NICs[i].Target; dev != "" {
			l.targets[strings.Clone(dev)] = a
		}
		if d.NICs[i].Network != "" {
			a.plugged++
		}
	}
	return packed
}

// dropDomain forgets a domain's record. l.mu is held.
func (l *ledger) dropDomain(k string, was *translate.Domain) {
	if was == nil {
		return
	}
	a := l.domains[k]
	delete(l.domains, k)
	delete(l.uuids, key(was.Conn, was.Name))
	for i := range was.NICs {
		if dev := was.NICs[i].Target; l.targets[dev] == a {
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
	if a := l.targets[dev]; a != nil && a.conn == conn {
		return a.uuid
	}
	return ""
}
