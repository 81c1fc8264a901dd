package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const guestUUID = "00000000-0000-4000-8000-000000000d01"

// guestDoc is a guest's live document as libvirt lays it out. mark tells one document
// from another.
func guestDoc(kind string, id int, mark string, nics ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<domain type='%s' id='%d'>\n  <name>g1</name>\n  <uuid>%s</uuid>\n  <title>%s</title>\n  <devices>\n", kind, id, guestUUID, mark)
	for _, nic := range nics {
		b.WriteString("    " + strings.ReplaceAll(nic, "\n", "\n    ") + "\n")
	}
	b.WriteString("  </devices>\n</domain>\n")
	return b.String()
}

// iface is an interface of any type. mac and alias may be short, or empty for none.
func iface(kind, mac, source, alias string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<interface type='%s'>\n", kind)
	if mac != "" {
		fmt.Fprintf(&b, "  <mac address='%s'/>\n", mac)
	}
	b.WriteString("  <source " + source + "/>\n")
	if alias != "" {
		fmt.Fprintf(&b, "  <alias name='%s'/>\n", alias)
	}
	b.WriteString("</interface>")
	return b.String()
}

func on(network, mac, alias string) string {
	return iface("network", mac, "network='"+network+"'", alias)
}

func onBridge(bridge, mac, alias string) string {
	return iface("bridge", mac, "bridge='"+bridge+"'", alias)
}

// running is an observation of a running guest with this document.
func running(kind string, id int, mark string, nics ...string) DomainSeen {
	return DomainSeen{
		Conn: "qemu:///system", NetworkConn: "net:///", UUID: guestUUID, Name: "g1",
		Running: true, ID: id, Live: guestDoc(kind, id, mark, nics...), Cause: CauseEvent, Daemon: "first",
	}
}

func qemu(id int, mark string, nics ...string) DomainSeen { return running("qemu", id, mark, nics...) }

// stopped is an observation of a guest that does not run; a transient one has no name
// any more.
func stopped() DomainSeen {
	return DomainSeen{Conn: "qemu:///system", NetworkConn: "net:///", UUID: guestUUID, ID: -1, Cause: CauseEvent}
}

func but(seen DomainSeen, change func(*DomainSeen)) DomainSeen {
	change(&seen)
	return seen
}

func removed(seen DomainSeen, aliases ...string) DomainSeen {
	seen.Removed = aliases
	return seen
}

func replug(seen DomainSeen) DomainSeen {
	seen.Daemon = "restarted"
	return seen
}

func inactive(seen DomainSeen, nics ...string) DomainSeen {
	seen.Inactive = strings.Replace(guestDoc("qemu", 0, "inactive", nics...), " id='0'", "", 1)
	return seen
}

// docs gives every network a document that names it; those of forward mode bridge are
// on br0.
func docs(network string) (string, string) {
	forward := ""
	switch {
	case strings.HasPrefix(network, "bridge"):
		forward = "  <forward mode='bridge'/>\n  <bridge name='br0'/>\n"
	case network == "hostdev" || network == "vepa" || network == "passthrough":
		forward = "  <forward mode='" + network + "'/>\n"
	}
	return "<network>\n  <name>" + network + "</name>\n" + forward + "</network>\n", ""
}

// told is what a call says, short: operation, network, MAC, alias, the guest's id, and the
// mark of the guest's document.
func told(calls []Call) []string {
	var lines []string
	for _, c := range calls {
		_, mark, _ := strings.Cut(c.Documents.Domain, "<title>")
		mark, _, _ = strings.Cut(mark, "</title>")
		line := fmt.Sprintf("%s %s %s %s #%d %s", c.Op, c.Network, c.NIC.MAC, c.NIC.Alias, c.Domain.ID, mark)
		if c.Inexact != "" {
			line += " (" + c.Inexact + ")"
		}
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

type look struct {
	seen DomainSeen
	want []string
}

func TestDomainLook(t *testing.T) {
	for _, c := range []struct {
		name  string
		looks []look
	}{
		{"boot, stop", []look{
			{stopped(), nil},
			{qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m2", "net1"), on("neta", "m3", "net2")),
				[]string{"plugged neta m1 net0 #1 v1", "plugged netb m2 net1 #1 v1", "plugged neta m3 net2 #1 v1"}},
			{stopped(), []string{"unplugged neta m1 net0 #1 v1", "unplugged netb m2 net1 #1 v1", "unplugged neta m3 net2 #1 v1"}},
			{stopped(), nil},
		}},
		{"the document's order, not the aliases'", []look{
			{qemu(1, "v1", on("netb", "m2", "net1"), on("neta", "m1", "net0")),
				[]string{"plugged netb m2 net1 #1 v1", "plugged neta m1 net0 #1 v1"}},
		}},
		{"two interfaces with one MAC", []look{
			{qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m1", "net1")),
				[]string{"plugged neta m1 net0 #1 v1", "plugged netb m1 net1 #1 v1"}},
			{qemu(1, "v2", on("netb", "m1", "net1")), []string{"unplugged neta m1 net0 #1 v2"}},
			{qemu(1, "v3", on("netb", "m1", "net1"), on("netb", "m1", "net2")), []string{"plugged netb m1 net2 #1 v3"}},
			{qemu(1, "v4", on("netb", "m1", "net2")), []string{"unplugged netb m1 net1 #1 v4"}},
			{stopped(), []string{"unplugged netb m1 net2 #1 v4"}},
		}},
		{"two interfaces with one MAC and no alias", []look{
			{running("test", 1, "v1", on("neta", "m1", ""), on("netb", "m1", "")),
				[]string{"plugged neta m1 #1 v1", "plugged netb m1 #1 v1"}},
			{running("test", 1, "v2", on("netb", "m1", "")), []string{"unplugged neta m1 #1 v2"}},
		}},
		{"no MAC", []look{
			{running("test", 1, "v1", on("neta", "", ""), on("neta", "", ""), on("netb", "", "")),
				[]string{"plugged neta #1 v1", "plugged neta #1 v1", "plugged netb #1 v1"}},
			{running("test", 1, "v2", on("neta", "", ""), on("netb", "", "")), []string{"unplugged neta #1 v2"}},
			{stopped(), []string{"unplugged neta #1 v2", "unplugged netb #1 v2"}},
		}},
		{"save and restore, migration: another run has another id", []look{
			{qemu(4, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #4 v1"}},
			{stopped(), []string{"unplugged neta m1 net0 #4 v1"}},
			{qemu(5, "v2", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #5 v2"}},
		}},
		{"suspend, resume, reset, reboot: no call", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{qemu(1, "v2", on("neta", "m1", "net0")), nil},
		}},
		{"restarted while nobody watched, reconfigured on the way", []look{
			{qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m2", "net1")),
				[]string{"plugged neta m1 net0 #1 v1", "plugged netb m2 net1 #1 v1"}},
			{qemu(9, "v2", on("netb", "m1", "net0")),
				[]string{"unplugged neta m1 net0 #1 v1", "unplugged netb m2 net1 #1 v1", "plugged netb m1 net0 #9 v2"}},
		}},
		{"LXC reboot from inside: only the id tells", []look{
			{running("lxc", 700, "v1", on("neta", "m1", "")), []string{"plugged neta m1 #700 v1"}},
			{running("lxc", 901, "v2", on("neta", "m1", "")), []string{"unplugged neta m1 #700 v1", "plugged neta m1 #901 v2"}},
		}},
		{"hot-plug and hot-unplug, QEMU: the document has lost the interface by then", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{qemu(1, "v2", on("neta", "m1", "net0"), on("neta", "m2", "net1")), []string{"plugged neta m2 net1 #1 v2"}},
			{removed(qemu(1, "v3", on("neta", "m1", "net0")), "net1"), []string{"unplugged neta m2 net1 #1 v3"}},
		}},
		{"hot-unplug, LXC: the document still lists it", []look{
			{running("lxc", 700, "v1", on("neta", "m1", ""), on("netb", "m2", "")),
				[]string{"plugged neta m1 #700 v1", "plugged netb m2 #700 v1"}},
			{running("lxc", 700, "v2", on("neta", "m1", "")), []string{"unplugged netb m2 #700 v1"}},
			{stopped(), []string{"unplugged neta m1 #700 v2"}},
		}},
		{"removed, the document was read a moment too early", []look{
			{qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m2", "net1")),
				[]string{"plugged neta m1 net0 #1 v1", "plugged netb m2 net1 #1 v1"}},
			{removed(qemu(1, "v2", on("neta", "m1", "net0"), on("netb", "m2", "net1")), "net1"), []string{"unplugged netb m2 net1 #1 v2"}},
			{removed(qemu(1, "v2", on("neta", "m1", "net0"), on("netb", "m2", "net1")), "net1"), nil},
			{qemu(1, "v3", on("neta", "m1", "net0")), nil},
			{stopped(), []string{"unplugged neta m1 net0 #1 v3"}},
		}},
		{"removed, a passed-through device", []look{
			{qemu(1, "v1", iface("hostdev", "m1", "network='hostdev'", "hostdev0"), on("neta", "m2", "net1")),
				[]string{"plugged hostdev m1 hostdev0 #1 v1", "plugged neta m2 net1 #1 v1"}},
			{removed(qemu(1, "v2", iface("hostdev", "m1", "network='hostdev'", "hostdev0"), on("neta", "m2", "net1")), "hostdev0"),
				[]string{"unplugged hostdev m1 hostdev0 #1 v2"}},
		}},
		{"removed, by an alias that nobody has: the document has the word", []look{
			{qemu(1, "v1", iface("hostdev", "m1", "network='hostdev'", "net0"), on("neta", "m2", "net1")),
				[]string{"plugged hostdev m1 net0 #1 v1", "plugged neta m2 net1 #1 v1"}},
			{removed(qemu(1, "v1", iface("hostdev", "m1", "network='hostdev'", "net0"), on("neta", "m2", "net1")), "hostdev0", "virtio-disk1"), nil},
			{removed(qemu(1, "v2", on("neta", "m2", "net1")), "hostdev0"), []string{"unplugged hostdev m1 net0 #1 v2"}},
		}},
		{"attached and removed before it was seen: not at all", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{removed(qemu(1, "v2", on("neta", "m1", "net0"), on("neta", "m2", "net1")), "net1"), nil},
		}},
		{"removed, and another one added that got the alias", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{removed(qemu(1, "v2", on("neta", "m9", "net0")), "net0"), []string{"unplugged neta m1 net0 #1 v2", "plugged neta m9 net0 #1 v2"}},
			{stopped(), []string{"unplugged neta m9 net0 #1 v2"}},
		}},
		{"removed, and the same one added again, in two looks", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{removed(qemu(1, "v2", on("neta", "m1", "net0")), "net0"), []string{"unplugged neta m1 net0 #1 v2"}},
			{qemu(1, "v3", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v3"}},
		}},
		{"replaced unseen: the alias is another one", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{qemu(1, "v2", on("neta", "m1", "net1")), []string{"unplugged neta m1 net0 #1 v2", "plugged neta m1 net1 #1 v2"}},
			{qemu(1, "v3", on("netb", "m1", "net2")), []string{"unplugged neta m1 net1 #1 v3", "plugged netb m1 net2 #1 v3"}},
		}},
		{
			// native-hooks.md 2.5: in both calls the domain still lists the old interface.
			"device update from A to B", []look{
				{qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m2", "net1")),
					[]string{"plugged neta m1 net0 #1 v1", "plugged netb m2 net1 #1 v1"}},
				{qemu(1, "v2", on("netb", "m1", "net0"), on("netb", "m2", "net1")),
					[]string{"plugged netb m1 net0 #1 v1", "unplugged neta m1 net0 #1 v1"}},
				{stopped(), []string{"unplugged netb m1 net0 #1 v2", "unplugged netb m2 net1 #1 v2"}},
			},
		},
		{"device update of a guest without aliases", []look{
			{running("xen", 1, "v1", on("neta", "m1", "")), []string{"plugged neta m1 #1 v1"}},
			{running("xen", 1, "v2", on("netb", "m1", "")), []string{"plugged netb m1 #1 v1", "unplugged neta m1 #1 v1"}},
		}},
		{"device update from a network to a plain bridge and back", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{qemu(1, "v2", onBridge("br0", "m1", "net0")), []string{"unplugged neta m1 net0 #1 v1"}},
			{qemu(1, "v3", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v2"}},
		}},
		{"from a network of forward mode bridge to its bridge", []look{
			{qemu(1, "v1", iface("bridge", "m1", "network='bridge' bridge='br0'", "net0")), []string{"plugged bridge m1 net0 #1 v1"}},
			{qemu(1, "v2", onBridge("br0", "m1", "net0")), []string{"unplugged bridge m1 net0 #1 v1"}},
		}},
		{"link state, bandwidth, portgroup: another text, the same place", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{qemu(1, "v2", strings.Replace(on("neta", "m1", "net0"), "  <alias", "  <link state='down'/>\n  <alias", 1)), nil},
			{qemu(1, "v3", iface("network", "m1", "network='neta' portgroup='web'", "net0")), nil},
			{stopped(), []string{"unplugged neta m1 net0 #1 v3"}},
		}},
		{"several changes at once: first what went, then what moved, then what came", []look{
			{qemu(1, "v1", on("neta", "m1", "net0"), on("neta", "m2", "net1")),
				[]string{"plugged neta m1 net0 #1 v1", "plugged neta m2 net1 #1 v1"}},
			{qemu(1, "v2", on("netb", "m2", "net1"), on("neta", "m3", "net2")),
				[]string{"unplugged neta m1 net0 #1 v2", "plugged netb m2 net1 #1 v1", "unplugged neta m2 net1 #1 v1", "plugged neta m3 net2 #1 v2"}},
		}},
		{"interfaces that are on no network", []look{
			{qemu(1, "v1", onBridge("br0", "m1", "net0"), iface("user", "m2", "x='y'", "net1"), iface("direct", "m3", "dev='eth0' mode='vepa'", "net2")), nil},
			{stopped(), nil},
		}},
		{"libvirtd restarted, QEMU: plugged again, not unplugged", []look{
			{qemu(1, "v1", on("neta", "m1", "net0"), onBridge("br0", "m2", "net1"), on("netb", "m3", "net2")),
				[]string{"plugged neta m1 net0 #1 v1", "plugged netb m3 net2 #1 v1"}},
			{replug(qemu(1, "v2", on("neta", "m1", "net0"), onBridge("br0", "m2", "net1"), on("netb", "m3", "net2"))),
				[]string{"plugged neta m1 net0 #1 v2", "plugged netb m3 net2 #1 v2"}},
			{stopped(), []string{"unplugged neta m1 net0 #1 v2", "unplugged netb m3 net2 #1 v2"}},
		}},
		{"libvirtd restarted, QEMU, and changes meanwhile: each interface plugged once", []look{
			{qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m2", "net1"), on("neta", "m3", "net2")),
				[]string{"plugged neta m1 net0 #1 v1", "plugged netb m2 net1 #1 v1", "plugged neta m3 net2 #1 v1"}},
			{replug(qemu(1, "v2", on("neta", "m1", "net0"), on("neta", "m2", "net1"), on("neta", "m4", "net3"))),
				[]string{"unplugged neta m3 net2 #1 v2", "plugged neta m2 net1 #1 v1", "unplugged netb m2 net1 #1 v1", "plugged neta m4 net3 #1 v2", "plugged neta m1 net0 #1 v2"}},
		}},
		{"libvirtd restarted, and the guest with it", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{replug(qemu(2, "v2", on("neta", "m1", "net0"))), []string{"unplugged neta m1 net0 #1 v1", "plugged neta m1 net0 #2 v2"}},
		}},
		{"libvirtd restarted, and the guest has died: no plugged before", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{replug(stopped()), []string{"unplugged neta m1 net0 #1 v1"}},
		}},
		{"libvirtd restarted, LXC: nothing", []look{
			{running("lxc", 700, "v1", on("neta", "m1", "")), []string{"plugged neta m1 #700 v1"}},
			{replug(running("lxc", 700, "v2", on("neta", "m1", ""))), nil},
			{stopped(), []string{"unplugged neta m1 #700 v2"}},
		}},
		{"other domain types", []look{
			{running("kvm", 1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{running("kvm", 1, "v2"), []string{"unplugged neta m1 net0 #1 v2"}},
			{running("xen", 2, "v3", on("neta", "m1", "")), []string{"plugged neta m1 #2 v3"}},
			{running("test", 3, "v4", on("neta", "m1", "")), []string{"unplugged neta m1 #2 v3", "plugged neta m1 #3 v4"}},
		}},
		{"a guest without interfaces", []look{
			{qemu(1, "v1"), nil}, {qemu(2, "v2"), nil}, {stopped(), nil},
		}},
		{"a substitute for a document that came too late says so, at the end as well", []look{
			{but(qemu(1, "v1", on("neta", "m1", "net0")), func(s *DomainSeen) { s.Inexact = "read too late" }),
				[]string{"plugged neta m1 net0 #1 v1 (read too late)"}},
			{stopped(), []string{"unplugged neta m1 net0 #1 v1 (read too late)"}},
		}},
		{"the last run's documents are exact though the new run's is not", []look{
			{qemu(1, "v1", on("neta", "m1", "net0")), []string{"plugged neta m1 net0 #1 v1"}},
			{but(qemu(2, "v2", on("neta", "m1", "net0")), func(s *DomainSeen) { s.Inexact = "read too late" }),
				[]string{"unplugged neta m1 net0 #1 v1", "plugged neta m1 net0 #2 v2 (read too late)"}},
			{qemu(2, "v3", on("neta", "m1", "net0")), nil},
			{stopped(), []string{"unplugged neta m1 net0 #2 v3"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var record *Domain
			for i, l := range c.looks {
				before := copyOf(record)
				now, calls, err := record.Look(l.seen, docs)
				if err != nil {
					t.Errorf("look %d: %v", i, err)
				}
				if d := cmp.Diff(l.want, told(calls)); d != "" {
					t.Errorf("look %d: -want +got\n%s", i, d)
				}
				if d := cmp.Diff(before, record); d != "" {
					t.Errorf("look %d: the old record was changed: %s", i, d)
				}
				if again := l.seen; len(again.Removed) == 0 {
					if _, calls, _ := now.Look(again, docs); len(calls) != 0 {
						t.Errorf("look %d, seen again: %v", i, told(calls))
					}
				}
				record = now
			}
		})
	}
}

// TestDomainCall: what else a call carries.
func TestDomainCall(t *testing.T) {
	seen := qemu(3, "v1", on("neta", "m1", "net0"))
	record, calls, err := (*Domain)(nil).Look(seen, docs)
	if err != nil {
		t.Fatal(err)
	}
	network, _ := docs("neta")
	want := []Call{{
		Op: OpPlugged, Cause: CauseEvent, Conn: "net:///", Network: "neta",
		Domain:    &DomainRef{Conn: "qemu:///system", Name: "g1", UUID: guestUUID, ID: 3},
		NIC:       &NICRef{MAC: "m1", Alias: "net0"},
		Documents: Documents{Interface: record.NICs[0], Network: network, Domain: seen.Live},
		Undo:      Undo{Not: "it is not known whether the guest was booted"},
	}}
	if d := cmp.Diff(want, calls); d != "" {
		t.Error(d)
	}
	if n := record.NICs[0]; !strings.Contains(seen.Live, n.Text) || n.Indent != 4 {
		t.Errorf("%+v", n)
	}
}

// TestDomainUpdateDocuments: plugged carries the new interface, unplugged the old one,
// both the domain as it was.
func TestDomainUpdateDocuments(t *testing.T) {
	before, after := qemu(1, "v1", on("neta", "m1", "net0")), qemu(1, "v2", on("netb", "m1", "net0"))
	record, _, _ := (*Domain)(nil).Look(before, docs)
	_, calls, _ := record.Look(after, docs)
	if len(calls) != 2 {
		t.Fatal(told(calls))
	}
	for i, network := range []string{"netb", "neta"} {
		text, _ := docs(network)
		d := calls[i].Documents
		if !strings.Contains(d.Interface.Text, "network='"+network+"'") || d.Network != text || d.Domain != before.Live {
			t.Errorf("%s: %+v", calls[i].Op, d)
		}
	}
}

func TestDomainRenamed(t *testing.T) {
	record, _, _ := (*Domain)(nil).Look(qemu(1, "v1", on("neta", "m1", "net0")), docs)
	renamed := but(qemu(1, "v2", on("neta", "m1", "net0")), func(s *DomainSeen) { s.Name = "g2" })
	record, calls, _ := record.Look(renamed, docs)
	if len(calls) != 0 || record.Name != "g2" {
		t.Errorf("%s: %v", record.Name, told(calls))
	}
	_, calls, _ = record.Look(stopped(), docs)
	if len(calls) != 1 || calls[0].Domain.Name != "g2" {
		t.Errorf("%+v", calls)
	}
}

// TestDomainBelowStoppedNetwork: 1.2.2 calls unplugged for a guest that ends after its
// network did, with what the network has for a document then (native-hooks.md 10).
func TestDomainBelowStoppedNetwork(t *testing.T) {
	var count PlugCount
	network, calls := (*Network)(nil).Look(up("1"))
	guest, more, _ := (*Domain)(nil).Look(but(qemu(1, "v1", on("neta", "m1", "net0"), on("neta", "m2", "net1")),
		func(s *DomainSeen) { s.NetworkConn = "qemu:///system" }), docs)
	calls = append(calls, more...)
	_, more = network.Look(down())
	calls = append(calls, more...)
	_, more, _ = guest.Look(but(stopped(), func(s *DomainSeen) { s.NetworkConn = "qemu:///system" }),
		func(string) (string, string) { return netDoc("inactive"), "" })
	calls = append(calls, more...)
	var got []string
	for _, c := range calls {
		got = append(got, fmt.Sprintf("%s %d", c.Op, count.Of(c)))
	}
	want := []string{"start 0", "started 0", "plugged 1", "plugged 2", "stopped 2", "unplugged 0", "unplugged 0"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if calls[5].Documents.Network != netDoc("inactive") || calls[5].Documents.Domain == "" {
		t.Errorf("%+v", calls[5].Documents)
	}
}

// TestDomainInexactNetwork: both substitutes are named.
func TestDomainInexactNetwork(t *testing.T) {
	gone := func(string) (string, string) { return "", "network gone" }
	_, calls, _ := (*Domain)(nil).Look(but(qemu(1, "v1", on("neta", "m1", "net0")), func(s *DomainSeen) { s.Inexact = "read too late" }), gone)
	if want := []string{"plugged neta m1 net0 #1 v1 (network gone; read too late)"}; !cmp.Equal(want, told(calls)) {
		t.Error(told(calls))
	}
}

// TestDomainUnreadable: a live document that cannot be read to its end says nothing about
// what was announced before.
func TestDomainUnreadable(t *testing.T) {
	const standIn = "(the guest's live document could not be read; this is the last one that could)"
	good := qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m2", "net1"))
	bad := but(qemu(1, "v2", on("neta", "m1", "net0")), func(s *DomainSeen) { s.Live = strings.TrimSuffix(s.Live, "</devices>\n</domain>\n") })
	empty := but(bad, func(s *DomainSeen) { s.Live = "" })
	for _, c := range []struct {
		name string
		seen DomainSeen
		want []string
		stop []string
	}{
		{"cut short", bad, nil, []string{"unplugged neta m1 net0 #1 v1 " + standIn, "unplugged netb m2 net1 #1 v1 " + standIn}},
		{"empty", empty, nil, []string{"unplugged neta m1 net0 #1 v1 " + standIn, "unplugged netb m2 net1 #1 v1 " + standIn}},
		{"and an interface was removed", removed(bad, "net1"),
			[]string{"unplugged netb m2 net1 #1 v1 " + standIn},
			[]string{"unplugged neta m1 net0 #1 v1 " + standIn}},
		{"and libvirtd was restarted", replug(bad),
			[]string{"plugged neta m1 net0 #1 v1 " + standIn, "plugged netb m2 net1 #1 v1 " + standIn},
			[]string{"unplugged neta m1 net0 #1 v1 " + standIn, "unplugged netb m2 net1 #1 v1 " + standIn}},
		{"and it is another run: what could be read", but(bad, func(s *DomainSeen) { s.ID = 2 }),
			[]string{"unplugged neta m1 net0 #1 v1", "unplugged netb m2 net1 #1 v1", "plugged neta m1 net0 #2 v2"},
			[]string{"unplugged neta m1 net0 #2 v2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			record, _, _ := (*Domain)(nil).Look(good, docs)
			record, calls, err := record.Look(c.seen, docs)
			if err == nil {
				t.Error("no error")
			}
			if d := cmp.Diff(c.want, told(calls)); d != "" {
				t.Error(d)
			}
			_, calls, _ = record.Look(stopped(), docs)
			if d := cmp.Diff(c.stop, told(calls)); d != "" {
				t.Errorf("at stop: %s", d)
			}
			if c.seen.ID == 1 && len(c.seen.Removed) == 0 {
				record, calls, err = record.Look(but(good, func(s *DomainSeen) { s.Live, s.Daemon = strings.ReplaceAll(s.Live, "v1", "v9"), c.seen.Daemon }), docs)
				if err != nil || len(calls) != 0 {
					t.Errorf("readable again: %v %v", told(calls), err)
				}
				if _, calls, _ = record.Look(stopped(), docs); len(calls) != 2 || calls[0].Inexact != "" {
					t.Errorf("readable again, at stop: %v", told(calls))
				}
			}
		})
	}
	// Never announced: what could be read is, the rest when it can be.
	record, calls, err := (*Domain)(nil).Look(bad, docs)
	if want := []string{"plugged neta m1 net0 #1 v2"}; err == nil || !cmp.Equal(want, told(calls)) {
		t.Errorf("first look: %v %v", told(calls), err)
	}
	_, calls, _ = record.Look(good, docs)
	if want := []string{"plugged netb m2 net1 #1 v1"}; !cmp.Equal(want, told(calls)) {
		t.Errorf("second look: %v", told(calls))
	}
}

func BenchmarkDomainLook(b *testing.B) {
	nics := []string{on("neta", "52:54:00:0d:01:01", "net0"), on("netb", "52:54:00:0d:01:02", "net1"), on("netc", "52:54:00:0d:01:03", "net2"), on("neta", "52:54:00:0d:01:04", "net3")}
	// A document of some 8 KiB, which is what a guest with disks and a console has.
	filler := strings.Repeat("<disk type='file' device='disk'>\n  <driver name='qemu' type='qcow2' cache='none'/>\n  <source file='/var/lib/libvirt/images/guest.qcow2'/>\n  <target dev='vda' bus='virtio'/>\n  <alias name='virtio-disk0'/>\n  <address type='pci' domain='0x0000' bus='0x00' slot='0x06' function='0x0'/>\n</disk>\n", 20)
	seen := qemu(1, "v1", append(nics, filler)...)
	hidden := inactive(qemu(1, "v1", append([]string{nics[0], nics[1], onBridge("br0", "52:54:00:0d:01:03", "net2"), nics[3]}, filler)...),
		nics[0], nics[1], on("bridge", "52:54:00:0d:01:03", ""), nics[3])
	running, _, err := (*Domain)(nil).Look(seen, docs)
	if err != nil {
		b.Fatal(err)
	}
	runningHidden, _, _ := (*Domain)(nil).Look(hidden, docs)
	moved := seen
	moved.Live = strings.Replace(moved.Live, "network='netb'", "network='netc'", 1)
	for _, c := range []struct {
		name string
		was  *Domain
		seen DomainSeen
	}{
		{"boot", nil, seen},
		{"unchanged", running, seen},
		{"unchanged-1.2.2", runningHidden, hidden},
		{"update", running, moved},
		{"stop", running, stopped()},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.seen.Live)))
			for b.Loop() {
				if _, _, err := c.was.Look(c.seen, docs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
