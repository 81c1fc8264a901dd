package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/internal/libvirtd"
)

// watcher owns one connection for as long as the agent runs. All libvirt calls
// of the connection are made by its goroutine, or for it, one after the other, so what it
// sees of an object it enters into the ledger in the order in which it saw it.
type watcher struct {
	uri     string
	ledger  *ledger
	replay  *replay
	log     *logrus.Entry
	onReady func(uri string)
	settled *settled

	// optional says that nobody asked for this connection: a host that does not
	// offer it is nothing to warn about.
	optional bool

	// daemon names the run of the libvirtd behind this session, dirs are where it
	// keeps its status files. runDir and libDir override what is found.
	daemon         string
	dirs           libvirtd.StatusDirs
	runDir, libDir string

	// live is the present session, for who works beside it.
	live liveSession

	// handles are objects of that session.
	handles networkHandles

	standing standing

	// documents are those of networks that have been read during the comparison
	// that is under way; nil otherwise.
	documents map[string]networkDoc

	// asking is held for each request while guests are read ahead, so that one is under
	// way at a time. Of several that are when keepalive gives a connection up, the
	// client library of libvirt 6.1 to 10.3 comes out of the first only, and crashes
	// when something moves again (virNetClientIOEventLoop leaves a source behind that
	// points to the first thread's stack, CVE-2024-4418).
	asking sync.Mutex

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

	// has are the features of this session, without those that are switched off.
	has     *features
	without []Feature

	// reconcileInterval is how often everything is compared, 0 for what suits
	// the features.
	reconcileInterval time.Duration

	// givingBack is what giveBack has begun.
	givingBack sync.WaitGroup
}

// Keepalive of 5 s, lost after 5: libvirtd's own defaults.
const (
	keepaliveInterval = 5
	keepaliveCount    = 5
)

// watch keeps the connection until ctx ends.
func (w *watcher) watch(ctx context.Context) {
	defer w.givingBack.Wait()
	delay := backoff.NewExponentialBackOff()
	delay.InitialInterval = 500 * time.Millisecond
	delay.MaxInterval = 30 * time.Second
	if libvirtd.OnThisHost(w.uri) {
		// A socket that is not there costs nothing to try, and what happens before
		// the agent is back is told late.
		delay.MaxInterval = 5 * time.Second
	}
	told := ""
	for ctx.Err() == nil {
		established, err := w.session(ctx)
		w.standing.down(err)
		if ctx.Err() != nil {
			return
		}
		w.settled.knows(w)
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

// handle looks at the object that a hint names. An error that is about the
// object alone is logged; the others end the session.
func (w *watcher) handle(conn *libvirt.Connect, h hint) error {
	var err error
	switch {
	case h.kind == newBridgeHint || h.kind == goneLinkHint:
		err = w.handleLink(conn, h)
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
	if aliveErr := alive(conn); aliveErr != nil {
		return err
	}
	w.log.WithError(err).WithField("object", h.String()).Error("cannot be read from libvirt; its hooks wait for the next event")
	return nil
}

// handleLink looks at what a link of the kernel's belongs to.
func (w *watcher) handleLink(conn *libvirt.Connect, h hint) error {
	if h.kind == newBridgeHint {
		if !w.host.follows(w) || w.has.has(NetworkEvents) {
			return nil
		}
		return w.reconcileNetworks(conn)
	}
	if network := w.ledger.networkOver(w.host.conn, h.name); network != "" && w.host.follows(w) {
		return w.lookAtNetwork(conn, network, h.cause(), h)
	}
	if uuid := w.ledger.domainWithTarget(w.uri, h.name); uuid != "" {
		return w.lookAtDomain(conn, uuid, h.cause(), h)
	}
	return nil
}
