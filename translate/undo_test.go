package translate

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// undos is what the calls say about a refusal.
func undos(calls []Call) []string {
	var all []string
	for _, c := range calls {
		s := fmt.Sprintf("%s %s", c.Network, c.Op)
		if c.NIC != nil {
			s += " " + c.NIC.MAC
		}
		switch {
		case c.Undo.Kind != UndoNothing:
			s += ": " + string(c.Undo.Kind)
		case c.Undo.Not != "":
			s += ": not, " + c.Undo.Not
		}
		if c.Undo.Interface.Network != "" {
			s += " to " + c.Undo.Interface.Network
		}
		all = append(all, s)
	}
	return all
}

// TestNetworkUndo: natively a failing start or started is the end of the network; the
// other operations' status is ignored.
func TestNetworkUndo(t *testing.T) {
	const there, byHand = ": not, it was found already there", ": not, the call was made by hand"
	for cause, want := range map[Cause][2]string{
		CauseEvent:     {": destroy-network", ": destroy-network"},
		CauseKick:      {": destroy-network", ": destroy-network"},
		CauseReconcile: {there, there},
		CauseManual:    {byHand, byHand},
	} {
		seen := with(up("1"), func(s *NetworkSeen) { s.Cause = cause })
		was, calls := (*Network)(nil).Look(seen)
		_, end := was.Look(with(down(), func(s *NetworkSeen) { s.Cause = cause }))
		got := undos(append(calls, end...))
		if d := cmp.Diff([]string{"neta start" + want[0], "neta started" + want[1], "neta stopped"}, got); d != "" {
			t.Errorf("%s: %s", cause, d)
		}
	}
}

// TestGuestUndo: spec §7's table for a guest that comes up.
func TestGuestUndo(t *testing.T) {
	for _, c := range []struct {
		cause   Cause
		started Started
		want    string
	}{
		{CauseEvent, StartedBooted, "destroy-domain"},
		{CauseKick, StartedBooted, "destroy-domain"},
		{CauseGate, StartedBooted, ""}, // libvirtd refuses the start itself
		{CauseEvent, StartedMigrated, "not, the guest was migrated in"},
		{CauseEvent, StartedRestored, "not, the guest was restored"},
		{CauseEvent, StartedFromSnapshot, "not, the guest was reverted to a snapshot"},
		{CauseEvent, StartedWokenUp, "not, the guest was woken up"},
		{CauseEvent, StartedUnknown, "not, it is not known whether the guest was booted"},
		{CauseReconcile, StartedBooted, "not, it was found already there"},
		{CauseManual, StartedBooted, "not, the call was made by hand"},
	} {
		seen := qemu(1, "v1", on("neta", "m1", "net0"))
		seen.Cause, seen.Started = c.cause, c.started
		_, calls, _ := (*Domain)(nil).Look(seen, docs)
		want := "neta plugged m1"
		if c.want != "" {
			want += ": " + c.want
		}
		if d := cmp.Diff([]string{want}, undos(calls)); d != "" {
			t.Errorf("%s, %s: %s", c.cause, c.started, d)
		}
	}
}

// TestRunningGuestUndo: what a refusal means while the guest runs.
func TestRunningGuestUndo(t *testing.T) {
	begin := qemu(1, "v1", on("neta", "m1", "net0"), on("neta", "m2", "net1"))
	was, _, _ := (*Domain)(nil).Look(begin, docs)
	for name, c := range map[string]struct {
		seen DomainSeen
		want []string
	}{
		"hot-plug":   {qemu(1, "v2", on("neta", "m1", "net0"), on("neta", "m2", "net1"), on("netb", "m3", "net2")), []string{"netb plugged m3: detach"}},
		"update":     {qemu(1, "v2", on("netb", "m1", "net0"), on("neta", "m2", "net1")), []string{"netb plugged m1: update-back to neta", "neta unplugged m1"}},
		"hot-unplug": {qemu(1, "v2", on("neta", "m1", "net0")), []string{"neta unplugged m2"}},
		"found":      {with2(qemu(1, "v2", on("neta", "m1", "net0"), on("neta", "m2", "net1"), on("netb", "m3", "net2")), CauseReconcile, "first"), []string{"netb plugged m3: not, it was found already there"}},
		"daemon's restart": {with2(begin, CauseReconcile, "second"), []string{
			"neta plugged m1: not, it was there before libvirtd was restarted", "neta plugged m2: not, it was there before libvirtd was restarted",
		}},
	} {
		_, calls, _ := was.Look(c.seen, docs)
		if d := cmp.Diff(c.want, undos(calls)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func with2(seen DomainSeen, cause Cause, daemon string) DomainSeen {
	seen.Cause, seen.Daemon = cause, daemon
	return seen
}

// TestUpdateOfAHiddenInterface: an interface whose document hides its network cannot be
// put back by that document.
func TestUpdateOfAHiddenInterface(t *testing.T) {
	seen := qemu(1, "v1")
	u := seen.undoUpdate(Interface{Type: "bridge", Network: "neta", Text: "<interface type='bridge'><source bridge='br0'/></interface>"})
	if u.Kind != UndoNothing || u.Not == "" {
		t.Errorf("%+v", u)
	}
}

// TestRefuse: the record after an undo, and what later looks say.
func TestRefuse(t *testing.T) {
	boot := qemu(1, "v1", on("neta", "m1", "net0"), on("netb", "m2", "net1"), onBridge("br0", "m9", "net2"), on("neta", "m3", "net3"))
	boot.Started = StartedBooted
	was, calls, _ := (*Domain)(nil).Look(boot, docs)

	t.Run("fresh guest", func(t *testing.T) {
		after, ok := was.Refuse(calls[1])
		if !ok {
			t.Fatal("not found")
		}
		_, end, _ := after.Look(with2(stopped(), CauseEvent, ""), docs)
		if d := cmp.Diff([]string{"neta unplugged m1"}, undos(end)); d != "" {
			t.Errorf("at its end: %s", d)
		}
		again := boot
		again.Live = guestDoc("qemu", 1, "v2", on("neta", "m1", "net0"), on("netb", "m2", "net1"), on("neta", "m3", "net3"))
		if _, more, _ := after.Look(again, docs); len(more) != 0 {
			t.Errorf("seen again: %v", undos(more))
		}
	})

	t.Run("hot-plugged", func(t *testing.T) {
		hot := qemu(1, "v2", on("neta", "m1", "net0"), on("netb", "m1", "net4"))
		first, _, _ := (*Domain)(nil).Look(qemu(1, "v1", on("neta", "m1", "net0")), docs)
		record, plugged, _ := first.Look(hot, docs)
		after, ok := record.Refuse(plugged[0])
		if !ok || len(after.NICs) != 1 || len(after.Refused) != 1 {
			t.Fatalf("%v %+v", ok, after)
		}
		still, more, _ := after.Look(with2(hot, CauseReconcile, "first"), docs)
		if len(more) != 0 || len(still.Refused) != 1 || len(still.NICs) != 1 {
			t.Errorf("still listed: %v %+v", undos(more), still)
		}
		moved := qemu(1, "v3", on("neta", "m1", "net0"), on("neta", "m1", "net4"))
		if _, more, _ = still.Look(moved, docs); len(more) != 1 || more[0].Op != OpPlugged || more[0].Undo.Kind != UndoPlug {
			t.Errorf("moved to another network: %v", undos(more))
		}
		gone, more, _ := still.Look(qemu(1, "v4", on("neta", "m1", "net0")), docs)
		if len(more) != 0 || len(gone.Refused) != 0 {
			t.Errorf("given back: %v %+v", undos(more), gone)
		}
		early := hot
		early.Removed = []string{"net4"}
		if early, more, _ := still.Look(early, docs); len(more) != 0 || len(early.NICs) != 1 || len(early.Refused) != 0 {
			t.Errorf("reported as removed, still listed: %v %+v", undos(more), early)
		}
		if _, more, _ = gone.Look(hot, docs); len(more) != 1 {
			t.Errorf("plugged anew: %v", undos(more))
		}
		if _, end, _ := still.Look(stopped(), docs); len(end) != 1 || end[0].Network != "neta" {
			t.Errorf("at its end: %v", undos(end))
		}
	})

	t.Run("update", func(t *testing.T) {
		first, _, _ := (*Domain)(nil).Look(qemu(1, "v1", on("neta", "m1", "net0")), docs)
		record, moved, _ := first.Look(qemu(1, "v2", on("netb", "m1", "net0")), docs)
		after, ok := record.Refuse(moved[0])
		if !ok || len(after.NICs) != 1 || after.NICs[0].Network != "neta" {
			t.Fatalf("%v %+v", ok, after)
		}
		if _, more, _ := after.Look(qemu(1, "v3", on("neta", "m1", "net0")), docs); len(more) != 0 {
			t.Errorf("back again: %v", undos(more))
		}
	})

	t.Run("bygone", func(t *testing.T) {
		next, _, _ := (*Domain)(nil).Look(qemu(2, "v1", on("netb", "m2", "net1")), docs)
		if _, ok := next.Refuse(calls[1]); ok {
			t.Error("another run was taken for the refused one")
		}
		without, _, _ := was.Look(qemu(1, "v2", on("neta", "m1", "net0")), docs)
		if _, ok := without.Refuse(calls[1]); ok {
			t.Error("an interface that has gone was found")
		}
		if _, ok := (*Domain)(nil).Refuse(calls[1]); ok {
			t.Error("no record")
		}
	})
}

// TestFind: the interface is told from another with its MAC address.
func TestFind(t *testing.T) {
	first, _, _ := (*Domain)(nil).Look(qemu(1, "v1", on("neta", "m1", "net0")), docs)
	live := qemu(1, "v2", on("neta", "m1", "net0"), on("neta", "m1", "net1"))
	_, calls, _ := first.Look(live, docs)
	nic, ok := calls[0].Find(live.Live)
	if !ok || nic.Alias != "net1" {
		t.Errorf("%v %+v", ok, nic)
	}
	if _, ok := calls[0].Find(guestDoc("qemu", 1, "v3", on("neta", "m1", "net0"))); ok {
		t.Error("another interface was taken for it")
	}
}

func TestPlugCountRefused(t *testing.T) {
	var p PlugCount
	call := func(op Op, mac string) Call {
		return Call{Op: op, Conn: "c", Network: "a", Domain: &DomainRef{Conn: "c", UUID: "g"}, NIC: &NICRef{MAC: mac}}
	}
	p.Of(call(OpPlugged, "1"))
	p.Of(call(OpPlugged, "2"))
	p.Refused(call(OpPlugged, "2"))
	if n := p.Of(call(OpPlugged, "3")); n != 2 {
		t.Errorf("%d, want 2", n)
	}
	p.Refused(Call{Op: OpStart, Conn: "c", Network: "a"})
	if n := p.Of(call(OpUnplugged, "3")); n != 1 {
		t.Errorf("%d, want 1", n)
	}
}
