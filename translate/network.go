package translate

// Network is the record of an active network that has been announced: start
// and started were called for it. The zero value is not useful; records come
// from [Network.Look].
type Network struct {
	Conn string
	Name string
	UUID string

	// Generation tells one life of the network from the next where the observer
	// can know it (the identity of its bridge or of its status file). Empty:
	// unknown.
	Generation string `json:",omitempty"`

	// Live is the last live document. stopped carries it: by then libvirt has
	// put the inactive one in its place, or has forgotten a transient network.
	Live string

	// Inexact is set when Live is a substitute; see [Call].
	Inexact string `json:",omitempty"`
}

// NetworkSeen is what an observer found when it looked at a network.
type NetworkSeen struct {
	Conn string
	Name string
	UUID string // empty: unknown, the network was gone before it could be asked

	Active bool

	// Restarted says that the network is known to have been down since the
	// observer last looked, although it is active now: an event told so.
	Restarted bool

	Generation string

	// Rewritten says that Generation is that of a file which libvirtd writes when
	// the network starts and also when its definition changes: then a new one
	// with another definition is an update, not another life.
	Rewritten bool

	// Live and Inactive are the network's documents, Inactive as
	// virNetworkGetXMLDesc gives it with VIR_NETWORK_XML_INACTIVE. start carries
	// the inactive one: the hook runs before the network is set up, when
	// libvirt's live definition still equals it (seen byte for byte on 1.2.2).
	// Both are empty for a network that is not active.
	Live     string
	Inactive string

	// Inexact tells which document is a substitute; see [Call].
	Inexact string

	Cause Cause
}

// Look compares what was announced with what is seen and returns the new record
// and the calls in native order. was may be nil. The record is nil when the
// network is down.
//
// A network that comes up gets start and started, one that went down stopped;
// one that did both unseen gets all three. An active network whose definition
// changed gets updated (virNetworkUpdate, libvirt 2.1.0), the only call that
// leaves the life of the network as it is.
func (was *Network) Look(seen NetworkSeen) (*Network, []Call) {
	call := func(op Op, document, inexact string) Call {
		return Call{
			Op: op, Cause: seen.Cause, Conn: seen.Conn, Network: seen.Name,
			Documents: Documents{Network: document}, Inexact: inexact,
		}
	}
	up := func() []Call {
		start, started := call(OpStart, seen.start(), seen.Inexact), call(OpStarted, seen.Live, seen.Inexact)
		start.Undo, started.Undo = seen.Cause.undo(UndoNetwork), seen.Cause.undo(UndoNetwork)
		return []Call{start, started}
	}
	if was == nil {
		if !seen.Active {
			return nil, nil
		}
		return seen.record(), up()
	}
	stopped := call(OpStopped, was.Live, was.Inexact)
	if !seen.Active {
		return nil, []Call{stopped}
	}
	if was.replacedBy(seen) {
		return seen.record(), append([]Call{stopped}, up()...)
	}
	now := was.continuedAs(seen)
	if now.Inexact == "" && was.Inexact == "" && !sameDefinition(was.Live, now.Live) {
		return now, []Call{call(OpUpdated, now.Live, "")}
	}
	return now, nil
}

// continuedAs is the record of a network that is seen in the same life as before. What
// is not known now stays as it was known, and a substitute does not take the place of
// libvirt's own text.
func (was *Network) continuedAs(seen NetworkSeen) *Network {
	now := seen.record()
	if now.UUID == "" {
		now.UUID = was.UUID
	}
	if now.Generation == "" {
		now.Generation = was.Generation
	}
	if now.Inexact != "" && was.Inexact == "" {
		now.Live, now.Inexact = was.Live, ""
	}
	return now
}

// replacedBy reports whether the active network that is seen is another life
// than the announced one.
func (was *Network) replacedBy(seen NetworkSeen) bool {
	if was.UUID != "" && seen.UUID != "" && was.UUID != seen.UUID {
		return true
	}
	if was.Generation == "" || seen.Generation == "" || seen.Rewritten && !sameDefinition(was.Live, seen.Live) {
		return seen.Restarted
	}
	return was.Generation != seen.Generation
}

func (seen NetworkSeen) record() *Network {
	return &Network{
		Conn: seen.Conn, Name: seen.Name, UUID: seen.UUID,
		Generation: seen.Generation, Live: seen.Live, Inexact: seen.Inexact,
	}
}

// start is the document of the start call. Daemons before 0.9.10 do not know
// the INACTIVE flag: there the live document is all there is.
func (seen NetworkSeen) start() string {
	if seen.Inactive == "" {
		return seen.Live
	}
	return seen.Inactive
}
