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
