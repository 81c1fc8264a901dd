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

// domainRead is a domain that was read.
type domainRead struct {
	began time.Time
	seen  translate.DomainSeen
}

// reconcileDomains looks at running domains, in their order. While one is entered into
// the ledger the next are read.
func (w *watcher) reconcileDomains(conn *libvirt.Connect, running []listed) error {
	queue := make(chan *ahead[domainRead], readers-2) // one more waits for room, and one is taken
	stop := make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(stop)
	all.Go(func() {
		defer close(queue)
		for i := range running {
			read := newAhead(&all, func() (domainRead, error) {
				r := domainRead{began: time.Now(), seen: translate.DomainSeen{Conn: w.uri, UUID: running[i].name, ID: -1}}
				err := readDomainObject(running[i].domain, &r.seen, w.hidesNetworks)
				return r, err
			})
			select {
			case queue <- read:
			case <-stop:
				return
			}
		}
	})
	for next := range queue {
		r, err := next.get()
		if err != nil {
			return err
		}
		if err := w.sawDomain(conn, r.seen, r.began, translate.CauseReconcile, hint{}); err != nil {
			return err
		}
	}
	return nil
}
