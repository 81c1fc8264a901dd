package translate

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOps(t *testing.T) {
	for _, c := range []struct {
		op     Op
		sub    string
		onPort bool
	}{
		// unplugged is a begin, stopped the only end (native-hooks.md 1.2).
		{OpStart, "begin", false}, {OpStarted, "begin", false}, {OpStopped, "end", false},
		{OpPlugged, "begin", true}, {OpUnplugged, "begin", true},
		{OpUpdated, "begin", false}, {OpPortCreated, "begin", true}, {OpPortDeleted, "begin", true},
	} {
		if c.op.SubOp() != c.sub || c.op.OnPort() != c.onPort {
			t.Errorf("%s: %s %v", c.op, c.op.SubOp(), c.op.OnPort())
		}
		if !slices.Contains(AllOps(), c.op) {
			t.Errorf("%s is not in AllOps", c.op)
		}
	}
	if got := NewOps(ClassicOps()...).String(); got != "start,started,stopped,plugged,unplugged" {
		t.Error(got)
	}
	ops := AllOps()
	ops[0] = "x"
	if AllOps()[0] != OpStart {
		t.Error("AllOps gives away its own slice")
	}
}

func TestParseOps(t *testing.T) {
	for _, c := range []struct {
		list string
		want Ops
		err  string
	}{
		{"plugged,unplugged", NewOps(OpPlugged, OpUnplugged), ""},
		{" port-created , port-deleted,", NewOps(OpPortCreated, OpPortDeleted), ""},
		{"stopped,stopped", NewOps(OpStopped), ""},
		{"", nil, "no operation named: the operations are start,started,stopped,plugged,unplugged,updated,port-created,port-deleted"},
		{" , ", nil, "no operation named: the operations are start,started,stopped,plugged,unplugged,updated,port-created,port-deleted"},
		{"plugged,plug", nil, `unknown operation "plug": the operations are start,started,stopped,plugged,unplugged,updated,port-created,port-deleted`},
		{"Plugged", nil, `unknown operation "Plugged": the operations are start,started,stopped,plugged,unplugged,updated,port-created,port-deleted`},
	} {
		got, err := ParseOps(c.list)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%q: %s", c.list, d)
		}
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: %v", c.list, err)
		}
	}
}

func TestSelect(t *testing.T) {
	names := func(calls []Call) (ops []Op) {
		for _, c := range calls {
			ops = append(ops, c.Op)
		}
		return ops
	}
	for _, c := range []struct {
		ops  Ops
		op   Op
		want []Op
	}{
		{NewOps(ClassicOps()...), OpPlugged, []Op{OpPlugged}},
		{NewOps(ClassicOps()...), OpUpdated, nil},
		{NewOps(OpUpdated), OpUpdated, []Op{OpUpdated}},
		{NewOps(OpPlugged, OpUnplugged), OpStart, nil},
		{NewOps(OpPortCreated), OpPlugged, []Op{OpPortCreated}},
		{NewOps(OpPortCreated), OpUnplugged, nil},
		{NewOps(AllOps()...), OpPlugged, []Op{OpPlugged, OpPortCreated}},
		{NewOps(AllOps()...), OpUnplugged, []Op{OpUnplugged, OpPortDeleted}},
		{nil, OpPlugged, nil},
	} {
		call := Call{Op: c.op, Network: "neta"}
		if d := cmp.Diff(c.want, names(c.ops.Select(call))); d != "" {
			t.Errorf("%s of %s: %s", c.op, c.ops, d)
		}
	}
}
