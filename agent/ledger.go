package agent

import (
	"sync"
	"time"

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
	uuids    map[string]string // of domains, by name
	submit   func(chain)
	keeper   keeper

	// held are chains of an earlier run that wait for the verdict on their
	// connection: which calls are to be made at all.
	held []chain

	// adopted are the connections whose objects have been looked at in this
	// boot. Until then, with recordOnly, what is found is remembered without a
	// call.
	adopted    map[string]bool
	recordOnly bool
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

	// looked is when the last look began.
	looked time.Time
}

func newLedger(submit func(chain), keeper keeper) *ledger {
	return &ledger{
		keeper:   keeper,
		networks: map[string]*announcedNetwork{},
		domains:  map[string]*announcedDomain{},
		uuids:    map[string]string{},
		adopted:  map[string]bool{},
		submit:   submit,
	}
}

// restore takes over what was announced in an earlier run of the agent. Events
// that the new run gets are newer than that.
func (l *ledger) restore(k kept) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for key, n := range k.networks {
		l.networks[key] = &announcedNetwork{n, now}
	}
	for k, d := range k.domains {
		l.domains[k] = &announcedDomain{d, now}
		l.uuids[key(d.Conn, d.Name)] = d.UUID
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

// domainWithTarget returns the UUID of the announced domain that has an interface
// with this device on the host, "" if there is none.
func (l *ledger) domainWithTarget(conn, dev string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.domains {
		if d.Conn != conn {
			continue
		}
		for i := range d.NICs {
			if d.NICs[i].Target == dev {
				return d.UUID
			}
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
		l.send(seen.Conn, store.Networks, k, nil, "", calls)
		return
	}
	l.networks[k] = &announcedNetwork{now, listed}
	if was != nil && *was == *now {
		return
	}
	l.send(seen.Conn, store.Networks, k, now, "", calls)
}

// sawDomain enters an observation of a domain; looked is when it began. The error
// is that of translate's Look: a document that could not be read to its end.
func (l *ledger) sawDomain(seen translate.DomainSeen, docs translate.NetworkDocs, looked time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(seen.Conn, seen.UUID)
	var was *translate.Domain
	if a := l.domains[k]; a != nil {
		was = a.Domain
		delete(l.uuids, key(was.Conn, was.Name))
	}
	now, calls, err := was.Look(seen, docs)
	switch {
	case now == nil && was == nil:
	case now == nil:
		delete(l.domains, k)
		l.send(seen.Conn, store.Domains, k, nil, k, calls)
	default:
		l.domains[k] = &announcedDomain{now, looked}
		l.uuids[key(now.Conn, now.Name)] = now.UUID
		if was == nil || len(calls) > 0 || was.Live != now.Live || was.Name != now.Name || was.Daemon != now.Daemon {
			l.send(seen.Conn, store.Domains, k, now, k, calls)
		}
	}
	return err
}

// send keeps a record, nil where there is none any more, and its calls together,
// and submits the calls.
func (l *ledger) send(conn string, bucket store.Bucket, recordKey string, record any, guest string, calls []translate.Call) {
	c := chain{guest: guest, planned: time.Now()}
	silent := l.recordOnly && !l.adopted[conn]
	for _, call := range calls {
		c.tasks = append(c.tasks, task{call: call, silent: silent})
	}
	l.keeper.record(bucket, recordKey, record, &c)
	if len(c.tasks) == 0 {
		return
	}
	for i := range c.tasks {
		l.keeper.log.WithFields(callFields("", c.tasks[i].call)).Debug("planned")
	}
	l.submit(c)
}
