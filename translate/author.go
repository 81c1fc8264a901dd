package translate

import (
	"fmt"

	"libvirt.org/go/libvirtxml"
)

// The documents in this file and in port.go are the only ones that hookbridge writes itself, for
// networks whose own document is gone, and for ports, which have none before libvirt 5.5.
// There is none for guests: of one whose document is gone no interface is known either,
// so there is no call to make. They are marshalled by libvirtxml; nothing that libvirt
// printed passes through here.

// AuthorNetwork writes the least that a hook script can be told about a network whose
// document could not be had: its name and its UUID, either of which may be unknown.
func AuthorNetwork(name, uuid string) (string, error) {
	doc, err := (&libvirtxml.Network{Name: name, UUID: uuid}).Marshal()
	if err != nil {
		return "", fmt.Errorf("network %s: %w", name, err)
	}
	return doc, nil
}
