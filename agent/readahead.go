package agent

import (
	"slices"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// readAhead is how many domains are read in a comparison before they are handed over to
// be entered into the ledger. To hand over each by itself would take as long as to enter
// it.
const readAhead = 32

// readDomainAhead is a domain that has been read.
type readDomainAhead struct {
	began time.Time
	seen  translate.DomainSeen
}

// reconcileDomains looks at running domains, in their order. While some are entered
// into the ledger the next are read, one after the other: see [watcher.asking].
func (w *watcher) reconcileDomains(conn *libvirt.Connect, running []listed) error {
	ahead := make(chan []readDomainAhead)
	stop := make(chan struct{})
	var failed error // of reading; set before ahead is closed
	var reader sync.WaitGroup
	defer reader.Wait()
	defer close(stop)
	reader.Go(func() {
		defer close(ahead)
		for next := range slices.Chunk(running, readAhead) {
			var read []readDomainAhead
			read, failed = w.readDomainsAhead(next)
			select {
			case ahead <- read:
			case <-stop:
				return
			}
			if failed != nil {
				return
			}
		}
	})
	for read := range ahead {
		for i := range read {
			if err := w.sawDomain(conn, read[i].seen, read[i].began, translate.CauseReconcile, hint{}); err != nil {
				return err
			}
		}
	}
	return failed
}

// readDomainsAhead reads domains, up to the first that cannot be read.
func (w *watcher) readDomainsAhead(running []listed) ([]readDomainAhead, error) {
	read := make([]readDomainAhead, len(running))
	for i := range running {
		w.asking.Lock()
		read[i].began = time.Now()
		read[i].seen = translate.DomainSeen{Conn: w.uri, UUID: running[i].name, ID: -1}
		err := readDomainObject(running[i].domain, &read[i].seen, w.hidesNetworks)
		w.asking.Unlock()
		if err != nil {
			return read[:i], err
		}
	}
	return read, nil
}
