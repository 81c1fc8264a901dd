package agent

import (
	"errors"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// hasCode reports whether an error is libvirt's with this code.
func hasCode(err error, code libvirt.ErrorNumber) bool {
	var e libvirt.Error
	return errors.As(err, &e) && e.Code == code
}

// readNetwork reads what there is to know of a network. A network that does not
// exist is one that is not active; any other error means that nothing is known.
func readNetwork(conn *libvirt.Connect, uri, name string) (translate.NetworkSeen, error) {
	var none networkHandles
	return none.readNetwork(conn, uri, name, false)
}

// readNetwork is the function of that name. active says that libvirt has just told that
// the network is active.
func (h *networkHandles) readNetwork(conn *libvirt.Connect, uri, name string, active bool) (translate.NetworkSeen, error) {
	nothing := translate.NetworkSeen{Conn: uri, Name: name}
	seen := nothing
	err := h.with(conn, name, func(network *libvirt.Network) (err error) {
		seen = nothing
		if seen.UUID, err = network.GetUUIDString(); err == nil {
			err = h.readNetworkObject(network, &seen, active)
		}
		return err
	})
	if err != nil || !seen.Active {
		seen.Active, seen.Live, seen.Inactive = false, "", ""
	}
	return seen, ignoreVanished(err)
}

func (h *networkHandles) readNetworkObject(network *libvirt.Network, seen *translate.NetworkSeen, active bool) (err error) {
	if !active {
		if seen.Active, err = network.IsActive(); err != nil || !seen.Active {
			return err
		}
	}
	seen.Inactive = h.inactive(network) // without one start carries the live text
	if seen.Live, err = network.GetXMLDesc(0); err != nil {
		return err
	}
	// libvirt gives the inactive document for a network that has just stopped,
	// without a word: only one that is active before and after was read live.
	seen.Active, err = network.IsActive()
	return err
}

// ignoreVanished makes an object that disappeared between two calls no error.
func ignoreVanished(err error) error {
	if hasCode(err, libvirt.ERR_NO_NETWORK) || hasCode(err, libvirt.ERR_NO_DOMAIN) {
		return nil
	}
	return err
}

// readNetworkDoc returns the document that belongs into a call about one of the
// network's interfaces: the live one, or what libvirt has in its place.
func readNetworkDoc(conn *libvirt.Connect, name string) (string, error) {
	var none networkHandles
	return none.readNetworkDoc(conn, name)
}

func (h *networkHandles) readNetworkDoc(conn *libvirt.Connect, name string) (text string, err error) {
	err = h.with(conn, name, func(network *libvirt.Network) (err error) {
		text, err = network.GetXMLDesc(0)
		return err
	})
	return text, err
}

// readDomain reads what there is to know of a domain. One that does not exist
// does not run; any other error means that nothing is known. The document tells
// whether the domain runs: only a running one has an id. inactive asks for the
// inactive document of a running domain, too.
func readDomain(conn *libvirt.Connect, uri, uuid string, inactive bool) (translate.DomainSeen, error) {
	seen := translate.DomainSeen{Conn: uri, UUID: uuid, ID: -1}
	domain, err := conn.LookupDomainByUUIDString(uuid)
	if hasCode(err, libvirt.ERR_NO_DOMAIN) {
		return seen, nil
	}
	if err != nil {
		return seen, err
	}
	defer func() { _ = domain.Free() }()
	err = readDomainObject(domain, &seen, inactive)
	return seen, err
}

// readHinted is readDomain for the domain of a hint.
func readHinted(conn *libvirt.Connect, uri, uuid string, inactive bool, h hint) (translate.DomainSeen, error) {
	if h.domain == nil {
		return readDomain(conn, uri, uuid, inactive)
	}
	seen := translate.DomainSeen{Conn: uri, UUID: uuid, ID: -1}
	if h.stopped {
		// Mostly it is still down, and that is all there is to know: the documents of
		// the calls are those of the run that has ended.
		active, err := h.domain.IsActive()
		if ignoreVanished(err) == nil && !active {
			seen.Name, err = h.domain.GetName()
			return seen, err
		}
	}
	err := readDomainObject(h.domain, &seen, inactive)
	return seen, err
}

// readDomainObject is readDomain for a domain that has been found.
func readDomainObject(domain *libvirt.Domain, seen *translate.DomainSeen, inactive bool) (err error) {
	if seen.Name, err = domain.GetName(); err != nil {
		return err
	}
	if seen.Live, err = domain.GetXMLDesc(0); err != nil {
		return ignoreVanished(err)
	}
	head, err := seen.Head()
	if err != nil {
		// The document is not well-formed; ask libvirt itself.
		return readDomainID(domain, seen)
	}
	seen.ID, seen.Running = head.ID, head.ID >= 0
	if inactive && seen.Running {
		if seen.Inactive, err = domain.GetXMLDesc(libvirt.DOMAIN_XML_INACTIVE); err != nil {
			return ignoreVanished(err)
		}
	}
	return nil
}

func readDomainID(domain *libvirt.Domain, seen *translate.DomainSeen) error {
	active, err := domain.IsActive()
	if err != nil || !active {
		return ignoreVanished(err)
	}
	id, err := domain.GetID()
	if err != nil {
		return ignoreVanished(err)
	}
	seen.ID, seen.Running = int(id), true
	return nil
}
