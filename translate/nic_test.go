package translate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLiveForms: how live documents show an interface, by the forward mode of its network
// and by the version (native-hooks.md 2.4; 7d5bf4847 in 1.2.2, a36091217 in 1.2.11,
// 89d26890e in 1.2.13). Up to 1.2.1 all modes look the same.
func TestLiveForms(t *testing.T) {
	const pci = "><address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/></source"
	inPool := func(source string) string {
		return strings.Replace(iface("hostdev", "m1", source, "hostdev0"), "/>\n  <alias", ">\n  <alias", 1)
	}
	for _, c := range []struct {
		name     string
		live     string
		inactive string // "" where the daemon hides nothing
		network  string // "" for none
		group    string
	}{
		{"≤ 1.2.1, any mode", on("neta", "m1", "net0"), "", "neta", ""},
		{"≤ 1.2.1, portgroup", iface("network", "m1", "network='neta' portgroup='web'", "net0"), "", "neta", "web"},
		{"1.2.2, nat, route, open, none", on("neta", "m1", "net0"), on("neta", "m1", ""), "neta", ""},
		{"1.2.2, nat with portgroup, which the live document lacks", on("neta", "m1", "net0"), iface("network", "m1", "network='neta' portgroup='web'", ""), "neta", ""},
		{"1.2.2, bridge", onBridge("br0", "m1", "net0"), on("bridge", "m1", ""), "bridge", ""},
		{"1.2.2, bridge with portgroup", onBridge("br0", "m1", "net0"), iface("network", "m1", "network='bridge' portgroup='web'", ""), "bridge", "web"},
		{"1.2.2, direct", iface("direct", "m1", "dev='eth0' mode='vepa'", "net0"), on("vepa", "m1", ""), "vepa", ""},
		{"1.2.2, passthrough", iface("direct", "m1", "dev='eth0' mode='passthrough'", "net0"), on("passthrough", "m1", ""), "passthrough", ""},
		{"1.2.2, hostdev", inPool(pci), on("hostdev", "m1", ""), "hostdev", ""},
		{"1.2.2, openvswitch", strings.Replace(onBridge("br0", "m1", "net0"), "  <alias", "  <virtualport type='openvswitch'>\n    <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>\n  </virtualport>\n  <alias", 1),
			on("bridge", "m1", ""), "bridge", ""},
		{"1.2.2, a plain bridge", onBridge("br0", "m1", "net0"), onBridge("br0", "m1", ""), "", ""},
		{"1.2.2, a plain bridge that is a network's", onBridge("virbr0", "m1", "net0"), onBridge("virbr0", "m1", ""), "", ""},
		{"1.2.2, macvtap of no network", iface("direct", "m1", "dev='eth0' mode='bridge'", "net0"), iface("direct", "m1", "dev='eth0' mode='bridge'", ""), "", ""},
		{"1.2.2, not in the inactive document: plugged in live only", onBridge("br0", "m1", "net0"), onBridge("br0", "m9", ""), "", ""},
		{"1.2.2, an inactive document that has moved to a NAT network meanwhile", onBridge("br0", "m1", "net0"), on("neta", "m1", ""), "", ""},
		{"1.2.2, to one on another bridge", onBridge("br7", "m1", "net0"), on("bridge", "m1", ""), "", ""},
		{"1.2.2, a macvtap, to one with a bridge", iface("direct", "m1", "dev='eth0'", "net0"), on("neta", "m1", ""), "", ""},
		{"1.2.2, a passed-through device, to one with macvtaps", inPool(pci), on("vepa", "m1", ""), "", ""},
		{"1.2.11, nat", iface("network", "m1", "network='neta' bridge='virbr0'", "net0"), "", "neta", ""},
		{"1.2.11, bridge", iface("bridge", "m1", "network='bridge' bridge='br0'", "net0"), "", "bridge", ""},
		{"1.2.11, direct", iface("direct", "m1", "network='vepa' dev='eth0' mode='vepa'", "net0"), "", "vepa", ""},
		{"1.2.11, hostdev", inPool("network='hostdev'" + pci), "", "hostdev", ""},
		{"1.2.13, portgroup", iface("bridge", "m1", "network='bridge' portgroup='web' bridge='br0'", "net0"), "", "bridge", "web"},
		{"5.5, port", iface("bridge", "m1", "network='bridge' portid='49bafd1e-0b4f-4bd4-bea1-e3e7c1eefe0c' bridge='br0'", "net0"), "", "bridge", ""},
		{"a user's own network", iface("user", "m1", "network='neta'", "net0"), "", "neta", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := qemu(1, "v1", c.live)
			if c.inactive != "" {
				seen = inactive(seen, c.inactive)
			}
			record, calls, err := (*Domain)(nil).Look(seen, docs)
			if err != nil {
				t.Fatal(err)
			}
			if len(record.NICs) != 1 || record.NICs[0].Network != c.network || record.NICs[0].Portgroup != c.group {
				t.Errorf("%+v", record.NICs)
			}
			if (len(calls) == 1) != (c.network != "") {
				t.Errorf("calls: %v", told(calls))
			}
			if _, calls, _ = record.Look(seen, docs); len(calls) != 0 {
				t.Errorf("seen again: %v", told(calls))
			}
			_, calls, _ = record.Look(stopped(), docs)
			if (len(calls) == 1) != (c.network != "") || len(calls) == 1 && calls[0].Network != c.network {
				t.Errorf("at stop: %v", told(calls))
			}
		})
	}
}

// statusFile is the guest's file in libvirtd's run directory: the configured form of its
// interfaces, with what each has become inside.
func statusFile(nics ...string) string {
	return "<domstatus state='running'>\n" + guestDoc("qemu", 1, "status", nics...) + "</domstatus>\n"
}

func withActual(nic, actual string) string {
	return strings.Replace(nic, "  <alias", "  "+actual+"\n  <alias", 1)
}

// TestHiddenNetwork: what libvirt 1.2.2 to 1.2.10 hide, over several looks.
func TestHiddenNetwork(t *testing.T) {
	var (
		bridged  = onBridge("br0", "m1", "net0")
		attached = onBridge("br0", "m2", "net1")
		asBridge = "<actual type='bridge'>\n    <source bridge='br0'/>\n  </actual>"
		status   = func(seen DomainSeen, nics ...string) DomainSeen {
			seen.Inactive = statusFile(nics...)
			return seen
		}
	)
	for _, c := range []struct {
		name  string
		looks []look
	}{
		{"the inactive document was edited: what was announced holds", []look{
			{inactive(qemu(1, "v1", bridged), on("bridge", "m1", "")), []string{"plugged bridge m1 net0 #1 v1"}},
			{inactive(qemu(1, "v2", bridged), on("bridge2", "m1", "")), nil},
			{inactive(qemu(1, "v3", bridged)), nil},
			{qemu(1, "v4", bridged), nil},
			{stopped(), []string{"unplugged bridge m1 net0 #1 v4"}},
			// The next run is what the edit said.
			{inactive(qemu(2, "v5", bridged), on("bridge2", "m1", "")), []string{"plugged bridge2 m1 net0 #2 v5"}},
		}},
		{"the edit put a plain bridge on a network of that bridge", []look{
			{inactive(qemu(1, "v1", bridged), onBridge("br0", "m1", "")), nil},
			{inactive(qemu(1, "v2", bridged), on("bridge", "m1", "")), nil},
		}},
		{"hot-plugged, which the inactive document does not know but the status file does", []look{
			{status(qemu(1, "v1", bridged), withActual(on("bridge", "m1", "net0"), asBridge)), []string{"plugged bridge m1 net0 #1 v1"}},
			{status(qemu(1, "v2", bridged, attached), withActual(on("bridge", "m1", "net0"), asBridge), withActual(on("bridge2", "m2", "net1"), asBridge)),
				[]string{"plugged bridge2 m2 net1 #1 v2"}},
			{removed(status(qemu(1, "v3", bridged), withActual(on("bridge", "m1", "net0"), asBridge)), "net1"), []string{"unplugged bridge2 m2 net1 #1 v3"}},
		}},
		{"moved to another network on the same bridge: only the status file shows it", []look{
			{status(qemu(1, "v1", bridged), withActual(on("bridge", "m1", "net0"), asBridge)), []string{"plugged bridge m1 net0 #1 v1"}},
			{status(qemu(1, "v1", bridged), withActual(on("bridge2", "m1", "net0"), asBridge)),
				[]string{"plugged bridge2 m1 net0 #1 v1", "unplugged bridge m1 net0 #1 v1"}},
		}},
		{"moved to a NAT network and back", []look{
			{inactive(qemu(1, "v1", bridged), on("bridge", "m1", "")), []string{"plugged bridge m1 net0 #1 v1"}},
			{inactive(qemu(1, "v2", on("neta", "m1", "net0")), on("bridge", "m1", "")), []string{"plugged neta m1 net0 #1 v1", "unplugged bridge m1 net0 #1 v1"}},
			{inactive(qemu(1, "v3", bridged), on("bridge", "m1", "")), []string{"plugged bridge m1 net0 #1 v2", "unplugged neta m1 net0 #1 v2"}},
		}},
		{"moved to a plain bridge elsewhere", []look{
			{inactive(qemu(1, "v1", bridged), on("bridge", "m1", "")), []string{"plugged bridge m1 net0 #1 v1"}},
			{inactive(qemu(1, "v2", onBridge("br7", "m1", "net0")), on("bridge", "m1", "")), []string{"unplugged bridge m1 net0 #1 v1"}},
		}},
		{"libvirtd restarted", []look{
			{inactive(qemu(1, "v1", bridged), on("bridge", "m1", "")), []string{"plugged bridge m1 net0 #1 v1"}},
			{replug(inactive(qemu(1, "v2", bridged), on("bridge", "m1", ""))), []string{"plugged bridge m1 net0 #1 v2"}},
		}},
		{"libvirtd upgraded to 1.2.11: the name comes back, nothing has happened", []look{
			{inactive(qemu(1, "v1", bridged), on("bridge", "m1", "")), []string{"plugged bridge m1 net0 #1 v1"}},
			{qemu(1, "v2", iface("bridge", "m1", "network='bridge' bridge='br0'", "net0")), nil},
		}},
		{"an inactive document that cannot be read to its end", []look{
			{but(qemu(1, "v1", bridged), func(s *DomainSeen) {
				s.Inactive = strings.TrimSuffix(statusFile(withActual(on("bridge", "m1", "net0"), asBridge)), "</domstatus>\n")
			}), []string{"plugged bridge m1 net0 #1 v1"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var record *Domain
			for i, l := range c.looks {
				now, calls, err := record.Look(l.seen, docs)
				if err != nil {
					t.Error(err)
				}
				if d := cmp.Diff(l.want, told(calls)); d != "" {
					t.Errorf("look %d: -want +got\n%s", i, d)
				}
				record = now
			}
		})
	}
}

// TestHiddenNetworkGone: the minimal document of a network that is gone cannot tell that
// an interface was not on it.
func TestHiddenNetworkGone(t *testing.T) {
	gone := func(network string) (string, string) {
		return "<network>\n  <name>" + network + "</name>\n</network>\n", "gone"
	}
	_, calls, _ := (*Domain)(nil).Look(inactive(qemu(1, "v1", onBridge("br0", "m1", "net0")), on("bridge", "m1", "")), gone)
	if len(calls) != 1 {
		t.Error(told(calls))
	}
}

func TestMatch(t *testing.T) {
	nic := func(mac, network, alias string) Interface {
		return Interface{MAC: mac, Network: network, Alias: alias}
	}
	for _, c := range []struct {
		name     string
		was, now []Interface
		removed  []string
		want     []string
	}{
		{"nothing", nil, nil, nil, nil},
		{"by alias, though the order changed",
			[]Interface{nic("m", "a", "net0"), nic("m", "a", "net1")}, []Interface{nic("m", "a", "net1"), nic("m", "a", "net0")}, nil,
			[]string{"0-1", "1-0"}},
		{"by network where MACs are equal", []Interface{nic("m", "a", ""), nic("m", "b", "")}, []Interface{nic("m", "b", ""), nic("m", "c", "")}, nil,
			[]string{"0-1", "1-0"}},
		{"aliases came with an upgrade", []Interface{nic("m", "a", "")}, []Interface{nic("m", "a", "net0")}, nil, []string{"0-0"}},
		{"another alias is another interface", []Interface{nic("m", "a", "net0")}, []Interface{nic("m", "a", "net1")}, nil, []string{"0-", "-0"}},
		{"another MAC is another interface", []Interface{nic("m", "a", "net0")}, []Interface{nic("n", "a", "net0")}, nil, []string{"0-", "-0"}},
		{"removed, still listed", []Interface{nic("m", "a", "net0")}, []Interface{nic("m", "a", "net0")}, []string{"net0"}, []string{"0-"}},
		{"removed, reused", []Interface{nic("m", "a", "net0")}, []Interface{nic("n", "a", "net0")}, []string{"net0"}, []string{"0-", "-0"}},
		{"removed, never announced", nil, []Interface{nic("n", "a", "net0")}, []string{"net0"}, nil},
		{"an empty alias is none", []Interface{nic("m", "a", "")}, []Interface{nic("m", "a", "")}, []string{""}, []string{"0-0"}},
	} {
		var got []string
		for _, m := range match(c.was, c.now, c.removed) {
			text := ""
			for i := range c.was {
				if m.was == &c.was[i] {
					text += string(rune('0' + i))
				}
			}
			text += "-"
			for j := range c.now {
				if m.now == &c.now[j] {
					text += string(rune('0' + j))
				}
			}
			got = append(got, text)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}
