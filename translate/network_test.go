package translate

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	netUUID  = "00000000-0000-4000-8000-0000000000a1"
	netUUID2 = "00000000-0000-4000-8000-0000000000a2"
)

// netDoc is a network's document of which a test can tell one from another.
func netDoc(mark string) string {
	return fmt.Sprintf("<network>\n  <name>neta</name>\n  <domain name='%s'/>\n</network>\n", mark)
}

// up is an active network as an observer finds it, its documents marked.
func up(mark string) NetworkSeen {
	return NetworkSeen{
		Conn: "qemu:///system", Name: "neta", UUID: netUUID, Active: true,
		Live: netDoc("live " + mark), Inactive: netDoc("inactive " + mark), Cause: CauseEvent,
	}
}

func down() NetworkSeen {
	return NetworkSeen{Conn: "qemu:///system", Name: "neta", UUID: netUUID, Cause: CauseEvent}
}

func with(seen NetworkSeen, change func(*NetworkSeen)) NetworkSeen {
	change(&seen)
	return seen
}

// announced is the record that a look at seen leaves.
func announced(seen NetworkSeen) *Network {
	now, _ := (*Network)(nil).Look(seen)
	return now
}

// netCalls are calls with nothing in them but what tells them apart.
func netCalls(calls ...Call) []Call {
	for i := range calls {
		calls[i].Conn, calls[i].Network = "qemu:///system", "neta"
		if calls[i].Cause == "" {
			calls[i].Cause = CauseEvent
		}
		if calls[i].Op == OpStart || calls[i].Op == OpStarted {
			calls[i].Undo = calls[i].Cause.undo(UndoNetwork)
		}
	}
	return calls
}

func netCall(op Op, doc string) Call { return Call{Op: op, Documents: Documents{Network: doc}} }

func TestNetworkLook(t *testing.T) {
	pool := func(root, dev string) string {
		return "<network" + root + ">\n  <name>neta</name>\n  <forward dev='eth0' mode='bridge'>\n    <interface dev='eth0'" + dev + "/>\n  </forward>\n</network>\n"
	}
	gone := "the network was gone before its document could be read"
	substitute := with(up("1"), func(s *NetworkSeen) { s.Inexact = gone })
	for _, c := range []struct {
		name  string
		was   *Network
		seen  NetworkSeen
		now   *Network
		calls []Call
	}{
		{"never seen, not active", nil, down(), nil, nil},
		{
			// native-hooks.md 2.3: start before, started after it is set up.
			"started", nil, up("1"),
			&Network{Conn: "qemu:///system", Name: "neta", UUID: netUUID, Live: netDoc("live 1")},
			netCalls(netCall(OpStart, netDoc("inactive 1")), netCall(OpStarted, netDoc("live 1"))),
		},
		{
			// Daemons before 0.9.10 have no inactive document of an active network.
			"started, no inactive document", nil, with(up("1"), func(s *NetworkSeen) { s.Inactive = "" }),
			&Network{Conn: "qemu:///system", Name: "neta", UUID: netUUID, Live: netDoc("live 1")},
			netCalls(netCall(OpStart, netDoc("live 1")), netCall(OpStarted, netDoc("live 1"))),
		},
		{
			// 1.2.1 to 1.2.10 send STARTED for a start that failed (fixed by 45d9ea5cdd).
			"STARTED event of a failed start", nil, down(), nil, nil,
		},
		{
			// The last live document, not the inactive one that libvirt has by then.
			"stopped", announced(up("1")), down(), nil,
			netCalls(netCall(OpStopped, netDoc("live 1"))),
		},
		{
			"a transient network stopped: no UUID to be had any more", announced(up("1")),
			NetworkSeen{Conn: "qemu:///system", Name: "neta", Cause: CauseReconcile}, nil,
			netCalls(Call{Op: OpStopped, Cause: CauseReconcile, Documents: Documents{Network: netDoc("live 1")}}),
		},
		{
			"undefined while active: it lives on", announced(up("1")), up("1"), announced(up("1")), nil,
		},
		{
			"restarted unseen, an event told so", announced(up("1")),
			with(up("2"), func(s *NetworkSeen) { s.Restarted = true }), announced(up("2")),
			netCalls(netCall(OpStopped, netDoc("live 1")), netCall(OpStart, netDoc("inactive 2")), netCall(OpStarted, netDoc("live 2"))),
		},
		{
			"restarted unseen, another generation",
			announced(with(up("1"), func(s *NetworkSeen) { s.Generation = "virbr0 #7" })),
			with(up("1"), func(s *NetworkSeen) { s.Generation = "virbr0 #9" }),
			announced(with(up("1"), func(s *NetworkSeen) { s.Generation = "virbr0 #9" })),
			netCalls(netCall(OpStopped, netDoc("live 1")), netCall(OpStart, netDoc("inactive 1")), netCall(OpStarted, netDoc("live 1"))),
		},
		{
			"the event is older than the look: same generation",
			announced(with(up("1"), func(s *NetworkSeen) { s.Generation = "virbr0 #7" })),
			with(up("1"), func(s *NetworkSeen) { s.Generation, s.Restarted = "virbr0 #7", true }),
			announced(with(up("1"), func(s *NetworkSeen) { s.Generation = "virbr0 #7" })),
			nil,
		},
		{
			"the generation is unknown for once, and remembered",
			announced(with(up("1"), func(s *NetworkSeen) { s.Generation = "virbr0 #7" })), up("1"),
			announced(with(up("1"), func(s *NetworkSeen) { s.Generation = "virbr0 #7" })),
			nil,
		},
		{
			"another network of the same name",
			announced(up("1")), with(up("2"), func(s *NetworkSeen) { s.UUID = netUUID2 }),
			announced(with(up("2"), func(s *NetworkSeen) { s.UUID = netUUID2 })),
			netCalls(netCall(OpStopped, netDoc("live 1")), netCall(OpStart, netDoc("inactive 2")), netCall(OpStarted, netDoc("live 2"))),
		},
		{
			"an unknown UUID is no other UUID",
			announced(with(up("1"), func(s *NetworkSeen) { s.UUID = "" })), up("1"), announced(up("1")), nil,
		},
		{
			"a known UUID is kept",
			announced(up("1")), with(up("1"), func(s *NetworkSeen) { s.UUID = "" }), announced(up("1")), nil,
		},
		{
			// virNetworkUpdate since 0.10.2; the operation since 2.1.0 (128a8b2c9).
			"updated", announced(up("1")), up("2"), announced(up("2")),
			netCalls(netCall(OpUpdated, netDoc("live 2"))),
		},
		{
			"edited for the next start: nothing has happened yet",
			announced(up("1")), with(up("1"), func(s *NetworkSeen) { s.Inactive = netDoc("edited") }), announced(up("1")), nil,
		},
		{
			"a guest was plugged in",
			announced(with(up(""), func(s *NetworkSeen) { s.Live = pool("", "") })),
			with(up(""), func(s *NetworkSeen) { s.Live = pool(" connections='1'", "") }),
			announced(with(up(""), func(s *NetworkSeen) { s.Live = pool(" connections='1'", "") })),
			nil,
		},
		{
			// Forward pools count for each device as well (92a830408).
			"a guest was plugged into a device of a forward pool",
			announced(with(up(""), func(s *NetworkSeen) { s.Live = pool("", "") })),
			with(up(""), func(s *NetworkSeen) { s.Live = pool(" connections='1'", " connections='1'") }),
			announced(with(up(""), func(s *NetworkSeen) { s.Live = pool(" connections='1'", " connections='1'") })),
			nil,
		},
		{
			"started and gone: a substitute says so in every call",
			nil, substitute, announced(substitute),
			netCalls(
				Call{Op: OpStart, Documents: Documents{Network: netDoc("inactive 1")}, Inexact: gone},
				Call{Op: OpStarted, Documents: Documents{Network: netDoc("live 1")}, Inexact: gone},
			),
		},
		{
			"stopped with a substitute for the last live document",
			announced(substitute), down(), nil,
			netCalls(Call{Op: OpStopped, Documents: Documents{Network: netDoc("live 1")}, Inexact: gone}),
		},
		{
			"libvirt's text instead of a substitute is no update",
			announced(substitute), up("2"), announced(up("2")), nil,
		},
		{
			"nor is a substitute instead of libvirt's text, which stays",
			announced(up("2")), substitute, announced(up("2")), nil,
		},
		{
			"stopped and started again, of which only a substitute is left",
			announced(up("0")), with(substitute, func(s *NetworkSeen) { s.Restarted = true }), announced(substitute),
			netCalls(
				netCall(OpStopped, netDoc("live 0")),
				Call{Op: OpStart, Documents: Documents{Network: netDoc("inactive 1")}, Inexact: gone},
				Call{Op: OpStarted, Documents: Documents{Network: netDoc("live 1")}, Inexact: gone},
			),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := copyOf(c.was)
			now, calls := c.was.Look(c.seen)
			if d := cmp.Diff(c.now, now); d != "" {
				t.Errorf("record: -want +got\n%s", d)
			}
			if d := cmp.Diff(c.calls, calls); d != "" {
				t.Errorf("calls: -want +got\n%s", d)
			}
			if d := cmp.Diff(before, c.was); d != "" {
				t.Errorf("the old record was changed: %s", d)
			}
			again := c.seen
			again.Restarted = false // a hint is given once
			if _, calls := now.Look(again); len(calls) != 0 {
				t.Errorf("seen again: %v", calls)
			}
		})
	}
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// TestNetworkForwardModes: all forward modes give the same calls (native-hooks.md 3.1).
func TestNetworkForwardModes(t *testing.T) {
	for _, mode := range []string{"", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"} {
		forward := ""
		if mode != "" {
			forward = "  <forward mode='" + mode + "'/>\n"
		}
		doc := "<network>\n  <name>neta</name>\n" + forward + "</network>\n"
		seen := with(up(""), func(s *NetworkSeen) { s.Live, s.Inactive = doc, doc })
		was, calls := (*Network)(nil).Look(seen)
		_, end := was.Look(down())
		want := netCalls(netCall(OpStart, doc), netCall(OpStarted, doc), netCall(OpStopped, doc))
		if d := cmp.Diff(want, append(calls, end...)); d != "" {
			t.Errorf("%q: %s", mode, d)
		}
	}
}

func TestSameDefinition(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"root", "<network connections='2'><name>a</name></network>", "<network><name>a</name></network>", true},
		{"root behind namespace", "<network xmlns:x='urn:x' connections='2' ipv6='yes'/>", "<network xmlns:x='urn:x' ipv6='yes'/>", true},
		{"pool", "<network><forward><interface dev='e' connections='1'/><interface dev='f'/></forward></network>",
			"<network><forward><interface dev='e'/><interface dev='f' connections='3'/></forward></network>", true},
		{"another device", "<network><forward><interface dev='e'/></forward></network>", "<network><forward><interface dev='f'/></forward></network>", false},
		{"somebody else's attribute", "<network><metadata><x:interface xmlns:x='u' connections='1'/></metadata></network>",
			"<network><metadata><x:interface xmlns:x='u' connections='2'/></metadata></network>", false},
		{"unreadable", "<network connections='1'><name>", "<network connections='2'><name>", false},
		{"unreadable and equal", "<network connections='1'><name>", "<network connections='1'><name>", true},
	} {
		if got := sameDefinition(c.a, c.b); got != c.same {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
