package translate

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLayoutAsLibvirt compares with how libvirt itself prints one and the same domain
// with and without two columns in front: as a document of its own, and inside a
// <domainsnapshot>, both from the test driver of libvirt 9.0.0 (virsh -c
// test:///default: dumpxml, snapshot-dumpxml). The domain has metadata with everything
// that its formatter treats in its own way: mixed content, CDATA, comments,
// instructions, xml:space, 34 levels.
func TestLayoutAsLibvirt(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile("testdata/layout/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	own, inside := read("libvirt-9.0-domain.xml"), read("libvirt-9.0-domain-inside-snapshot.xml")

	moved, err := appendMoved(nil, own, -1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(inside, string(moved)); d != "" {
		t.Errorf("moved in: %s", d)
	}
	back, err := appendMoved(nil, inside, -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(own, string(back)); d != "" {
		t.Errorf("moved back: %s", d)
	}
}
