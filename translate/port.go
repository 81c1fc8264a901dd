package translate

import (
	"cmp"
	"crypto/sha1"
	"encoding/xml"
	"fmt"

	"libvirt.org/go/libvirtxml"
)

// AuthorPort writes the <networkport> that libvirt ≥ 5.5 gives its hook as port-created
// and port-deleted, for an interface on a libvirtd that has no ports
// (networkAllocatePort in bridge_driver.c, virNetworkPortDefFormatBuf in
// virnetworkportdef.c).
//
// network is the network's document. It fills in what an interface's document of libvirt
// ≤ 1.2.1 does not have yet: portgroup, vlan, virtualport, bandwidth and the kind of
// plug that the forward mode leads to. Where it cannot be read, or is only a name, the
// interface alone decides. The UUID is the interface's portid; where there is none it is
// made up of owner, MAC address, network and alias, so that both calls carry the same.
func AuthorPort(network string, nic Interface, owner DomainRef) (string, error) {
	net, _ := ParseNetwork(network)
	shared, group, own := settingsOfPort(net, network, nic)
	port := libvirtxml.NetworkPort{
		UUID:        nic.PortID,
		Owner:       &libvirtxml.NetworkPortOwner{UUID: owner.UUID, Name: owner.Name},
		Group:       nic.Portgroup,
		Bandwidth:   own.Bandwidth,
		VLAN:        own.VLAN,
		PortOptions: own.Port,
	}
	if port.UUID == "" {
		port.UUID = derivedUUID(owner.UUID, nic.MAC, cmp.Or(net.Name, nic.Network), nic.Alias)
	}
	if nic.MAC != "" {
		port.MAC = &libvirtxml.NetworkPortMAC{Address: nic.MAC}
	}
	// A network's own <bandwidth> limits its bridge, not its ports.
	if port.Bandwidth == nil {
		port.Bandwidth = group.Bandwidth
	}
	for _, s := range []portSettings{group, shared} {
		if port.VLAN == nil || len(port.VLAN.Tags) == 0 {
			port.VLAN = s.VLAN
		}
	}
	if port.PortOptions == nil {
		port.PortOptions = shared.Port
	}
	if trust := cmp.Or(own.TrustGuestRxFilters, group.TrustGuestRxFilters, shared.TrustGuestRxFilters); trust != "" {
		port.RXFilters = &libvirtxml.NetworkPortRXFilters{TrustGuest: trust}
	}
	var err error
	if port.VirtualPort, err = mergeVirtualPorts(own.VirtualPort, shared.VirtualPort, group.VirtualPort); err != nil {
		return "", fmt.Errorf("port of interface %s: %w", nic.MAC, err)
	}
	port.Plug = plug(net, shared, nic, own)

	doc, err := port.Marshal()
	if err != nil {
		return "", fmt.Errorf("port of interface %s: %w", nic.MAC, err)
	}
	return doc, nil
}

// settingsOfPort reads what a network, the portgroup of an interface in it, and the
// interface itself say of a port. What cannot be read says nothing.
func settingsOfPort(net NetworkHead, network string, nic Interface) (shared, group, own portSettings) {
	if net.Name != "" {
		_ = xml.Unmarshal([]byte(network), &shared) // a network that is half readable still gives a port
	}
	if nic.Text != "" {
		if err := xml.Unmarshal([]byte(nic.Text), &own); err != nil {
			own = portSettings{}
		}
	}
	if own.Actual != nil {
		own = own.Actual.over(own)
	}
	for _, g := range shared.Portgroups {
		if g.Name == nic.Portgroup || nic.Portgroup == "" && g.Default == "yes" {
			return shared, g, own
		}
	}
	return shared, group, own
}

// portSettings are what <interface>, <actual>, <network> and <portgroup> have in common
// with a port.
type portSettings struct {
	Name                string                             `xml:"name,attr"`
	Default             string                             `xml:"default,attr"`
	TrustGuestRxFilters string                             `xml:"trustGuestRxFilters,attr"`
	Managed             string                             `xml:"managed,attr"`
	Bandwidth           *libvirtxml.NetworkBandwidth       `xml:"bandwidth"`
	VLAN                *libvirtxml.NetworkPortVLAN        `xml:"vlan"`
	VirtualPort         *virtualPort                       `xml:"virtualport"`
	Port                *libvirtxml.NetworkPortPortOptions `xml:"port"`
	Driver              *portDriver                        `xml:"driver"`
	Source              *portSource                        `xml:"source"`
	Bridge              *portBridge                        `xml:"bridge"`
	Forward             *portForward                       `xml:"forward"`
	Portgroups          []portSettings                     `xml:"portgroup"`
	Actual              *portSettings                      `xml:"actual"`
}

type portDriver struct {
	Name string `xml:"name,attr"`
}

type portSource struct {
	Address *libvirtxml.NetworkPortPlugHostDevPCIAddress `xml:"address"`
}

type portBridge struct {
	MacTableManager string `xml:"macTableManager,attr"`
}

type portForward struct {
	Managed string      `xml:"managed,attr"`
	Driver  *portDriver `xml:"driver"`
}

// over returns the settings of an <actual> element completed by those of the interface
// around it.
func (actual *portSettings) over(nic portSettings) portSettings {
	s := *actual
	if s.TrustGuestRxFilters == "" {
		s.TrustGuestRxFilters = nic.TrustGuestRxFilters
	}
	if s.Port == nil {
		s.Port = nic.Port
	}
	if s.VLAN == nil {
		s.VLAN = nic.VLAN
	}
	if s.Bandwidth == nil {
		s.Bandwidth = nic.Bandwidth
	}
	if s.VirtualPort == nil {
		s.VirtualPort = nic.VirtualPort
	}
	return s
}

// plug tells how the interface is connected: by what the interface became, else by the
// network's forward mode. It is nil where neither tells.
func plug(net NetworkHead, shared portSettings, nic Interface, own portSettings) *libvirtxml.NetworkPortPlug {
	kind, bridge, dev, mode := nic.ActualType, nic.ActualBridge, nic.ActualDev, nic.ActualMode
	if kind == "" {
		kind, bridge, dev, mode = nic.Type, nic.Bridge, nic.Dev, nic.Mode
	}
	if bridge == "" {
		bridge = net.Bridge
	}
	// libvirt ≤ 1.2.1 says network whatever became of the interface.
	if kind == "network" || kind == "" {
		switch net.ForwardMode {
		case "bridge":
			if kind = "bridge"; bridge == "" {
				kind = "direct"
			}
		case "private", "vepa", "passthrough":
			kind = "direct"
		case "hostdev":
			kind = "hostdev"
		default:
			kind = "network"
		}
	}
	var manager string
	if shared.Bridge != nil {
		manager = shared.Bridge.MacTableManager
	}
	switch kind {
	case "network":
		return &libvirtxml.NetworkPortPlug{Network: &libvirtxml.NetworkPortPlugNetwork{Bridge: bridge, MacTableManager: manager}}
	case "bridge":
		return &libvirtxml.NetworkPortPlug{Bridge: &libvirtxml.NetworkPortPlugBridge{Bridge: bridge, MacTableManager: manager}}
	case "direct":
		if mode == "" {
			mode = net.ForwardMode
		}
		return &libvirtxml.NetworkPortPlug{Direct: &libvirtxml.NetworkPortPlugDirect{Dev: dev, Mode: mode}}
	case "hostdev":
		h := &libvirtxml.NetworkPortPlugHostDevPCI{Managed: own.Managed}
		if h.Managed == "" && shared.Forward != nil {
			h.Managed = shared.Forward.Managed
		}
		switch {
		case own.Driver != nil && own.Driver.Name != "":
			h.Driver = &libvirtxml.NetworkPortPlugHostDevPCIDriver{Name: own.Driver.Name}
		case shared.Forward != nil && shared.Forward.Driver != nil:
			h.Driver = &libvirtxml.NetworkPortPlugHostDevPCIDriver{Name: shared.Forward.Driver.Name}
		}
		if own.Source != nil {
			h.Address = own.Source.Address
		}
		return &libvirtxml.NetworkPortPlug{HostDevPCI: h}
	}
	return nil
}

// virtualPort is a <virtualport> of any type.
type virtualPort struct {
	XMLName    xml.Name              `xml:"virtualport"`
	Type       string                `xml:"type,attr,omitempty"`
	Parameters virtualPortParameters `xml:"parameters"`
}

type virtualPortParameters struct {
	Attributes []xml.Attr `xml:",any,attr"`
}

// mergeVirtualPorts puts together what the interface, its network and its portgroup say,
// as virNetDevVPortProfileMerge3 does. libvirt refuses what contradicts itself; here the
// first to name a value wins.
func mergeVirtualPorts(ports ...*virtualPort) (*libvirtxml.NetworkVirtualPort, error) {
	var (
		merged virtualPort
		found  bool
		known  = map[string]bool{}
	)
	for _, p := range ports {
		if p == nil {
			continue
		}
		found = true
		if merged.Type == "" {
			merged.Type = p.Type
		}
		for _, a := range p.Parameters.Attributes {
			if !known[a.Name.Local] {
				known[a.Name.Local] = true
				merged.Parameters.Attributes = append(merged.Parameters.Attributes, a)
			}
		}
	}
	if !found {
		return nil, nil
	}
	doc, err := xml.Marshal(merged)
	if err != nil {
		return nil, err
	}
	var port libvirtxml.NetworkVirtualPort
	if err := xml.Unmarshal(doc, &port); err != nil {
		return nil, err
	}
	return &port, nil
}

// derivedUUID makes a UUID of version 5 (RFC 9562) from parts: equal parts, equal UUID.
func derivedUUID(parts ...string) string {
	namespace := [16]byte{0xd4, 0x5c, 0x0a, 0x3e, 0x61, 0x0f, 0x4b, 0x52, 0x9b, 0x7a, 0x2c, 0x11, 0x8e, 0x66, 0x70, 0x1f}
	h := sha1.New()
	h.Write(namespace[:])
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
