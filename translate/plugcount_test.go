package translate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlugCount(t *testing.T) {
	call := func(op Op, network, guest, mac string) Call {
		return Call{Op: op, Conn: "c", Network: network, Domain: &DomainRef{Conn: "c", UUID: guest}, NIC: &NICRef{MAC: mac}}
	}
	var p PlugCount
	for i, c := range []struct {
		call Call
		want int
	}{
		{Call{Op: OpStart, Conn: "c", Network: "a"}, 0},
		{Call{Op: OpStarted, Conn: "c", Network: "a"}, 0},
		{call(OpPlugged, "a", "g1", "m1"), 1},
		{call(OpPlugged, "a", "g1", "m1"), 2}, // two interfaces, one MAC
		{call(OpPlugged, "b", "g1", "m1"), 1},
		{call(OpPortCreated, "a", "g1", "m1"), 2}, // another name of what has been counted
		{call(OpPlugged, "a", "g2", "m1"), 3},
		{Call{Op: OpUpdated, Conn: "c", Network: "a"}, 3},
		{call(OpUnplugged, "a", "g1", "m1"), 2},
		{call(OpUnplugged, "a", "g1", "m9"), 2}, // never counted
		{Call{Op: OpStopped, Conn: "c", Network: "a"}, 2},
		{call(OpUnplugged, "a", "g2", "m1"), 0}, // left over from the life before
		{Call{Op: OpStart, Conn: "c", Network: "a"}, 0},
		{call(OpUnplugged, "a", "g1", "m1"), 0},
		{call(OpPlugged, "a", "g1", "m1"), 1}, // native's counter would be at -1 by now
		{call(OpUnplugged, "b", "g1", "m1"), 0},
		{call(OpPlugged, "a", "other", "m1"), 2},
	} {
		if got := p.Of(c.call); got != c.want {
			t.Errorf("%d: %s %s: %d, want %d", i, c.call.Op, c.call.Network, got, c.want)
		}
	}
	// A restarted libvirtd counts from 1 what it plugs again.
	again := call(OpPlugged, "a", "other", "m1")
	again.Cause = CauseRestart
	for _, want := range []int{1, 2, 1} {
		if got := p.Of(again); got != want {
			t.Errorf("plugged again: %d, want %d", got, want)
		}
	}
	// Another connection's network is another network.
	if got := p.Of(Call{Op: OpUpdated, Conn: "d", Network: "a"}); got != 0 {
		t.Error(got)
	}
}

// A later run goes on where the earlier one was killed.
func TestPlugCountRestored(t *testing.T) {
	var earlier, later PlugCount
	record, calls, _ := (*Domain)(nil).Look(qemu(1, "v1", on("neta", "m1", "net0"), onBridge("br0", "m2", "net1"), on("neta", "m3", "net2"), on("netb", "m3", "net3")), docs)
	for _, c := range calls {
		earlier.Of(c)
		nic, count := earlier.Interface(c)
		later.Restore(c.Conn, c.Network, nic, count)
	}
	if got := later.Present("net:///", "neta"); got != 2 {
		t.Errorf("%d interfaces are restored in neta", got)
	}
	_, calls, _ = record.Look(stopped(), docs)
	var got []int
	for _, c := range calls {
		got = append(got, later.Of(c))
	}
	if d := cmp.Diff([]int{1, 0, 0}, got); d != "" {
		t.Error(d)
	}
}
