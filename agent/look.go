package agent

import (
	"slices"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/exec"
	guestgate "hookbridge/internal/gate"
	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// lookAtNetwork reads a network and enters it into the ledger.
func (w *watcher) lookAtNetwork(conn *libvirt.Connect, name string, cause translate.Cause, h hint) error {
	w.host.reading.Lock()
	defer w.host.reading.Unlock()
	began := time.Now()
	// An event that is as young as a look is long says what asking first would.
	active := h.started && w.trueStarted && time.Since(h.arrived) < 5*time.Millisecond
	seen, err := w.handles.readNetwork(conn, w.host.conn, name, active)
	if err != nil {
		return err
	}
	seen.Cause = cause
	if seen.Active && libvirtd.OnThisHost(w.uri) {
		seen.Generation, seen.Rewritten = generation(seen, w.dirs)
	}
	was := w.ledger.network(w.host.conn, name)
	if h.kick && was != nil && !seen.Active && w.has.has(NetworkEvents) {
		return nil // its STOPPED event is on the way, and knows of each stop
	}
	listed := time.Time{}
	if h.arrived.IsZero() {
		listed = time.Now()
	}
	// An event that is older than what a listing saw says nothing new.
	fresh := was == nil || h.arrived.After(was.listed)
	seen.Restarted = h.stopped && fresh
	if h.started && was == nil && !seen.Active && w.trueStarted && !w.ledger.undoneSince(w.host.conn, name, h.arrived) {
		if err := missedNetworkRun(conn, &seen); err != nil {
			return err
		}
	}
	w.ledger.sawNetwork(seen, began, listed, h.arrived)
	return nil
}

// lookAtDomain reads a domain, its networks first if they have not been
// announced, and enters it into the ledger.
func (w *watcher) lookAtDomain(conn *libvirt.Connect, uuid string, cause translate.Cause, h hint) error {
	began := time.Now()
	seen, err := readHinted(conn, w.uri, uuid, w.hidesNetworks, h)
	if err != nil {
		return err
	}
	return w.sawDomain(conn, seen, began, cause, h)
}

// sawDomain enters what was read of a domain, its networks first if they have not been
// announced, into the ledger.
func (w *watcher) sawDomain(conn *libvirt.Connect, seen translate.DomainSeen, began time.Time, cause translate.Cause, h hint) error {
	was := w.ledger.domain(w.uri, seen.UUID)
	seen.Cause, seen.NetworkConn, seen.Daemon = cause, w.host.conn, w.daemon
	if seen.Name == "" {
		seen.Name = h.name
	}
	if !w.believe(was, &seen, h) {
		return nil
	}
	docs, err := w.networkDocs(conn, was, seen, w.documents)
	if err != nil {
		return err
	}
	if err := w.ledger.sawDomain(seen, was, docs, began, h.arrived); err != nil {
		w.log.WithError(err).WithField("domain", seen.Name).Warn("the domain's document cannot be read to its end")
	}
	return nil
}

// believe puts together what was read and what the hint claims. It reports
// whether there is anything to enter into the ledger.
func (w *watcher) believe(was *knownDomain, seen *translate.DomainSeen, h hint) bool {
	// A document that was read after the event had come says itself what is
	// there; by then the alias may be another interface's.
	if h.removed != "" && (was == nil || h.arrived.After(was.looked)) {
		seen.Removed = []string{h.removed}
	}
	if was != nil && was.Gated && !seen.Running {
		return true // its start has failed after the gate, of which there is no event
	}
	if was == nil && h.started && (!seen.Running || seen.ID != h.id) && w.ledger.endedAtGate(w.uri, seen.UUID, h.id) {
		return false
	}
	if was == nil && seen.Cause == translate.CauseEvent && !h.started {
		// Each run has its STARTED event, which says how the guest came up; others
		// may come before it (RESUMED does, in libvirt 9.0) or are about a run that
		// has ended.
		return false
	}
	if h.started && h.id == seen.ID {
		seen.Started = h.how
		if was == nil && h.how == translate.StartedBooted && w.wentPastGate(seen.UUID) {
			seen.Started = translate.StartedUngated
		}
	}
	otherRun := was != nil && (!seen.Running || !was.InRun(seen.ID))
	switch {
	case h.started && h.id >= 0 && was == nil && seen.ID != h.id:
		w.missedRun(h, seen)
	case h.stopped && otherRun:
		// If the guest runs again already: that run has its own STARTED event,
		// which is still to come, and there may have been others in between.
		seen.Running = false
	case h.kick && otherRun:
		// Events tell of this, one for each run; only a container that reboots
		// itself has none (virLXCProcessReboot).
		seen.Started = translate.StartedBooted
		return seen.Running && libvirtd.Driver(w.uri) == "lxc"
	}
	return true
}

// wentPastGate reports whether a guest that is not known from the gate should have
// come through it: its scripts were not asked in time, and libvirtd went on.
func (w *watcher) wentPastGate(uuid string) bool {
	if !libvirtd.OnThisHost(w.uri) {
		return false
	}
	return w.ledger.wentUngated(w.uri, uuid) || guestgate.Stands(exec.DefaultDir, libvirtd.Driver(w.uri))
}

// missedRun fills in a guest that an event said was started and that has
// stopped, or runs again, by the time it is looked at: its calls are due, and
// its STOPPED event will bring the others. The document of another run, or the
// inactive one, is the nearest there is.
func (w *watcher) missedRun(h hint, seen *translate.DomainSeen) {
	if seen.Live == "" {
		w.log.WithField("domain", h.name).Warn("started and gone before its document could be read: its interfaces are unknown")
		w.standing.missedGuest()
		return
	}
	seen.Inexact = "the guest had stopped before its live document could be read; this is the inactive one"
	if seen.Running {
		seen.Inexact = "the guest was restarted before its live document could be read; this is its next run's"
	}
	seen.Running, seen.ID, seen.Started = true, h.id, h.how
}

// missedNetworkRun is missedRun for a network.
func missedNetworkRun(conn *libvirt.Connect, seen *translate.NetworkSeen) error {
	text, err := readNetworkDoc(conn, seen.Name)
	switch {
	case err == nil:
		seen.Inexact = "the network had stopped before its live document could be read; this is the inactive one"
	case hasCode(err, libvirt.ERR_NO_NETWORK):
		if text, err = translate.AuthorNetwork(seen.Name, seen.UUID); err != nil {
			return err
		}
		seen.Inexact = "the network was gone before its document could be read; this one was written by hookbridge"
	default:
		return err
	}
	seen.Active, seen.Live, seen.Inactive = true, text, text
	return nil
}

// networkDocs reads the documents of all networks that a look at a domain may
// need. A network that has not been announced yet is looked at first: libvirt
// sends network and domain events through different queues, and plugged must
// not come before started. Documents that are in read already are not read again, those
// that are not get into it; it may be nil.
func (w *watcher) networkDocs(conn *libvirt.Connect, was *knownDomain, seen translate.DomainSeen, read map[string]networkDoc) (translate.NetworkDocs, error) {
	docs := map[string]networkDoc{}
	for _, name := range networksOf(was, seen) {
		doc, ok := read[name]
		if !ok {
			var err error
			if doc, err = w.networkDocOf(conn, name, seen, read != nil); err != nil {
				return nil, err
			}
			if read != nil {
				read[name] = doc
			}
		}
		docs[name] = doc
	}
	return func(name string) (string, string) { return docs[name].text, docs[name].inexact }, nil
}

// networkDocOf reads one of these documents; reading says that domains may be being read
// meanwhile.
func (w *watcher) networkDocOf(conn *libvirt.Connect, name string, seen translate.DomainSeen, reading bool) (networkDoc, error) {
	if reading {
		w.asking.Lock()
		defer w.asking.Unlock()
	}
	// What was announced of a network before everything was compared may be of an
	// earlier life of it.
	if seen.Running && (w.ledger.network(w.host.conn, name) == nil || !w.host.known()) {
		if err := w.lookAtNetwork(conn, name, w.causeOfNetwork(seen), hint{}); err != nil {
			return networkDoc{}, err
		}
	}
	return w.networkDoc(conn, name)
}

// networkDoc is the document of a network in a call about an interface; inexact says
// what it is a substitute for.
type networkDoc struct{ text, inexact string }

func (w *watcher) networkDoc(conn *libvirt.Connect, name string) (networkDoc, error) {
	text, err := w.handles.readNetworkDoc(conn, name)
	switch {
	case err == nil:
		return networkDoc{text: text}, nil
	case !hasCode(err, libvirt.ERR_NO_NETWORK):
		return networkDoc{}, err
	}
	if n := w.ledger.network(w.host.conn, name); n != nil {
		return networkDoc{n.Live, "the network is gone; this is its last live document"}, nil
	}
	authored, err := translate.AuthorNetwork(name, "")
	return networkDoc{authored, "the network is gone; its document was written by hookbridge"}, err
}

// causeOfNetwork is the cause for a network that a look at a guest finds and that has
// not been announced. Once all networks have been listed such a one has come up since,
// and its own event or kick is on the way behind the guest's: what made the agent look
// at the guest is as good, and a script may refuse the network as if it had come in
// order.
func (w *watcher) causeOfNetwork(seen translate.DomainSeen) translate.Cause {
	told := w.has.has(NetworkEvents) || w.has.has(Kicks)
	if told && w.host.known() && (seen.Cause == translate.CauseEvent || seen.Cause == translate.CauseKick) {
		return seen.Cause
	}
	return translate.CauseReconcile
}

// networksOf names the networks of a domain's interfaces, announced and seen.
func networksOf(was *knownDomain, seen translate.DomainSeen) []string {
	var names []string
	add := func(nics []translate.Interface) {
		for _, nic := range nics {
			if nic.Network != "" && !slices.Contains(names, nic.Network) {
				names = append(names, nic.Network)
			}
		}
	}
	if was != nil {
		add(was.NICs)
	}
	if seen.Running {
		nics, _ := seen.Interfaces() // Look reports the error
		add(nics)
		if seen.Inactive != "" {
			nics, _ = translate.Interfaces(seen.Inactive)
			add(nics)
		}
	}
	return names
}
