package agent

import (
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// readers is how many documents are asked for at a time in a comparison. libvirtd works
// on five requests of a client side by side (max_client_requests). What an event asks for
// is asked one after the other: if libvirtd hangs while several requests are under way,
// the client library of libvirt 9.0 does not come out of them before it moves or ends
// (virNetClientIOEventLoop of 6.1 and later computes a timeout and does not use it).
const readers = 4

// readDomainAhead is a domain that is being read.
type readDomainAhead struct {
	began time.Time
	seen  translate.DomainSeen
	err   error
	over  chan struct{}
}

// reconcileDomains looks at running domains, in their order. While one is entered into
// the ledger the next are read.
func (w *watcher) reconcileDomains(conn *libvirt.Connect, running []listed) error {
	ahead := make(chan *readDomainAhead, readers-1)
	stop := make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(stop)
	all.Go(func() {
		defer close(ahead)
		for i := range running {
			r := &readDomainAhead{over: make(chan struct{})}
			select {
			case ahead <- r:
			case <-stop:
				return
			}
			all.Go(func() {
				defer close(r.over)
				r.began = time.Now()
				r.seen = translate.DomainSeen{Conn: w.uri, UUID: running[i].name, ID: -1}
				r.err = readDomainObject(running[i].domain, &r.seen, w.hidesNetworks)
			})
		}
	})
	for r := range ahead {
		<-r.over
		if r.err != nil {
			return r.err
		}
		if err := w.sawDomain(conn, r.seen, r.began, translate.CauseReconcile, hint{}); err != nil {
			return err
		}
	}
	return nil
}
