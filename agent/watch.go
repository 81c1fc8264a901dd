package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// watcher owns one connection for as long as the agent runs. All libvirt calls
// of the connection are made from its goroutine, one after the other, so what it
// sees of an object it enters into the ledger in the order in which it saw it.
type watcher struct {
	uri     string
	ledger  *ledger
	replay  *replay
	log     *logrus.Entry
	onReady func(uri string)

	// optional says that nobody asked for this connection: a host that does not
	// offer it is nothing to warn about.
	optional bool

	// daemon names the run of the libvirtd behind this session.
	daemon string

	// host has the networks that this connection's guests use.
	host *hostNetworks

	// takeOver holds a token when this watcher has to begin to follow the host's
	// networks.
	takeOver chan struct{}

	// trueStarted says that this libvirtd announces a network as started only
	// when it is: from 1.2.11 on. Before, a failed start is announced as well.
	trueStarted bool

	// hidesNetworks says that this libvirtd does not show in a live document which
	// network a bridge, direct or hostdev interface belongs to: 1.2.2 to 1.2.10.
	hidesNetworks bool

	// networkEvents says that this session has network lifecycle events.
	networkEvents bool
}

// Keepalive of 5 s, lost after 5: libvirtd's own defaults.
const (
	keepaliveInterval = 5
	keepaliveCount    = 5
)

// watch keeps the connection until ctx ends.
func (w *watcher) watch(ctx context.Context) {
	delay := backoff.NewExponentialBackOff()
	delay.InitialInterval = 500 * time.Millisecond
	delay.MaxInterval = 30 * time.Second
	told := ""
	for ctx.Err() == nil {
		established, err := w.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if established {
			delay.Reset()
			told = ""
		}
		// One line for each new reason, not one for each attempt.
		if reason := err.Error(); reason != told {
			level := logrus.WarnLevel
			if w.optional && hasCode(err, libvirt.ERR_NO_CONNECT) {
				level = logrus.DebugLevel
			}
			w.log.WithError(err).Log(level, "no connection to libvirt; trying again until there is one")
			told = reason
		}
		select {
		case <-ctx.Done():
		case <-time.After(delay.NextBackOff()):
		}
	}
}

var errClosed = errors.New("the connection was closed by the other side")

// session is the life of one connection. It reports whether it came up, and why
// it ended.
func (w *watcher) session(ctx context.Context) (established bool, err error) {
	conn, err := libvirt.NewConnect(w.uri)
	if err != nil {
		return false, err
	}
	defer func() { _, _ = conn.Close() }()

	closed := make(chan struct{})
	var once sync.Once
	if err := conn.RegisterCloseCallback(func(*libvirt.Connect, libvirt.ConnectCloseReason) {
		once.Do(func() { close(closed) })
	}); err == nil {
		defer func() { _ = conn.UnregisterCloseCallback() }()
	}
	// Without keepalive (the test driver, libvirt before 0.9.8) a dead
	// connection is noticed by the next call that fails.
	_ = conn.SetKeepAlive(keepaliveInterval, keepaliveCount)

	queue := newHintQueue()
	subs, err := subscribe(conn, queue, w.log)
	if err != nil {
		return false, err
	}
	defer func() {
		for _, s := range subs {
			_ = s.deregister()
		}
	}()
	if localDaemon(w.uri) {
		kicks, err := startKicks(w.uri, queue, queue.lost)
		if err != nil {
			w.log.WithError(err).Warn("status files cannot be watched: device updates and LXC interfaces will be missed")
		} else if kicks != nil {
			defer kicks.stop()
		}
	}
	w.connected(conn, subs)

	w.host.join(w)
	defer w.host.leave(w)
	if err := w.reconcile(conn); err != nil {
		return true, err
	}
	w.ledger.adopt(w.uri)
	w.log.Info("watching")
	if w.onReady != nil {
		w.onReady(w.uri)
	}
	return true, w.follow(ctx, conn, queue, closed)
}

// connected finds out what kind of libvirtd this is and says so.
func (w *watcher) connected(conn *libvirt.Connect, subs []subscription) {
	features := make([]string, 0, len(subs))
	w.networkEvents = false
	for _, s := range subs {
		features = append(features, s.feature)
		w.networkEvents = w.networkEvents || s.feature == "network-events"
	}
	daemonVersion, err := conn.GetLibVersion()
	if err != nil {
		w.log.WithError(err).Debug("libvirtd does not tell its version")
	}
	w.trueStarted = daemonVersion >= 1002011
	w.hidesNetworks = daemonVersion >= 1002002 && daemonVersion < 1002011
	w.log.WithFields(logrus.Fields{"libvirt": versionText(daemonVersion), "features": features}).Info("connected")

	w.daemon = ""
	if localDaemon(w.uri) {
		if d, err := findDaemon(); err == nil {
			w.daemon = d.String()
		} else {
			w.log.WithError(err).Debug("whether libvirtd is restarted will not be noticed")
		}
	}
	verdict := judgeDaemon(w.uri, daemonVersion)
	defer w.ledger.resume(w.host.conn)
	if !w.replay.judged(w.host.conn, verdict) {
		return
	}
	log := w.log.WithFields(logrus.Fields{"reason": verdict.Reason, "native": verdict.Native.String()})
	if ops := w.replay.ops(w.host.conn); len(ops) > 0 {
		log.WithField("replayed", ops.String()).Info("these hook calls are made here")
	} else {
		log.Info("libvirtd makes all hook calls itself: standing by")
	}
}

// follow handles hints until the connection is lost or ctx ends.
func (w *watcher) follow(ctx context.Context, conn *libvirt.Connect, queue *hintQueue, closed <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-closed:
			return errClosed
		case <-w.takeOver:
			if err := w.reconcileNetworks(conn); err != nil {
				return err
			}
			continue
		case <-queue.ready:
		}
		hints, overflow := queue.take()
		for _, h := range hints {
			if ctx.Err() != nil {
				return nil
			}
			if err := w.handle(conn, h); err != nil {
				return fmt.Errorf("%s: %w", h, err)
			}
		}
		if overflow {
			w.log.Warn("more events than could be kept: comparing everything instead")
			if err := w.reconcile(conn); err != nil {
				return err
			}
		}
	}
}

// handle looks at the object that a hint names. An error that is about the
// object alone is logged; the others end the session.
func (w *watcher) handle(conn *libvirt.Connect, h hint) error {
	var err error
	switch {
	case h.kind == networkHint && !w.host.follows(w):
		return nil
	case h.kind == networkHint:
		err = w.lookAtNetwork(conn, h.name, h.cause(), h)
	case h.kick:
		// Guests come and go with events, in every libvirt; a kick is about one
		// that runs.
		uuid := w.ledger.domainNamed(w.uri, h.name)
		if uuid == "" {
			return nil
		}
		err = w.lookAtDomain(conn, uuid, h.cause(), h)
	default:
		err = w.lookAtDomain(conn, h.uuid, h.cause(), h)
	}
	if err == nil {
		return nil
	}
	if alive, aliveErr := conn.IsAlive(); aliveErr == nil && !alive {
		return err
	}
	w.log.WithError(err).WithField("object", h.String()).Error("cannot be read from libvirt; its hooks wait for the next event")
	return nil
}

// lookAtNetwork reads a network and enters it into the ledger.
func (w *watcher) lookAtNetwork(conn *libvirt.Connect, name string, cause translate.Cause, h hint) error {
	w.host.reading.Lock()
	defer w.host.reading.Unlock()
	seen, err := readNetwork(conn, w.host.conn, name)
	if err != nil {
		return err
	}
	seen.Cause = cause
	if seen.Active && localDaemon(w.uri) {
		seen.Generation, seen.Rewritten = generation(seen)
	}
	was := w.ledger.network(w.host.conn, name)
	if h.kick && was != nil && !seen.Active && w.networkEvents {
		return nil // its STOPPED event is on the way, and knows of each stop
	}
	listed := time.Time{}
	if cause == translate.CauseReconcile {
		listed = time.Now()
	}
	// An event that is older than what a listing saw says nothing new.
	fresh := was == nil || h.arrived.After(was.listed)
	seen.Restarted = h.stopped && fresh
	if h.started && was == nil && !seen.Active && w.trueStarted {
		if err := missedNetworkRun(conn, &seen); err != nil {
			return err
		}
	}
	w.ledger.sawNetwork(seen, listed)
	return nil
}

// lookAtDomain reads a domain, its networks first if they have not been
// announced, and enters it into the ledger.
func (w *watcher) lookAtDomain(conn *libvirt.Connect, uuid string, cause translate.Cause, h hint) error {
	began := time.Now()
	seen, err := readDomain(conn, w.uri, uuid, w.hidesNetworks)
	if err != nil {
		return err
	}
	was := w.ledger.domain(w.uri, uuid)
	seen.Cause, seen.NetworkConn, seen.Daemon = cause, w.host.conn, w.daemon
	if seen.Name == "" {
		seen.Name = h.name
	}
	if !w.believe(was, &seen, h) {
		return nil
	}
	docs, err := w.networkDocs(conn, was, seen)
	if err != nil {
		return err
	}
	if err := w.ledger.sawDomain(seen, docs, began); err != nil {
		w.log.WithError(err).WithField("domain", seen.Name).Warn("the domain's document cannot be read to its end")
	}
	return nil
}

// believe puts together what was read and what the hint claims. It reports
// whether there is anything to enter into the ledger.
func (w *watcher) believe(was *announcedDomain, seen *translate.DomainSeen, h hint) bool {
	// A document that was read after the event had come says itself what is
	// there; by then the alias may be another interface's.
	if h.removed != "" && (was == nil || h.arrived.After(was.looked)) {
		seen.Removed = []string{h.removed}
	}
	otherRun := was != nil && (!seen.Running || seen.ID != was.ID)
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
		return seen.Running && driverOf(w.uri) == "lxc"
	}
	return true
}

// missedRun fills in a guest that an event said was started and that has
// stopped, or runs again, by the time it is looked at: its calls are due, and
// its STOPPED event will bring the others. The document of another run, or the
// inactive one, is the nearest there is.
func (w *watcher) missedRun(h hint, seen *translate.DomainSeen) {
	if seen.Live == "" {
		w.log.WithField("domain", h.name).Warn("started and gone before its document could be read: its interfaces are unknown")
		return
	}
	seen.Inexact = "the guest had stopped before its live document could be read; this is the inactive one"
	if seen.Running {
		seen.Inexact = "the guest was restarted before its live document could be read; this is its next run's"
	}
	seen.Running, seen.ID = true, h.id
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
// not come before started.
func (w *watcher) networkDocs(conn *libvirt.Connect, was *announcedDomain, seen translate.DomainSeen) (translate.NetworkDocs, error) {
	type doc struct{ text, inexact string }
	docs := map[string]doc{}
	names := networksOf(was, seen)
	for _, name := range names {
		if seen.Running && w.ledger.network(w.host.conn, name) == nil {
			if err := w.lookAtNetwork(conn, name, translate.CauseReconcile, hint{}); err != nil {
				return nil, err
			}
		}
		text, err := readNetworkDoc(conn, name)
		switch {
		case err == nil:
			docs[name] = doc{text: text}
		case hasCode(err, libvirt.ERR_NO_NETWORK):
			authored, err := translate.AuthorNetwork(name, "")
			if err != nil {
				return nil, err
			}
			docs[name] = doc{authored, "the network is gone; its document was written by hookbridge"}
			if n := w.ledger.network(w.host.conn, name); n != nil {
				docs[name] = doc{n.Live, "the network is gone; this is its last live document"}
			}
		default:
			return nil, err
		}
	}
	return func(name string) (string, string) { return docs[name].text, docs[name].inexact }, nil
}

// networksOf names the networks of a domain's interfaces, announced and seen.
func networksOf(was *announcedDomain, seen translate.DomainSeen) []string {
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
		for _, doc := range []string{seen.Live, seen.Inactive} {
			nics, _ := translate.Interfaces(doc) // Look reports the error
			add(nics)
		}
	}
	return names
}
