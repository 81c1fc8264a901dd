package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// slowConnect is how long a libvirtd that does not answer counts as one that is about
// to. At boot its socket may be there, kept by the service manager, while libvirtd
// itself is only started when the agent says that it is ready.
const slowConnect = time.Second

// session is the life of one connection. It reports whether it came up, and why
// it ended.
func (w *watcher) session(ctx context.Context) (established bool, err error) {
	slow := time.AfterFunc(slowConnect, func() { w.settled.knows(w) })
	conn, err := libvirt.NewConnect(w.uri)
	slow.Stop()
	if err != nil {
		return false, err
	}
	queue := newHintQueue(w.spill())
	defer w.live.end(conn)
	defer queue.close()
	w.handles.begin(conn)
	defer w.handles.end()

	w.has = newFeatures(w.without)
	closed := make(chan struct{})
	if w.has.allowed(CloseCallback) {
		closeOnce := sync.OnceFunc(func() { close(closed) })
		err := conn.RegisterCloseCallback(func(*libvirt.Connect, libvirt.ConnectCloseReason) { closeOnce() })
		if w.has.found(CloseCallback, err == nil); err == nil {
			defer func() { _ = conn.UnregisterCloseCallback() }()
		}
	}
	// Without keepalive (the test driver, libvirt before 0.9.8) a dead
	// connection is noticed by the next call that fails.
	_ = conn.SetKeepAlive(keepaliveInterval, keepaliveCount)

	subs, err := subscribe(conn, queue, w.has, w.log)
	if err != nil {
		return false, err
	}
	defer func() {
		for _, s := range subs {
			_ = s.deregister()
		}
	}()
	w.findDaemon()
	w.live.begin(conn, queue, w.dirs)
	if libvirtd.OnThisHost(w.uri) && w.has.allowed(Kicks) {
		kicks, err := startKicks(w.dirs, libvirtd.Driver(w.uri), queue)
		if err != nil {
			w.log.WithError(err).Warn("status files cannot be watched: what libvirt has no event for is noticed late or not at all")
		}
		if kicks != nil {
			w.has.found(Kicks, true)
			defer kicks.stop()
		}
	}
	w.connected(conn)

	w.host.join(w)
	defer w.host.leave(w)
	if err := w.compare(ComparedAtConnect, conn, w.reconcile); err != nil {
		return true, err
	}
	w.standing.settledDown()
	w.ledger.adopt(w.uri)
	w.log.Info("watching")
	if w.onReady != nil {
		w.onReady(w.uri)
	}
	w.settled.knows(w)
	return true, w.follow(ctx, conn, queue, closed)
}

// spill returns where this connection's hints wait when there are too many.
func (w *watcher) spill() spill {
	if w.ledger.keeper.store == nil {
		return nil
	}
	s := storeSpill{w.ledger.keeper, w.uri}
	if err := s.forget(); err != nil {
		w.log.WithError(err).Error("events of an earlier session cannot be forgotten")
	}
	return s
}

// findDaemon finds the process behind this session and where it keeps its files.
func (w *watcher) findDaemon() {
	w.daemon, w.dirs = "", libvirtd.UsualStatusDirs()
	if !libvirtd.OnThisHost(w.uri) {
		return
	}
	p, err := libvirtd.Find()
	if err != nil {
		w.log.WithError(err).Debug("whether libvirtd is restarted will not be noticed")
	} else {
		w.daemon = p.String()
	}
	w.dirs = p.StatusDirs().Named(w.runDir, w.libDir)
}

// connected finds out what kind of libvirtd this is and says so.
func (w *watcher) connected(conn *libvirt.Connect) {
	daemonVersion, err := conn.GetLibVersion()
	if err != nil {
		w.log.WithError(err).Debug("libvirtd does not tell its version")
	}
	w.trueStarted = daemonVersion >= 1002011
	w.hidesNetworks = daemonVersion >= 1002002 && daemonVersion < 1002011
	w.log.WithFields(logrus.Fields{"libvirt": translate.VersionText(daemonVersion), "features": w.has.String()}).Info("connected")
	_, reconcileInterval := w.intervals()
	w.standing.up(daemonVersion, w.daemon, w.has, reconcileInterval)

	verdict := libvirtd.Judge(w.uri, daemonVersion)
	defer w.ledger.resume(w.host.conn)
	w.judged(verdict)
}

// judged enters the verdict on the libvirtd behind the connection, and says so if it is
// a new one.
func (w *watcher) judged(verdict translate.Verdict) {
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

// livenessInterval is how often a connection is asked whether it still is one,
// where no close callback tells.
const livenessInterval = 2 * time.Second

// missedEventsInterval is how often everything is compared where libvirt lacks
// events, unless the configuration says otherwise.
const missedEventsInterval = 30 * time.Second

// every returns a channel that ticks, or never does for an interval of 0.
func every(interval time.Duration) (ticks <-chan time.Time, stop func()) {
	if interval <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(interval)
	return t.C, t.Stop
}

// intervals returns how often to ask for life and to compare everything.
func (w *watcher) intervals() (liveness, reconcile time.Duration) {
	if !w.has.has(CloseCallback) {
		liveness = livenessInterval
	}
	reconcile = w.reconcileInterval
	if reconcile == 0 && (!w.has.has(NetworkEvents) || !w.has.has(DeviceAdded) || !w.has.has(DeviceRemoved)) {
		reconcile = missedEventsInterval
	}
	return liveness, reconcile
}

// follow handles hints until the connection is lost or ctx ends.
func (w *watcher) follow(ctx context.Context, conn *libvirt.Connect, queue *hintQueue, closed <-chan struct{}) error {
	livenessInterval, reconcileInterval := w.intervals()
	liveness, stopLiveness := every(livenessInterval)
	defer stopLiveness()
	reconcile, stopReconcile := every(reconcileInterval)
	defer stopReconcile()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-closed:
			return errClosed
		case <-w.takeOver:
			err = w.compare(ComparedTakeOver, conn, w.reconcileNetworks)
		case <-liveness:
			err = alive(conn)
		case <-reconcile:
			err = w.compare(ComparedOnTime, conn, w.reconcile)
		case <-queue.ready:
			err = w.handleAll(ctx, conn, queue)
		}
		if err != nil {
			return err
		}
	}
}

// handleAll handles what waits in the queue.
func (w *watcher) handleAll(ctx context.Context, conn *libvirt.Connect, queue *hintQueue) error {
	hints, overflow, dropped := queue.take()
	defer releaseAll(hints)
	for _, h := range hints {
		if ctx.Err() != nil {
			return nil
		}
		if err := w.handle(conn, h); err != nil {
			return fmt.Errorf("%s: %w", h, err)
		}
	}
	if overflow {
		w.log.WithField("dropped", dropped).Warn("more events than could be kept: comparing everything instead")
		w.standing.overflowed(dropped)
		return w.compare(ComparedOnOverflow, conn, w.reconcile)
	}
	return nil
}

// alive asks whether a connection still is one. virConnectIsAlive is in libvirt
// since 0.9.8; before, any call that goes to the daemon tells.
func alive(conn *libvirt.Connect) error {
	there, err := conn.IsAlive()
	if err == nil && there {
		return nil
	}
	if err == nil {
		return errClosed
	}
	if _, err := conn.GetLibVersion(); err != nil {
		return fmt.Errorf("%w: %w", errClosed, err)
	}
	return nil
}
