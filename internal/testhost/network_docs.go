package testhost

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
)

// Network is the definition of a network for a test. The zero value of every
// field but Name leaves the element out.
type Network struct {
	Name string
	// Forward is the forward mode; "" makes the network isolated.
	Forward string
	// Bridge is the bridge's name: made by libvirt, or, for forward mode
	// bridge, the host's own that is used. When empty, libvirt chooses.
	Bridge string
	// Device is what the modes bridge (macvtap), private, vepa and passthrough
	// go over.
	Device string
	// Subnet is the third number of the host's address 192.168.N.1/24, 0 for no
	// address; DHCP serves .2 to .254 of it.
	Subnet int
	DHCP   bool
	// Extra is text for the end of the document: portgroups, bandwidth, …
	Extra string
	// Head is text for right behind the name: title, description, metadata.
	Head string
	// Attrs is text for the start tag, such as name space declarations.
	Attrs string
}

// XML returns the document.
func (n Network) XML() string {
	var b strings.Builder
	attrs := ""
	if n.Attrs != "" {
		attrs = " " + n.Attrs
	}
	fmt.Fprintf(&b, "<network%s>\n  <name>%s</name>\n", attrs, escape(n.Name))
	if n.Head != "" {
		b.WriteString(n.Head + "\n")
	}
	switch {
	case n.Forward != "" && n.Device != "":
		fmt.Fprintf(&b, "  <forward mode='%s'>\n    <interface dev='%s'/>\n  </forward>\n", n.Forward, escape(n.Device))
	case n.Forward != "":
		fmt.Fprintf(&b, "  <forward mode='%s'/>\n", n.Forward)
	}
	if n.Bridge != "" {
		fmt.Fprintf(&b, "  <bridge name='%s'/>\n", escape(n.Bridge))
	}
	if n.Subnet != 0 {
		fmt.Fprintf(&b, "  <ip address='192.168.%d.1' netmask='255.255.255.0'>\n", n.Subnet)
		if n.DHCP {
			fmt.Fprintf(&b, "    <dhcp>\n      <range start='192.168.%[1]d.2' end='192.168.%[1]d.254'/>\n    </dhcp>\n", n.Subnet)
		}
		b.WriteString("  </ip>\n")
	}
	if n.Extra != "" {
		b.WriteString(n.Extra + "\n")
	}
	b.WriteString("</network>\n")
	return b.String()
}

// NAT returns a network like libvirt's default one.
func NAT(name string, subnet int) Network {
	return Network{Name: name, Forward: "nat", Subnet: subnet, DHCP: true}
}

// Isolated returns a network without a way out.
func Isolated(name string, subnet int) Network {
	return Network{Name: name, Subnet: subnet, DHCP: true}
}

// Routed returns a network with forward mode route.
func Routed(name string, subnet int) Network {
	return Network{Name: name, Forward: "route", Subnet: subnet}
}

// Open returns a network with forward mode open.
func Open(name string, subnet int) Network {
	return Network{Name: name, Forward: "open", Subnet: subnet}
}

// HostBridge returns a network over a bridge that the host has already; see
// [Host.AddBridge].
func HostBridge(name, bridge string) Network {
	return Network{Name: name, Forward: "bridge", Bridge: bridge}
}

// Direct returns a network whose guests get a macvtap over a device; the mode is
// bridge, private, vepa or passthrough. See [Host.AddLink].
func Direct(name, mode, device string) Network {
	return Network{Name: name, Forward: mode, Device: device}
}

// Documented returns an isolated network with most of what a document can hold
// and a careless reader can break: several name spaces, metadata, text over
// several lines, entities, non-ASCII, portgroups, DNS and dnsmasq options.
func Documented(name string, subnet int) Network {
	n := Isolated(name, subnet)
	n.Attrs = "xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'"
	n.Head = `  <metadata>
    <app:site xmlns:app="http://example.org/site/1.0" kind='a "quoted" &amp; &lt;escaped&gt; word'>
      <app:note>first line
second line, not indented
      third line</app:note>
      <app:empty/>
      <!-- a comment that an administrator wrote -->
      <app:raw><![CDATA[<not> & parsed]]></app:raw>
      <app:name>Größe 網路</app:name>
    </app:site>
  </metadata>`
	n.Extra = `  <dns>
    <txt name='example' value='a value with &apos;quotes&apos; &amp; more'/>
  </dns>
  <portgroup name='office'>
    <bandwidth>
      <inbound average='1000' peak='5000' burst='5120'/>
    </bandwidth>
  </portgroup>
  <portgroup name='lab' default='yes'/>
  <dnsmasq:options>
    <dnsmasq:option value="local-ttl=5"/>
  </dnsmasq:options>`
	return n
}

// OddNames are network names that libvirt takes and that are hard on shells,
// paths and documents.
var OddNames = []string{
	"with space",
	"Größe-網路",
	"a&b <c> 'd' \"e\"",
	"-dash",
	"$HOME;true",
	"..",
	"tab\there",
	"percent%s%n",
	"back\\slash",
}

// Define defines a persistent network.
func (h *Host) Define(t testing.TB, n Network) {
	t.Helper()
	h.Virsh(t, "net-define", h.File(t, n.XML()))
}

// DefineAndStart defines a persistent network and starts it.
func (h *Host) DefineAndStart(t testing.TB, n Network) {
	t.Helper()
	h.Define(t, n)
	h.Virsh(t, "net-start", "--network", n.Name)
}

// CreateNetwork creates a transient network.
func (h *Host) CreateNetwork(t testing.TB, n Network) {
	t.Helper()
	h.Virsh(t, "net-create", h.File(t, n.XML()))
}

// AddBridge makes a bridge in the host, with forwarding delay 0, and brings it up.
func (h *Host) AddBridge(t testing.TB, name string) {
	t.Helper()
	h.run(t, "ip", "link", "add", name, "type", "bridge", "forward_delay", "0")
	h.run(t, "ip", "link", "set", name, "up")
}

// AddLink makes a device in the host that stands for a network card, and brings
// it up: one end of a pair of virtual cards, the other end is named peer.
//
// Only one host of the machine at a time has such devices; AddLink waits until
// the test of another has ended. A QEMU guest over such a device opens /dev/tapN,
// N being the interface's index, which is counted per network namespace, while
// the kernel makes these files in one place for all of them.
func (h *Host) AddLink(t testing.TB, name, peer string) {
	t.Helper()
	h.mu.Lock()
	first := !h.hasLinks
	h.hasLinks = true
	h.mu.Unlock()
	if first {
		unlock, err := lockCache("links")
		if err != nil {
			t.Fatalf("testhost: %v", err)
		}
		t.Cleanup(func() {
			h.Stop() //nolint:errcheck // reported by the first clean-up
			unlock()
		})
	}
	h.run(t, "ip", "link", "add", name, "type", "veth", "peer", "name", peer)
	h.run(t, "ip", "link", "set", name, "up")
	h.run(t, "ip", "link", "set", peer, "up")
}

// run runs a command inside and fails the test when it fails.
func (h *Host) run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := h.Command(context.Background(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("testhost: %s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// escape returns text for an element or a quoted attribute.
func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) //nolint:errcheck // memory
	return b.String()
}
