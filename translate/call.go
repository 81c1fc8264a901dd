package translate

import "errors"

// Cause says why a call is made: the value of HOOKBRIDGE_CAUSE.
type Cause string

// The causes.
const (
	CauseEvent     Cause = "event"     // libvirt announced the change
	CauseKick      Cause = "kick"      // a status file or the kernel gave it away
	CauseReconcile Cause = "reconcile" // found by comparing lists
	CauseRestart   Cause = "restart"   // libvirtd was restarted; native plugs again
	CauseGate      Cause = "gate"      // a guest hook of libvirtd asked
	CauseManual    Cause = "manual"    // an administrator fired it
)

// Call is one call of the hook script.
type Call struct {
	Op    Op
	Cause Cause

	// Conn names the libvirt connection that the network is known by, by its
	// URI. Names and UUIDs are unique only within one.
	Conn string

	// Network is the network's name, the script's first argument.
	Network string

	// Domain and NIC are set for the operations on one port.
	Domain *DomainRef `json:",omitempty"`
	NIC    *NICRef    `json:",omitempty"`

	// Documents are libvirt's own texts.
	Documents Documents

	// Inexact tells what of the documents could not be had any more and was
	// replaced by a cached or an authored one. Empty: everything is as libvirt
	// printed it.
	Inexact string `json:",omitempty"`

	// Undo says what it means when the script refuses the call.
	Undo Undo `json:",omitzero"`
}

// DomainRef names a domain in a call.
type DomainRef struct {
	Conn string
	Name string
	UUID string
	ID   int
}

// NICRef names an interface of a domain in a call.
type NICRef struct {
	MAC    string
	Alias  string `json:",omitempty"`
	Target string `json:",omitempty"`
}

// Documents are the texts that go into hookData; an absent one is empty.
type Documents struct {
	Interface Interface
	Network   string
	Domain    string
}

// Args are the script's arguments behind its path: always four, the last is
// libvirt's place for an extra argument, which the network hook never has.
func (c Call) Args() []string {
	return []string{c.Network, string(c.Op), c.Op.SubOp(), "-"}
}

// Stdin is the document for the script's stdin in the given form. connections
// is the number of interfaces that are plugged into the network at this call;
// negative leaves the network's document as it is, for daemons before 0.10.0,
// which do not know the attribute. moved is for the calls about one guest together, or nil;
// the bytes must not be changed then. The error names a document that could not be
// read; the bytes are complete all the same.
func (c Call) Stdin(payload Payload, connections int, moved *Moved) ([]byte, error) {
	network := c.Documents.Network
	if connections >= 0 {
		network = WithConnections(network, connections)
	}
	parts := Parts{Network: network}
	switch c.Op {
	case OpPlugged, OpUnplugged:
		parts.Interface = c.Documents.Interface
		parts.Domain, parts.Moved = c.Documents.Domain, moved
	case OpPortCreated, OpPortDeleted:
		var owner DomainRef
		if c.Domain != nil {
			owner = *c.Domain
		}
		var portErr error
		parts.NetworkPort, portErr = AuthorPort(network, c.Documents.Interface, owner)
		data, err := HookData(payload, parts)
		return data, errors.Join(portErr, err)
	}
	return HookData(payload, parts)
}
