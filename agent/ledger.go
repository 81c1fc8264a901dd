package agent

import (
	"sync"
	"time"

	"hookbridge/translate"
)

// ledger holds what has been announced to the hook script. It is the only
// place where records change, and it submits the calls that a change asks for
// in the order in which the changes were seen.
type ledger struct {
	mu       sync.Mutex
	networks map[string]*announcedNetwork
	domains  map[string]*announcedDomain
	uuids    map[string]string // of domains, by name
	submit   func(chain)
}

// announcedNetwork is a record with what only the observer needs.
type announcedNetwork struct {
	*translate.Network

	// listed is when a look that no event asked for found the network; zero
	// otherwise. An event that arrived before is older than what was seen.
	listed time.Time
}

type announcedDomain struct {
	*translate.Domain
	listed time.Time
}

func newLedger(submit func(chain)) *ledger {
	return &ledger{
		networks: map[string]*announcedNetwork{},
		domains:  map[string]*announcedDomain{},
		uuids:    map[string]string{},
		submit:   submit,
	}
}

// key joins a connection and a name or UUID; a URI has no newline.
func key(conn, name string) string { return conn + "\n" + name }

func (l *ledger) network(conn, name string) *announcedNetwork {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.networks[key(conn, name)]
}

func (l *ledger) domain(conn, uuid string) *announcedDomain {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.domains[key(conn, uuid)]
}

// domainNamed returns the UUID of the announced domain of that name, "" if there
// is none.
func (l *ledger) domainNamed(conn, name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.uuids[key(conn, name)]
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
		if d.Conn == conn {
			uuids = append(uuids, d.UUID)
		}
	}
	return uuids
}

// sawNetwork enters an observation of a network. listed is the time of a look
// that no event asked for, or zero.
func (l *ledger) sawNetwork(seen translate.NetworkSeen, listed time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(seen.Conn, seen.Name)
	var was *translate.Network
	if a := l.networks[k]; a != nil {
		was = a.Network
		if listed.IsZero() {
			listed = a.listed
		}
	}
	now, calls := was.Look(seen)
	if now == nil {
		delete(l.networks, k)
	} else {
		l.networks[k] = &announcedNetwork{now, listed}
	}
	l.send("", calls)
}

// sawDomain enters an observation of a domain. The error is that of
// translate's Look: a document that could not be read to its end.
func (l *ledger) sawDomain(seen translate.DomainSeen, docs translate.NetworkDocs, listed time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(seen.Conn, seen.UUID)
	var was *translate.Domain
	if a := l.domains[k]; a != nil {
		was = a.Domain
		delete(l.uuids, key(was.Conn, was.Name))
		if listed.IsZero() {
			listed = a.listed
		}
	}
	now, calls, err := was.Look(seen, docs)
	if now == nil {
		delete(l.domains, k)
	} else {
		l.domains[k] = &announcedDomain{now, listed}
		l.uuids[key(now.Conn, now.Name)] = now.UUID
	}
	l.send(k, calls)
	return err
}

func (l *ledger) send(guest string, calls []translate.Call) {
	if len(calls) > 0 {
		l.submit(chain{guest: guest, calls: calls, planned: time.Now()})
	}
}
