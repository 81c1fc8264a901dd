package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArgs(t *testing.T) {
	for op, want := range map[Op][]string{
		OpStart:       {"neta", "start", "begin", "-"},
		OpStopped:     {"neta", "stopped", "end", "-"},
		OpUnplugged:   {"neta", "unplugged", "begin", "-"},
		OpPortDeleted: {"neta", "port-deleted", "begin", "-"},
	} {
		if d := cmp.Diff(want, (Call{Op: op, Network: "neta"}).Args()); d != "" {
			t.Errorf("%s: %s", op, d)
		}
	}
}

func TestStdin(t *testing.T) {
	const (
		nic = "<interface type='network'>\n      <mac address='52:54:00:00:00:01'/>\n      <source network='neta'/>\n    </interface>"
		net = "<network connections='5'>\n  <name>neta</name>\n</network>\n"
		dom = "<domain type='qemu' id='1'>\n  <name>g1</name>\n</domain>\n"
	)
	call := func(op Op) Call {
		return Call{
			Op: op, Network: "neta", Domain: &DomainRef{Name: "g1", UUID: "u"}, NIC: &NICRef{},
			Documents: Documents{Interface: Interface{Text: nic, Indent: 4, MAC: "52:54:00:00:00:01", Network: "neta"}, Network: net, Domain: dom},
		}
	}
	for _, c := range []struct {
		name        string
		op          Op
		payload     Payload
		connections int
		want        string
	}{
		{"a network's call has no other document", OpStarted, Payload123, 0,
			"<hookData>\n  <network>\n    <name>neta</name>\n  </network>\n</hookData>"},
		{"the number of connections", OpStopped, Payload122, 2,
			"<hookData>\n  <network connections='2'>\n    <name>neta</name>\n  </network>\n</hookData>"},
		{"a daemon that does not know the attribute", OpUpdated, Payload123, -1,
			"<hookData>\n  <network connections='5'>\n    <name>neta</name>\n  </network>\n</hookData>"},
		{"plugged", OpPlugged, Payload123, 1,
			"<hookData>\n" +
				"  <interface type='network'>\n    <mac address='52:54:00:00:00:01'/>\n    <source network='neta'/>\n  </interface>\n" +
				"  <network connections='1'>\n    <name>neta</name>\n  </network>\n" +
				"  <domain type='qemu' id='1'>\n    <name>g1</name>\n  </domain>\n</hookData>"},
		{"unplugged as 1.2.2", OpUnplugged, Payload122, 0,
			"<hookData>\n" +
				"      <interface type='network'>\n        <mac address='52:54:00:00:00:01'/>\n        <source network='neta'/>\n      </interface>\n" +
				"  <network>\n    <name>neta</name>\n  </network>\n" +
				"  <domain type='qemu' id='1'>\n    <name>g1</name>\n  </domain>\n</hookData>"},
		{"plugged as proposed", OpPlugged, PayloadSeed, 1,
			"<hookData>\n  <network connections='1'>\n    <name>neta</name>\n  </network>\n" +
				"  <domain type='qemu' id='1'>\n    <name>g1</name>\n  </domain>\n</hookData>"},
	} {
		got, err := call(c.op).Stdin(c.payload, c.connections, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, string(got)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}

	// libvirt 5.5: network and networkport, in this order, and nothing else.
	for _, op := range []Op{OpPortCreated, OpPortDeleted} {
		got, err := call(op).Stdin(Payload123, 1, nil)
		if err != nil {
			t.Error(err)
		}
		text := string(got)
		network, port := strings.Index(text, "\n  <network "), strings.Index(text, "\n  <networkport>")
		if network < 0 || port < network || strings.Contains(text, "<domain") || strings.Contains(text, "<interface") {
			t.Errorf("%s: %s", op, text)
		}
	}

	// Whatever is missing or cannot be read, the script gets what there is.
	for name, broken := range map[string]Call{
		"nothing is known of the guest": {Op: OpPortCreated, Network: "neta", Documents: Documents{Network: net}},
		"an interface cut short":        {Op: OpPlugged, Network: "neta", Documents: Documents{Interface: Interface{Text: "<interface"}, Network: net, Domain: dom}},
		"the port's interface cut short": {Op: OpPortCreated, Network: "neta", Domain: &DomainRef{Name: "g1"},
			Documents: Documents{Interface: Interface{Text: "<interface"}, Network: net}},
		"a domain cut short": {Op: OpUnplugged, Network: "neta", Documents: Documents{Network: net, Domain: dom[:30]}},
	} {
		got, _ := broken.Stdin(Payload123, 1, nil)
		text := string(got)
		if !strings.HasPrefix(text, "<hookData>\n") || !strings.HasSuffix(text, "</hookData>") ||
			!strings.Contains(text, "  <network connections='1'>\n    <name>neta</name>\n  </network>\n") {
			t.Errorf("%s: %s", name, text)
		}
	}
	for name, broken := range map[string]Call{
		"domain":  {Op: OpPlugged, Documents: Documents{Network: net, Domain: "<domain"}},
		"network": {Op: OpStart, Documents: Documents{Network: "<network"}},
	} {
		if _, err := broken.Stdin(Payload123, 0, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A document that is taken over from the call before is the one that would have been
// written anyhow, whatever came before it.
func TestStdinMoved(t *testing.T) {
	domain := func(name string) string {
		return "<?xml version='1.0'?>\n<domain type='qemu'>\n  <name>" + name + "</name>\n</domain>\n"
	}
	var moved Moved
	var earlier [][]byte
	var want []string
	for i, c := range []Call{
		{Op: OpPlugged, Documents: Documents{Network: "<network/>", Domain: domain("a")}},
		{Op: OpPlugged, Documents: Documents{Interface: Interface{Text: "<interface/>"}, Network: "<network>\n</network>", Domain: domain("a")}},
		{Op: OpStarted, Documents: Documents{Network: "<network/>"}},
		{Op: OpUnplugged, Documents: Documents{Network: "<network/>", Domain: domain("a")[:50]}},
		{Op: OpUnplugged, Documents: Documents{Network: "<network/>", Domain: domain("a")[:50]}},
		{Op: OpUnplugged, Documents: Documents{Network: "<network/>", Domain: domain("b")}},
		{Op: OpUnplugged, Documents: Documents{Network: "<network/>"}},
		{Op: OpUnplugged, Documents: Documents{Network: "<network/>", Domain: domain("b")}},
		{Op: OpPlugged, Documents: Documents{Network: "<network/>", Domain: domain("a")}},
	} {
		alone, aloneErr := c.Stdin(Payload123, 1, nil)
		got, err := c.Stdin(Payload123, 1, &moved)
		if fmt.Sprint(err) != fmt.Sprint(aloneErr) {
			t.Errorf("%d: error %v, want %v", i, err, aloneErr)
		}
		earlier, want = append(earlier, got), append(want, string(alone))
	}
	for i := range want {
		if d := cmp.Diff(want[i], string(earlier[i])); d != "" {
			t.Errorf("%d (-want +got):\n%s", i, d)
		}
	}
}
