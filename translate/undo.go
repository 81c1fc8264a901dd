package translate

import "slices"

// UndoKind says what takes back the change that a call announces.
type UndoKind string

// The kinds. A guest's interfaces are plugged while it starts, so natively a
// refusal means that the guest does not start; an observer can only end it.
const (
	UndoNothing UndoKind = ""
	UndoNetwork UndoKind = "destroy-network" // the network is destroyed
	UndoDomain  UndoKind = "destroy-domain"  // the guest is destroyed
	UndoPlug    UndoKind = "detach"          // the interface is detached
	UndoUpdate  UndoKind = "update-back"     // the interface is updated to what it was
)

// Undo says what it means when the script refuses a call: what is to be undone,
// or why nothing is. For stopped, unplugged and updated it is zero: libvirt 1.2.2
// ignores their exit status.
type Undo struct {
	Kind UndoKind `json:",omitempty"`

	// Interface is the last live interface, for UndoUpdate. The interface that
	// UndoPlug detaches is that of the call's documents.
	Interface Interface `json:",omitzero"`

	// Not says why a change that libvirt itself could have aborted is not undone.
	Not string `json:",omitempty"`
}

// UndoResult is how an undo came out; empty where there was nothing to undo.
type UndoResult string

// The results. UndoNotDone covers what must not be undone and what need not be,
// since it has gone already.
const (
	UndoDone    UndoResult = "done"
	UndoFailed  UndoResult = "failed"
	UndoNotDone UndoResult = "none"
)

// Started says how a run of a guest began: the detail of libvirt's STARTED event
// (virDomainEventStartedDetailType). Only a guest that was booted can be
// destroyed without a loss: any other is perhaps the only copy of itself.
type Started string

// The ways in which a guest comes up.
const (
	StartedUnknown      Started = ""
	StartedBooted       Started = "booted"
	StartedMigrated     Started = "migrated in"
	StartedRestored     Started = "restored"
	StartedFromSnapshot Started = "reverted to a snapshot"
	StartedWokenUp      Started = "woken up"
	StartedUngated      Started = "let pass by the gate"
)

// undo returns kind for a change that has just happened, and why nothing is
// undone for one that is found or repeated later: by then it has been in use for
// nobody knows how long.
func (c Cause) undo(kind UndoKind) Undo {
	switch c {
	case CauseEvent, CauseKick:
		return Undo{Kind: kind}
	case CauseGate:
		return Undo{} // the start itself is refused
	case CauseRestart:
		return Undo{Not: "it was there before libvirtd was restarted"}
	case CauseManual:
		return Undo{Not: "the call was made by hand"}
	}
	return Undo{Not: "it was found already there"}
}

// undoStart is the undo of a guest that came up.
func (seen DomainSeen) undoStart() Undo {
	u := seen.Cause.undo(UndoDomain)
	switch {
	case u.Kind == UndoNothing || seen.Started == StartedBooted:
		return u
	case seen.Started == StartedUnknown:
		return Undo{Not: "it is not known whether the guest was booted"}
	}
	return Undo{Not: "the guest was " + string(seen.Started)}
}

// undoUpdate is the undo of a device update from what was.
func (seen DomainSeen) undoUpdate(was Interface) Undo {
	u := seen.Cause.undo(UndoUpdate)
	if u.Kind == UndoNothing {
		return u
	}
	if was.Network != "" && hidden(was) {
		return Undo{Not: "this libvirt does not show in which network the interface was"}
	}
	u.Interface = was
	return u
}

// SameLife reports whether an observation is of the life of the network that the
// record is about.
func (was *Network) SameLife(seen NetworkSeen) bool {
	seen.Restarted = false
	return seen.Active && !was.replacedBy(seen)
}

// Refuse returns the record as it has to be once the refusal of a plugged call
// has been undone. Interfaces that are taken away are remembered as refused while
// the guest's document still lists them: they get no other call. It is false if
// the record is no longer about that interface in that run of the guest; then
// there is nothing to undo.
func (was *Domain) Refuse(call Call) (*Domain, bool) {
	if was == nil || was.ID != call.Domain.ID {
		return nil, false
	}
	i := was.index(call)
	if i < 0 {
		return nil, false
	}
	now := *was
	now.NICs, now.Refused = nil, slices.Clone(was.Refused)
	for j, nic := range was.NICs {
		switch {
		case j == i && call.Undo.Kind == UndoUpdate:
			now.NICs = append(now.NICs, call.Undo.Interface)
		case j == i, j > i && call.Undo.Kind == UndoDomain && nic.Network != "":
			now.Refused = append(now.Refused, nic)
		default:
			now.NICs = append(now.NICs, nic)
		}
	}
	return &now, true
}

// index finds the interface of a call in the record, -1 if it is not there or is in
// another network by now.
func (was *Domain) index(call Call) int {
	nic := call.Documents.Interface
	for i := range was.NICs {
		if was.NICs[i] == nic {
			return i
		}
	}
	for i := range was.NICs {
		if samePlace(&was.NICs[i], &nic) {
			return i
		}
	}
	return -1
}

// Find returns the interface of a call as a live document of the guest has it now, with
// the addresses and the alias that libvirt has given it. It is false if the document does
// not list it.
func (c Call) Find(domain string) (Interface, bool) {
	nics, _ := Interfaces(domain) // what can be read decides
	d := Domain{NICs: nics}
	if hidden(c.Documents.Interface) {
		c.Documents.Interface.Network = "" // nor does this document tell
	}
	i := d.index(c)
	if i < 0 {
		return Interface{}, false
	}
	return nics[i], true
}

// setRefused moves what the script has refused, and the document still lists, out of now's
// plugged interfaces. One that has been moved to another network is a new one there.
func (was *Domain) setRefused(now *Domain, removed []string) {
	if len(was.Refused) == 0 {
		return
	}
	both := slices.Concat(was.NICs, was.Refused)
	var refused []*Interface
	for _, m := range match(both, now.NICs, removed)[len(was.NICs):len(both)] {
		if m.now != nil && m.now.Network == m.was.Network {
			refused = append(refused, m.now)
			now.Refused = append(now.Refused, *m.now)
		}
	}
	plugged := make([]Interface, 0, len(now.NICs))
	for i := range now.NICs {
		if !slices.Contains(refused, &now.NICs[i]) {
			plugged = append(plugged, now.NICs[i])
		}
	}
	now.NICs = plugged
}
