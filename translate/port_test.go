package translate

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"
)

// TestAuthorPort checks every field of the port for every kind of network.
func TestAuthorPort(t *testing.T) {
	u := func(n uint) *uint { return &n }
	owner := DomainRef{Name: "g<1", UUID: "00000000-0000-4000-8000-000000000d01", ID: 3}
	base := func() libvirtxml.NetworkPort {
		return libvirtxml.NetworkPort{
			UUID:  "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
			Owner: &libvirtxml.NetworkPortOwner{Name: "g<1", UUID: "00000000-0000-4000-8000-000000000d01"},
			MAC:   &libvirtxml.NetworkPortMAC{Address: "52:54:00:00:00:01"},
		}
	}
	const (
		nat = "<network><name>n</name><uuid>u</uuid><forward mode='nat'/><bridge name='virbr0' macTableManager='libvirt'/><bandwidth><inbound average='1'/></bandwidth>" +
			"<portgroup name='p' trustGuestRxFilters='yes'><bandwidth><inbound average='1000' peak='5000' floor='200' burst='5120'/><outbound average='128'/></bandwidth><vlan><tag id='5'/></vlan></portgroup>" +
			"<portgroup name='def' default='yes'><vlan><tag id='6'/></vlan></portgroup></network>"
		ovs = "<network trustGuestRxFilters='no'><name>n</name><forward mode='bridge'/><bridge name='ovsbr0'/><port isolated='yes'/><vlan trunk='yes'><tag id='42' nativeMode='untagged'/><tag id='47'/></vlan>" +
			"<virtualport type='openvswitch'/><portgroup name='p'><virtualport><parameters profileid='pg'/></virtualport></portgroup></network>"
		vepa  = "<network><name>n</name><forward mode='vepa'><interface dev='eth7'/></forward><virtualport type='802.1Qbg'><parameters managerid='11' typeid='1' typeidversion='2'/></virtualport></network>"
		sriov = "<network><name>n</name><forward mode='hostdev' managed='yes'><driver name='vfio'/><pf dev='eth3'/></forward></network>"
	)
	for _, c := range []struct {
		name, network, text string
		want                func(*libvirtxml.NetworkPort)
	}{
		{"nat, public document of libvirt ≤ 1.2.1, portgroup", nat, "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n' portgroup='p' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'/></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.Group = "p"
				p.Bandwidth = &libvirtxml.NetworkBandwidth{
					Inbound:  &libvirtxml.NetworkBandwidthParams{Average: u(1000), Peak: u(5000), Floor: u(200), Burst: u(5120)},
					Outbound: &libvirtxml.NetworkBandwidthParams{Average: u(128)},
				}
				p.VLAN = &libvirtxml.NetworkPortVLAN{Tags: []libvirtxml.NetworkPortVLANTag{{ID: 5}}}
				p.RXFilters = &libvirtxml.NetworkPortRXFilters{TrustGuest: "yes"}
				p.Plug = &libvirtxml.NetworkPortPlug{Network: &libvirtxml.NetworkPortPlugNetwork{Bridge: "virbr0", MacTableManager: "libvirt"}}
			}},
		{"nat, what the interface says comes first", nat, "<interface type='network' trustGuestRxFilters='no'><mac address='52:54:00:00:00:01'/><source network='n' portgroup='p' bridge='virbr0' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'/>" +
			"<bandwidth><inbound average='7'/></bandwidth><vlan><tag id='9'/></vlan><port isolated='yes'/></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.Group = "p"
				p.Bandwidth = &libvirtxml.NetworkBandwidth{Inbound: &libvirtxml.NetworkBandwidthParams{Average: u(7)}}
				p.VLAN = &libvirtxml.NetworkPortVLAN{Tags: []libvirtxml.NetworkPortVLANTag{{ID: 9}}}
				p.PortOptions = &libvirtxml.NetworkPortPortOptions{Isolated: "yes"}
				p.RXFilters = &libvirtxml.NetworkPortRXFilters{TrustGuest: "no"}
				p.Plug = &libvirtxml.NetworkPortPlug{Network: &libvirtxml.NetworkPortPlugNetwork{Bridge: "virbr0", MacTableManager: "libvirt"}}
			}},
		{"nat, default portgroup", nat, "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'/></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.VLAN = &libvirtxml.NetworkPortVLAN{Tags: []libvirtxml.NetworkPortVLANTag{{ID: 6}}}
				p.Plug = &libvirtxml.NetworkPortPlug{Network: &libvirtxml.NetworkPortPlugNetwork{Bridge: "virbr0", MacTableManager: "libvirt"}}
			}},
		{"openvswitch, merged from interface, network and portgroup", ovs, "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n' portgroup='p' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'/>" +
			"<virtualport><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.Group = "p"
				p.VLAN = &libvirtxml.NetworkPortVLAN{Trunk: "yes", Tags: []libvirtxml.NetworkPortVLANTag{{ID: 42, NativeMode: "untagged"}, {ID: 47}}}
				p.PortOptions = &libvirtxml.NetworkPortPortOptions{Isolated: "yes"}
				p.RXFilters = &libvirtxml.NetworkPortRXFilters{TrustGuest: "no"}
				p.VirtualPort = &libvirtxml.NetworkVirtualPort{Params: &libvirtxml.NetworkVirtualPortParams{OpenVSwitch: &libvirtxml.NetworkVirtualPortParamsOpenVSwitch{
					InterfaceID: "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f", ProfileID: "pg",
				}}}
				p.Plug = &libvirtxml.NetworkPortPlug{Bridge: &libvirtxml.NetworkPortPlugBridge{Bridge: "ovsbr0"}}
			}},
		{"bridge, live document, network unreadable", "n", "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source network='n' bridge='br0' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'/></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.Plug = &libvirtxml.NetworkPortPlug{Bridge: &libvirtxml.NetworkPortPlugBridge{Bridge: "br0"}}
			}},
		{"direct, live document", vepa, "<interface type='direct'><mac address='52:54:00:00:00:01'/><source network='n' dev='eth8' mode='vepa' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'/>" +
			"<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.VirtualPort = &libvirtxml.NetworkVirtualPort{Params: &libvirtxml.NetworkVirtualPortParams{VEPA8021QBG: &libvirtxml.NetworkVirtualPortParamsVEPA8021QBG{
					ManagerID: u(11), TypeID: u(1), TypeIDVersion: u(2), InstanceID: "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f",
				}}}
				p.Plug = &libvirtxml.NetworkPortPlug{Direct: &libvirtxml.NetworkPortPlugDirect{Dev: "eth8", Mode: "vepa"}}
			}},
		{"direct, from <actual>", vepa, "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'/><actual type='direct'><source dev='eth7' mode='vepa'/></actual></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.VirtualPort = &libvirtxml.NetworkVirtualPort{Params: &libvirtxml.NetworkVirtualPortParams{VEPA8021QBG: &libvirtxml.NetworkVirtualPortParamsVEPA8021QBG{
					ManagerID: u(11), TypeID: u(1), TypeIDVersion: u(2),
				}}}
				p.Plug = &libvirtxml.NetworkPortPlug{Direct: &libvirtxml.NetworkPortPlugDirect{Dev: "eth7", Mode: "vepa"}}
			}},
		{"hostdev", sriov, "<interface type='hostdev' managed='yes'><mac address='52:54:00:00:00:01'/><driver name='vfio'/><source network='n' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'>" +
			"<address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/></source><address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/></interface>",
			func(p *libvirtxml.NetworkPort) {
				p.Plug = &libvirtxml.NetworkPortPlug{HostDevPCI: &libvirtxml.NetworkPortPlugHostDevPCI{
					Managed: "yes", Driver: &libvirtxml.NetworkPortPlugHostDevPCIDriver{Name: "vfio"},
					Address: &libvirtxml.NetworkPortPlugHostDevPCIAddress{Domain: u(0), Bus: u(3), Slot: u(16), Function: u(1)},
				}}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			nics, err := Interfaces("<domain><devices>" + c.text + "</devices></domain>")
			if err != nil || len(nics) != 1 {
				t.Fatal(nics, err)
			}
			doc, err := AuthorPort(c.network, nics[0], owner)
			if err != nil {
				t.Fatal(err)
			}
			var got libvirtxml.NetworkPort
			if err := got.Unmarshal(doc); err != nil {
				t.Fatal(err)
			}
			want := base()
			want.XMLName = got.XMLName
			c.want(&want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s\n%s", d, doc)
			}
			out, err := HookData(Payload123, Parts{Network: plainNetwork, NetworkPort: doc})
			if err == nil {
				err = sameTokens(string(out), plainNetwork, doc)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAuthorPortByForwardMode checks the plug of an interface that libvirt ≤ 1.2.1 shows
// as type network whatever became of it.
func TestAuthorPortByForwardMode(t *testing.T) {
	for mode, want := range map[string]string{
		"": "network", "nat": "network", "route": "network", "open": "network", "bridge": "bridge",
		"private": "direct", "vepa": "direct", "passthrough": "direct", "hostdev": "hostdev-pci",
	} {
		network := "<network><name>n</name>"
		if mode != "" {
			network += "<forward mode='" + mode + "'/>"
		}
		network += "<bridge name='b'/></network>"
		doc, err := AuthorPort(network, Interface{Type: "network", Network: "n", MAC: "m"}, DomainRef{Name: "g"})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(doc, `<plug type="`+want+`"`) {
			t.Errorf("%q: %s", mode, doc)
		}
	}
	doc, err := AuthorPort("<network><name>n</name><forward mode='bridge'><interface dev='eth0'/></forward></network>", Interface{Type: "network", Network: "n"}, DomainRef{})
	if err != nil || !strings.Contains(doc, `<plug type="direct"`) || !strings.Contains(doc, `mode="bridge"`) {
		t.Errorf("macvtap bridge: %q, %v", doc, err)
	}
}

// A port that has no UUID of libvirt's gets the same one whenever it is written, and no
// other port gets it.
func TestAuthorPortUUID(t *testing.T) {
	uuid := func(nic Interface, owner DomainRef) string {
		doc, err := AuthorPort("", nic, owner)
		if err != nil {
			t.Fatal(err)
		}
		var p libvirtxml.NetworkPort
		if err := p.Unmarshal(doc); err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(p.UUID) {
			t.Errorf("UUID %q", p.UUID)
		}
		return p.UUID
	}
	nic, owner := Interface{MAC: "52:54:00:00:00:01", Network: "n", Alias: "net0"}, DomainRef{Name: "g", UUID: "u"}
	seen := map[string]bool{uuid(nic, owner): true}
	if !seen[uuid(nic, owner)] {
		t.Error("not the same again")
	}
	for _, other := range []Interface{
		{MAC: "52:54:00:00:00:02", Network: "n", Alias: "net0"}, {MAC: "52:54:00:00:00:01", Network: "m", Alias: "net0"}, {MAC: "52:54:00:00:00:01", Network: "n", Alias: "net1"},
	} {
		if id := uuid(other, owner); seen[id] {
			t.Errorf("%v: %s again", other, id)
		} else {
			seen[id] = true
		}
	}
	if seen[uuid(nic, DomainRef{Name: "g", UUID: "v"})] {
		t.Error("the same for another guest")
	}
}
