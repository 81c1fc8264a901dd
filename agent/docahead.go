package agent

import (
	"slices"
	"sync"
	"unique"

	"libvirt.org/go/libvirt"
)

// usedRemembered is of how many domains it is remembered which networks they used.
const usedRemembered = 4096

// documentsAhead are documents of networks that are asked for while a domain that has
// started is still being read: one round trip to libvirtd where there would be two.
// Which networks it uses is known from its last run. A guess that was wrong costs the
// round trip.
//
// Only the start is so simple: its event comes when all interfaces have their places.
// Libvirt tells of a shutdown before they are given back, and answers what is asked
// about the domain when all is over; the networks are read after that.
type documentsAhead struct {
	used    map[string][]string // the networks of domains, by UUID
	reading sync.WaitGroup
	asked   map[string]*ahead[networkDoc] // for the domain that is being looked at
}

// begin asks for the documents of the networks that the domain is likely to use. Those
// that have not been announced are left to the look at the domain, which looks at them
// first.
func (a *documentsAhead) begin(w *watcher, conn *libvirt.Connect, uuid string) {
	names := a.used[uuid]
	if len(names) == 0 || !w.host.known() {
		return
	}
	a.asked = make(map[string]*ahead[networkDoc], len(names))
	for _, name := range names[:min(len(names), readers)] {
		if w.ledger.network(w.host.conn, name) != nil {
			a.asked[name] = newAhead(&a.reading, func() (networkDoc, error) { return w.networkDoc(conn, name) })
		}
	}
}

// end returns when nothing is asked for any more.
func (a *documentsAhead) end() {
	a.reading.Wait()
	a.asked = nil
}

// document returns what has been asked for ahead; asked is false if it was not.
func (a *documentsAhead) document(name string) (doc networkDoc, asked bool, err error) {
	d := a.asked[name]
	if d == nil {
		return doc, false, nil
	}
	doc, err = d.get()
	return doc, true, err
}

// uses remembers the networks of a domain.
func (a *documentsAhead) uses(uuid string, networks []string) {
	if len(networks) == 0 || slices.Equal(a.used[uuid], networks) {
		return
	}
	if a.used == nil {
		a.used = map[string][]string{}
	}
	if _, known := a.used[uuid]; !known && len(a.used) >= usedRemembered {
		for other := range a.used { // any
			delete(a.used, other)
			break
		}
	}
	kept := make([]string, len(networks))
	for i, name := range networks {
		kept[i] = unique.Make(name).Value() // the name alone, not the document that it stands in
	}
	a.used[uuid] = kept
}
