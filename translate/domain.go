package translate

import (
	"errors"
	"slices"
)

// Domain is the record of a running domain whose interfaces have been
// announced.
type Domain struct {
	Conn string
	UUID string
	Name string

	// ID is libvirt's number for this run of the domain: a guest that was
	// restarted has another one.
	ID int

	// Type is the domain's type attribute: qemu, kvm, lxc, …
	Type string

	// Live is the last live document. unplugged carries it when the guest is
	// gone: by then libvirt shows the inactive one, or nothing.
	Live string

	// NetworkConn is the connection that the domain's networks are known by.
	NetworkConn string `json:",omitempty"`

	// NICs are the interfaces of all kinds as in Live, in document order; those
	// with a Network are plugged.
	NICs []Interface

	// Refused are interfaces that Live lists and that are not plugged, since the
	// script has refused them; see [Domain.Refuse].
	Refused []Interface `json:",omitempty"`

	// Inexact is set when Live is a substitute; see [Call].
	Inexact string `json:",omitempty"`

	// Daemon names the run of the libvirtd in which the interfaces were announced.
	Daemon string `json:",omitempty"`

	// Gated says that the interfaces were announced before the guest existed and
	// that it has not been seen to run since. Its ID is -1 if libvirtd had not given
	// it one yet, which it does later for LXC guests.
	Gated bool `json:",omitempty"`
}

// InRun reports whether the record is of the run of the domain that has this id.
func (was *Domain) InRun(id int) bool { return was.ID == id || was.Gated && was.ID < 0 }

// DomainSeen is what an observer found when it looked at a domain.
type DomainSeen struct {
	Conn string

	// NetworkConn is the connection that the domain's networks are known by:
	// several connections to one host share its networks.
	NetworkConn string

	UUID string
	Name string

	Running bool
	ID      int

	// Live is the live document of a running domain.
	Live string
	read *domainText // what Live says, once it has been read

	// Inactive is given only for daemons that hide a NIC's network in the live
	// document (1.2.2 to 1.2.10): there it tells which network a bridge, direct
	// or hostdev interface came from. It is the document with
	// VIR_DOMAIN_XML_INACTIVE or, better, libvirt's status file: that one is about
	// the running guest, knows hot-plugged interfaces and no pending edits. An
	// interface whose network is not found at its first look is taken for one
	// without.
	Inactive string

	// Removed are device aliases that libvirt has reported as removed since the
	// last look. Such an interface is gone even if the document, read a moment too
	// early, still lists it. An alias that no interface has says nothing: the
	// document has the word. They must be news: an alias is given again to the
	// next interface, so one reported before the last look would take away an
	// interface that is there.
	Removed []string

	// Inexact tells which document is a substitute; see [Call].
	Inexact string

	Cause Cause

	// Gated says that the domain is about to start: libvirtd's own guest hook asks.
	// Whatever is announced of it is of an earlier run.
	Gated bool

	// Started says how this run of the domain began, where an event has told.
	Started Started

	// Daemon names the run of the libvirtd that the domain was seen in, "" if it
	// cannot be told. In another run than the record's every interface that is
	// still plugged is announced once more without having been unplugged: what
	// libvirt does for running QEMU guests when it is restarted
	// (networkNotifyActualDevice). It does not for LXC.
	Daemon string
}

// NetworkDocs returns the document of the network that an interface is plugged
// into, and whether it is a substitute ("" if it is libvirt's own live text).
type NetworkDocs func(network string) (document, inexact string)

// Look compares what was announced with what is seen and returns the new record
// and the calls in native order. was may be nil. The record is nil when the
// domain does not run.
//
// The error tells that the live document could not be read to its end. The
// calls then rest on what could be read; for a guest that had been announced
// that is the last document that could.
func (was *Domain) Look(seen DomainSeen, networks NetworkDocs) (*Domain, []Call, error) {
	p := plan{seen: seen, networks: networks}
	if !seen.Running {
		if was == nil {
			return nil, nil, nil
		}
		p.unplugAll(was)
		return nil, p.calls, nil
	}
	sameRun := was != nil && was.InRun(seen.ID) && !seen.Gated
	var known []Interface
	if sameRun {
		known = append(slices.Clone(was.NICs), was.Refused...)
	}
	now, err := seen.record(known, networks)
	if !sameRun {
		// Restarted while nobody watched: the old run's documents, then the new.
		if was != nil {
			p.unplugAll(was)
		}
		p.plugAll(now)
		return now, p.calls, err
	}
	if err != nil {
		now = was.standIn(seen)
	}
	if now.Daemon == "" {
		now.Daemon = was.Daemon
	}
	if err == nil {
		was.setRefused(now, seen.Removed)
	}
	p.compare(was, now)
	if was.Daemon != "" && now.Daemon != "" && was.Daemon != now.Daemon && !isLXC(now.Type) {
		p.replug(was, now)
	}
	return now, p.calls, err
}

// record reads what is seen. known are the interfaces announced in this run.
func (seen DomainSeen) record(known []Interface, networks NetworkDocs) (*Domain, error) {
	head, headErr := seen.Head()
	nics, err := seen.Interfaces()
	nics = nicsOf(slices.Clone(nics), seen.Inactive, known, networks)
	return &Domain{
		Conn: seen.Conn, UUID: seen.UUID, Name: seen.Name, ID: seen.ID, NetworkConn: seen.NetworkConn,
		Type: head.Type, Live: seen.Live, NICs: nics, Inexact: seen.Inexact, Daemon: seen.Daemon, Gated: seen.Gated,
	}, errors.Join(headErr, err)
}

// standIn is the record of a guest that runs on but whose document cannot be
// read: it keeps the interfaces announced, and a text that scripts can read.
func (was *Domain) standIn(seen DomainSeen) *Domain {
	now := *was
	now.Name, now.ID, now.Daemon, now.Gated = seen.Name, seen.ID, seen.Daemon, false
	now.NICs = slices.Clone(was.NICs)
	now.Refused = slices.Clone(was.Refused)
	now.Inexact = "the guest's live document could not be read; this is the last one that could"
	return &now
}

// plan collects the calls of one look.
type plan struct {
	seen     DomainSeen
	networks NetworkDocs
	calls    []Call
}

// add appends a call about nic. d is the record whose names and id the call
// carries, doc the one whose document. undo is what a refusal means.
func (p *plan) add(op Op, d *Domain, nic Interface, doc *Domain, undo Undo) {
	if nic.Network == "" {
		return
	}
	network, inexact := p.networks(nic.Network)
	switch {
	case inexact == "":
		inexact = doc.Inexact
	case doc.Inexact != "":
		inexact += "; " + doc.Inexact
	}
	p.calls = append(p.calls, Call{
		Op: op, Cause: p.seen.Cause, Conn: p.seen.NetworkConn, Network: nic.Network,
		Domain:    &DomainRef{Conn: d.Conn, Name: d.Name, UUID: d.UUID, ID: d.ID},
		NIC:       &NICRef{MAC: nic.MAC, Alias: nic.Alias, Target: nic.Target},
		Documents: Documents{Interface: nic, Network: network, Domain: doc.Live},
		Inexact:   inexact,
		Undo:      undo,
	})
}

// plugAll announces a guest that came up: its interfaces in document order
// (qemuNetworkPrepareDevices, virLXCProcessSetupInterfaces).
func (p *plan) plugAll(now *Domain) {
	for _, nic := range now.NICs {
		p.add(OpPlugged, now, nic, now, p.seen.undoStart())
	}
}

// unplugAll announces a guest that is gone, also in document order
// (qemuProcessStop, virLXCProcessCleanup), with its last live documents.
func (p *plan) unplugAll(was *Domain) {
	for _, nic := range was.NICs {
		p.add(OpUnplugged, was, nic, was, Undo{})
	}
}

// replug announces again what stayed plugged over a restart of libvirtd.
func (p *plan) replug(was, now *Domain) {
	p.seen.Cause = CauseRestart
	for _, m := range match(was.NICs, now.NICs, p.seen.Removed) {
		if m.was != nil && m.now != nil && m.was.Network == m.now.Network {
			p.add(OpPlugged, now, *m.now, now, p.seen.Cause.undo(UndoPlug))
		}
	}
}

// compare announces what was detached, moved and attached while the guest ran.
// Where several of these are found at once nobody can say which came first;
// what went away is announced before what is new.
func (p *plan) compare(was, now *Domain) {
	pairs := match(was.NICs, now.NICs, p.seen.Removed)
	for _, m := range pairs {
		if m.now == nil {
			p.add(OpUnplugged, now, *m.was, detachDoc(was, now), Undo{})
		}
	}
	for _, m := range pairs {
		if m.was == nil || m.now == nil || m.was.Network == m.now.Network {
			continue
		}
		// A device update from one network to another: libvirt allocates the new
		// place before it gives the old one back, and in both calls its domain
		// document still lists the old interface (qemuDomainChangeNet, 1.2.2).
		p.add(OpPlugged, now, *m.now, was, p.seen.undoUpdate(*m.was))
		p.add(OpUnplugged, now, *m.was, was, Undo{})
	}
	for _, m := range pairs {
		if m.was == nil {
			p.add(OpPlugged, now, *m.now, now, p.seen.Cause.undo(UndoPlug))
		}
	}
	now.NICs = withoutRemoved(now.NICs, pairs)
}

// detachDoc is the record with the domain document of a hot-unplug: QEMU guests have lost the
// interface by then (qemuDomainRemoveNetDevice), LXC guests still list it
// (lxcDomainDetachDeviceNetLive releases before it removes).
func detachDoc(was, now *Domain) *Domain {
	if isLXC(now.Type) {
		return was
	}
	return now
}

func isLXC(domainType string) bool { return domainType == "lxc" }
