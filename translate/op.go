package translate

import (
	"fmt"
	"strings"
)

// Op is an operation of libvirt's network hook, the script's second argument.
type Op string

// The five operations of libvirt 1.2.2, and the later ones: updated since
// 2.1.0, port-created and port-deleted since 5.5.0.
const (
	OpStart       Op = "start"
	OpStarted     Op = "started"
	OpStopped     Op = "stopped"
	OpPlugged     Op = "plugged"
	OpUnplugged   Op = "unplugged"
	OpUpdated     Op = "updated"
	OpPortCreated Op = "port-created"
	OpPortDeleted Op = "port-deleted"
)

// AllOps returns every operation in the order in which a network's life shows
// them; the classic five come first.
func AllOps() []Op {
	return []Op{OpStart, OpStarted, OpStopped, OpPlugged, OpUnplugged, OpUpdated, OpPortCreated, OpPortDeleted}
}

// ClassicOps returns the five operations of libvirt 1.2.2.
func ClassicOps() []Op { return AllOps()[:5] }

// SubOp is the script's third argument: "end" for stopped, "begin" for all
// others, unplugged included (src/util/virhook.c and the call sites in
// src/network/bridge_driver.c, 1.2.2).
func (op Op) SubOp() string {
	if op == OpStopped {
		return "end"
	}
	return "begin"
}

// OnPort reports whether the operation is about one interface of a domain, not
// about the network as a whole.
func (op Op) OnPort() bool {
	switch op {
	case OpPlugged, OpUnplugged, OpPortCreated, OpPortDeleted:
		return true
	}
	return false
}

// Ops is a set of operations: those that hookbridge is to replay.
type Ops map[Op]bool

// NewOps returns the set of the given operations.
func NewOps(ops ...Op) Ops {
	set := make(Ops, len(ops))
	for _, op := range ops {
		set[op] = true
	}
	return set
}

// ParseOps reads a comma separated list of operation names. The list must name
// at least one; an unknown name is an error that lists the known ones.
func ParseOps(list string) (Ops, error) {
	set := Ops{}
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		op := Op(name)
		if !NewOps(AllOps()...)[op] {
			return nil, fmt.Errorf("unknown operation %q: the operations are %s", name, NewOps(AllOps()...))
		}
		set[op] = true
	}
	if len(set) == 0 {
		return nil, fmt.Errorf("no operation named: the operations are %s", NewOps(AllOps()...))
	}
	return set, nil
}

// String lists the operations in the order of [AllOps], separated by commas.
func (o Ops) String() string {
	var names []string
	for _, op := range AllOps() {
		if o[op] {
			names = append(names, string(op))
		}
	}
	return strings.Join(names, ",")
}

// Select returns the call if the set has its operation. A plugged or unplugged
// call stands for a port-created or port-deleted one as well: the moment is the
// same, only name and document differ, so where the set names those the call
// comes, too, under the newer name.
func (o Ops) Select(call Call) []Call {
	var selected []Call
	if o[call.Op] {
		selected = append(selected, call)
	}
	if port, ok := portOp[call.Op]; ok && o[port] {
		call.Op = port
		selected = append(selected, call)
	}
	return selected
}

var portOp = map[Op]Op{OpPlugged: OpPortCreated, OpUnplugged: OpPortDeleted}
