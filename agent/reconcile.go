package agent

import (
	"cmp"
	"errors"
	"slices"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

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
	gone := missing(w.ledger.announcedDomains(w.uri), running)
	if err := w.reconcileDomains(conn, gone); err != nil {
		return err
	}
	if w.host.follows(w) {
		if err := w.reconcileNetworks(conn); err != nil {
			return err
		}
	}
	return w.reconcileDomains(conn, running)
}

func (w *watcher) reconcileDomains(conn *libvirt.Connect, uuids []string) error {
	for _, uuid := range uuids {
		if err := w.lookAtDomain(conn, uuid, translate.CauseReconcile, hint{}); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) reconcileNetworks(conn *libvirt.Connect) error {
	names, err := activeNetworks(conn, w.has)
	if hasCode(err, libvirt.ERR_NO_SUPPORT) {
		return nil // a driver without networks, such as esx
	}
	if err != nil {
		return err
	}
	gone := missing(w.ledger.announcedNetworks(w.host.conn), names)
	for _, name := range slices.Concat(gone, names) {
		if err := w.lookAtNetwork(conn, name, translate.CauseReconcile, hint{}); err != nil {
			return err
		}
	}
	w.host.listed(w)
	return nil
}

// missing returns the announced objects that are not listed any more.
func missing(announced, listed []string) []string {
	there := make(map[string]bool, len(listed))
	for _, l := range listed {
		there[l] = true
	}
	gone := slices.DeleteFunc(announced, func(a string) bool { return there[a] })
	slices.Sort(gone)
	return gone
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

// activeDomains returns the UUIDs of the running domains in the order in which
// they were started: by rising id.
func activeDomains(conn *libvirt.Connect, has *features) ([]string, error) {
	if !has.allowed(ListAll) {
		return activeDomainsByID(conn)
	}
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return activeDomainsByID(conn) // libvirt before 0.9.13
	}
	type running struct {
		id   uint
		uuid string
	}
	var found []running
	for i := range domains {
		uuid, uuidErr := domains[i].GetUUIDString()
		id, idErr := domains[i].GetID()
		_ = domains[i].Free()
		if uuidErr != nil {
			err = errors.Join(err, uuidErr)
			continue
		}
		if idErr == nil { // else it stopped meanwhile
			found = append(found, running{id, uuid})
		}
	}
	slices.SortFunc(found, func(a, b running) int { return cmp.Compare(a.id, b.id) })
	uuids := make([]string, len(found))
	for i, d := range found {
		uuids[i] = d.uuid
	}
	return uuids, err
}

// activeDomainsByID is activeDomains through virConnectListDomains, of which the
// binding returns the first 512.
func activeDomainsByID(conn *libvirt.Connect) ([]string, error) {
	ids, err := conn.ListDomains()
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	var uuids []string
	for _, id := range ids {
		domain, err := conn.LookupDomainById(id)
		if err != nil {
			if ignoreVanished(err) == nil {
				continue
			}
			return nil, err
		}
		uuid, err := domain.GetUUIDString()
		_ = domain.Free()
		if err != nil {
			return nil, err
		}
		uuids = append(uuids, uuid)
	}
	return uuids, nil
}
