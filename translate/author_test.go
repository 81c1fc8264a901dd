package translate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"
)

func TestAuthorNetwork(t *testing.T) {
	doc, err := AuthorNetwork("a<b", "00000000-0000-4000-8000-0000000000a1")
	if err != nil {
		t.Fatal(err)
	}
	head, err := ParseNetwork(doc)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(NetworkHead{Name: "a<b", UUID: "00000000-0000-4000-8000-0000000000a1"}, head); d != "" {
		t.Error(d)
	}
	var n libvirtxml.Network
	if err := n.Unmarshal(doc); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(libvirtxml.Network{XMLName: n.XMLName, Name: "a<b", UUID: "00000000-0000-4000-8000-0000000000a1"}, n); d != "" {
		t.Error(d)
	}
	if doc, err = AuthorNetwork("n", ""); err != nil || strings.Contains(doc, "uuid") {
		t.Errorf("got %q, %v", doc, err)
	}
}

func TestAuthorInterface(t *testing.T) {
	for _, want := range []Interface{
		{Type: "network", MAC: "52:54:00:00:00:01", Network: "n&m", Portgroup: "p", PortID: "u", Bridge: "virbr0", Target: "vnet0", Alias: "net0"},
		{Type: "bridge", MAC: "52:54:00:00:00:01", Bridge: "br0"},
		{Type: "direct", MAC: "52:54:00:00:00:01", Dev: "eth0", Mode: "vepa"},
	} {
		doc, err := AuthorInterface(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Interfaces("<domain><devices>" + doc + "</devices></domain>")
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		want.Text = doc
		if d := cmp.Diff(want, got[0]); d != "" {
			t.Error(d)
		}
	}
	// What belongs to a network is of type network.
	doc, err := AuthorInterface(Interface{Type: "hostdev", Network: "n"})
	if err != nil || !strings.Contains(doc, `type="network"`) || !strings.Contains(doc, `network="n"`) {
		t.Errorf("got %q, %v", doc, err)
	}
}

func TestAuthorDomain(t *testing.T) {
	nics, err := Interfaces(guest)
	if err != nil {
		t.Fatal(err)
	}
	head := DomainHead{Name: "a&b", UUID: "11111111-2222-4333-8444-555555555555", Type: "kvm", ID: 0}
	doc, err := AuthorDomain(head, []Interface{nics[1], {MAC: "52:54:00:00:00:09", Network: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseDomain(doc)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(head, got); d != "" {
		t.Error(d)
	}
	placed, err := Interfaces(doc)
	if err != nil || len(placed) != 2 {
		t.Fatalf("%v, %v", placed, err)
	}
	if placed[0] != nics[1] {
		t.Errorf("interface is not as it was: %s", cmp.Diff(nics[1], placed[0]))
	}
	if placed[1].MAC != "52:54:00:00:00:09" || placed[1].Network != "n" || placed[1].Indent != 4 {
		t.Errorf("got %v", placed[1])
	}
	head.ID = -1
	doc, err = AuthorDomain(head, nil)
	if err != nil || strings.Contains(doc, " id=") || strings.Contains(doc, "devices") {
		t.Errorf("got %q, %v", doc, err)
	}
	if _, err := AuthorDomain(head, []Interface{{Text: "<interface"}}); err == nil {
		t.Error("no error")
	}
}
