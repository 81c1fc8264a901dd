package translate

import (
	"fmt"
	"strings"

	"libvirt.org/go/libvirtxml"
)

// The documents in this file and in port.go are the only ones that hookbridge writes itself, for
// objects whose own document is gone or never existed. They are marshalled by
// libvirtxml; nothing that libvirt printed passes through here, except interfaces inside
// AuthorDomain, which are placed as they are.

// AuthorNetwork writes the least that a hook script can be told about a network whose
// document could not be had: its name and its UUID, either of which may be unknown.
func AuthorNetwork(name, uuid string) (string, error) {
	doc, err := (&libvirtxml.Network{Name: name, UUID: uuid}).Marshal()
	if err != nil {
		return "", fmt.Errorf("network %s: %w", name, err)
	}
	return doc, nil
}

// AuthorDomain writes the least that a hook script can be told about a domain whose
// document could not be had: what names it, and its interfaces. Those with a Text are
// placed as they are, the others are authored.
func AuthorDomain(head DomainHead, nics []Interface) (string, error) {
	d := libvirtxml.Domain{Type: head.Type, Name: head.Name, UUID: head.UUID}
	if head.ID >= 0 {
		d.ID = &head.ID
	}
	if len(nics) > 0 {
		d.Devices = &libvirtxml.DomainDeviceList{}
	}
	doc, err := d.Marshal()
	if err != nil {
		return "", fmt.Errorf("domain %s: %w", head.Name, err)
	}
	if len(nics) == 0 {
		return doc, nil
	}
	var devices []byte
	for _, nic := range nics {
		text, indent := nic.Text, nic.Indent
		if text == "" {
			if text, err = AuthorInterface(nic); err != nil {
				return "", err
			}
			indent = 0
		}
		if devices, err = appendMoved(devices, text, indent, 4); err != nil {
			return "", fmt.Errorf("interface %s of domain %s: %w", nic.MAC, head.Name, err)
		}
	}
	const empty = "<devices></devices>"
	at := strings.LastIndex(doc, empty)
	if at < 0 {
		return "", fmt.Errorf("domain %s: no place for its interfaces", head.Name)
	}
	return doc[:at] + "<devices>\n" + string(devices) + "  </devices>" + doc[at+len(empty):], nil
}

// AuthorInterface writes the least that a hook script can be told about an interface of
// which only fields are known. One that belongs to a network is of type network whatever
// nic.Type says: libvirtxml knows the network's name in no other.
func AuthorInterface(nic Interface) (string, error) {
	i := libvirtxml.DomainInterface{}
	if nic.MAC != "" {
		i.MAC = &libvirtxml.DomainInterfaceMAC{Address: nic.MAC}
	}
	switch {
	case nic.Network != "":
		i.Source = &libvirtxml.DomainInterfaceSource{Network: &libvirtxml.DomainInterfaceSourceNetwork{
			Network: nic.Network, PortGroup: nic.Portgroup, PortID: nic.PortID, Bridge: nic.Bridge,
		}}
	case nic.Bridge != "":
		i.Source = &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: nic.Bridge}}
	case nic.Dev != "":
		i.Source = &libvirtxml.DomainInterfaceSource{Direct: &libvirtxml.DomainInterfaceSourceDirect{Dev: nic.Dev, Mode: nic.Mode}}
	}
	if nic.Target != "" {
		i.Target = &libvirtxml.DomainInterfaceTarget{Dev: nic.Target}
	}
	if nic.Alias != "" {
		i.Alias = &libvirtxml.DomainAlias{Name: nic.Alias}
	}
	doc, err := i.Marshal()
	if err != nil {
		return "", fmt.Errorf("interface %s: %w", nic.MAC, err)
	}
	return doc, nil
}
