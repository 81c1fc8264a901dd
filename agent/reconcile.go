package agent

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// compare reconciles and notes why it did.
func (w *watcher) compare(why Comparison, conn *libvirt.Connect, reconcile func(*libvirt.Connect) error) error {
	began := time.Now()
	err := reconcile(conn)
	w.standing.compared(why, began, w.has)
	return err
}

// reconcile looks at everything that is active and at everything that was
// announced. It is called with the events registered, so what changes meanwhile
// is not missed. What happened unseen is told in the order in which it most
// likely did: guests that are gone, networks, then the guests that run, in the
// order in which they were started.
func (w *watcher) reconcile(conn *libvirt.Connect) error {
	running, err := activeDomains(conn, w.has)
	if err != nil {
		return err
	}
	defer w.giveBack(len(running))
	defer free(running)
	w.documents = map[string]networkDoc{}
	defer func() { w.documents = nil }()
	for _, uuid := range missing(w.ledger.announcedDomains(w.uri), running) {
		if err := w.lookAtDomain(conn, uuid, translate.CauseReconcile, hint{}); err != nil {
			return err
		}
	}
	if w.host.follows(w) {
		clear(w.documents)
		if err := w.reconcileNetworks(conn); err != nil {
			return err
		}
	}
	return w.reconcileDomains(conn, running)
}

func (w *watcher) reconcileNetworks(conn *libvirt.Connect) error {
	names, err := activeNetworks(conn, w.has)
	if hasCode(err, libvirt.ERR_NO_SUPPORT) {
		return nil // a driver without networks, such as esx
	}
	if err != nil {
		return err
	}
	there := make([]listed, len(names))
	for i := range names {
		there[i].name = names[i]
	}
	gone := missing(w.ledger.announcedNetworks(w.host.conn), there)
	for _, name := range slices.Concat(gone, names) {
		if err := w.lookAtNetwork(conn, name, translate.CauseReconcile, hint{}); err != nil {
			return err
		}
	}
	w.host.listed(w)
	return nil
}

// listed is an object that libvirt lists as active.
type listed struct {
	name   string          // a network's name, a domain's UUID
	domain *libvirt.Domain // to be freed; nil for a network
}

// missing returns the announced objects that are not listed any more.
func missing(announced []string, active []listed) []string {
	there := make(map[string]bool, len(active))
	for _, l := range active {
		there[l.name] = true
	}
	gone := slices.DeleteFunc(announced, func(a string) bool { return there[a] })
	slices.Sort(gone)
	return gone
}

func free(domains []listed) {
	for i := range domains {
		_ = domains[i].domain.Free()
	}
}

// activeNetworks returns the names of the active networks.
func activeNetworks(conn *libvirt.Connect, has *features) ([]string, error) {
	if !has.allowed(ListAll) {
		return conn.ListNetworks()
	}
	networks, err := conn.ListAllNetworks(libvirt.CONNECT_LIST_NETWORKS_ACTIVE)
	has.found(ListAll, err == nil)
	if err != nil {
		return conn.ListNetworks() // libvirt before 0.10.2
	}
	var names []string
	for i := range networks {
		name, nameErr := networks[i].GetName()
		if nameErr == nil {
			names = append(names, name)
		}
		err = errors.Join(err, nameErr)
		_ = networks[i].Free()
	}
	return names, err
}

// activeDomains returns the running domains in the order in which they were started:
// by rising id. They are to be freed.
func activeDomains(conn *libvirt.Connect, has *features) ([]listed, error) {
	if !has.allowed(ListAll) {
		return activeDomainsByID(conn)
	}
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return activeDomainsByID(conn) // libvirt before 0.9.13
	}
	type running struct {
		listed
		id uint
	}
	var found []running
	for i := range domains {
		uuid, uuidErr := domains[i].GetUUIDString()
		id, idErr := domains[i].GetID()
		if uuidErr != nil || idErr != nil { // without an id it stopped meanwhile
			err = errors.Join(err, uuidErr)
			_ = domains[i].Free()
			continue
		}
		found = append(found, running{listed{uuid, &domains[i]}, id})
	}
	slices.SortFunc(found, func(a, b running) int { return cmp.Compare(a.id, b.id) })
	all := make([]listed, len(found))
	for i := range found {
		all[i] = found[i].listed
	}
	if err != nil {
		free(all)
		return nil, err
	}
	return all, nil
}

// activeDomainsByID is activeDomains through virConnectListDomains, of which the
// binding returns the first 512.
func activeDomainsByID(conn *libvirt.Connect) (all []listed, err error) {
	ids, err := conn.ListDomains()
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	for _, id := range ids {
		domain, err := conn.LookupDomainById(id)
		if err != nil {
			if ignoreVanished(err) == nil {
				continue
			}
			free(all)
			return nil, err
		}
		all = append(all, listed{domain: domain})
		if all[len(all)-1].name, err = domain.GetUUIDString(); err != nil {
			free(all)
			return nil, err
		}
	}
	return all, nil
}
