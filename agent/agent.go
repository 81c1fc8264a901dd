package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/agent/book"
	"hookbridge/internal/history"
	"hookbridge/internal/libvirtd"
	"hookbridge/internal/process"
	"hookbridge/internal/store"
)

// Agent watches libvirt and runs hook scripts. Make one with [New]. Its methods
// may be called from any goroutine.
type Agent struct {
	cfg Config

	ready   chan struct{} // closed when running is set
	ended   chan struct{} // closed when Run has returned
	running *running
}

// running is what a running agent consists of.
type running struct {
	keeper     keeper
	replay     *replay
	caller     *caller
	dispatcher *dispatcher
	gate       *gate
	ledger     *ledger
	watchers   []*watcher
	settled    *settled
	started    time.Time
}

// parts returns what the agent consists of, once it runs. The error says that it
// has ended, or that ctx did first.
func (a *Agent) parts(ctx context.Context) (*running, error) {
	select {
	case <-a.ended:
		return nil, errEnded
	default:
	}
	select {
	case <-a.ready:
		return a.running, nil
	case <-a.ended:
		return nil, errEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Healthy returns nil while the agent runs, and else why it does not.
func (a *Agent) Healthy() error {
	select {
	case <-a.ended:
		return errEnded
	default:
	}
	select {
	case <-a.ready:
		return nil
	default:
		return errNotYet
	}
}

var (
	errEnded  = errors.New("the agent has ended")
	errNotYet = errors.New("the agent does not run yet")
)

// New checks a configuration and fills in its defaults. The error is about the
// configuration alone: nothing is connected, nothing is read.
func New(cfg Config) (*Agent, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	return &Agent{cfg: cfg, ready: make(chan struct{}), ended: make(chan struct{})}, nil
}

// Observe makes the agent tell also fn of each finished call, like [Config.OnCall]. It
// must be called before Run.
func (a *Agent) Observe(fn func(Finished)) {
	first := a.cfg.OnCall
	a.cfg.OnCall = func(f Finished) {
		if first != nil {
			first(f)
		}
		fn(f)
	}
}

// Run watches until ctx is cancelled, then takes no more events, lets the
// scripts that run finish, and returns nil. An unreachable libvirtd, a missing
// hook directory and a failing script are no reasons to return. The error says
// that libvirt's client library could not be set up at all, or that the state
// cannot be opened: another agent has it, or a newer hookbridge wrote it. An agent
// runs once.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer close(a.ended)
	log := a.cfg.Log
	keeper := keeper{log: log}
	if a.cfg.StateDir != "" {
		if keeper.store, err = openStore(a.cfg.StateDir, log); err != nil {
			return err
		}
		keeper.store.Failed = keeper.failed
		defer func() { err = errors.Join(err, keeper.store.Close()) }()
	}
	earlier, err := keeper.load()
	if err != nil {
		return err
	}

	stopLoop, err := runEventLoop(func(err error) {
		log.WithError(err).Error("libvirt's event loop has ended")
	})
	if err != nil {
		return err
	}

	r := a.assemble(ctx, keeper, earlier)
	if a.cfg.HistoryDir != "" {
		if r.caller.history, err = history.Open(a.cfg.HistoryDir, history.Limits{}); err != nil {
			log.WithError(err).Error("the runs of hook scripts cannot be written down")
		} else {
			defer func() { err = errors.Join(err, r.caller.history.Close()) }()
		}
	}
	defer context.AfterFunc(ctx, func() {
		r.dispatcher.stop()
		log.Info("stopping: scripts that run are let finish")
	})()
	a.running = r
	close(a.ready)

	var watchers sync.WaitGroup
	for _, w := range r.watchers {
		watchers.Go(func() { w.watch(ctx) })
	}
	left := 0
	awaitOrHangUp(ctx, func() {
		watchers.Wait()
		left = r.dispatcher.close()
		for _, w := range r.watchers {
			w.live.beside.end()
		}
	}, log)
	if left > 0 {
		log.WithField("calls", left).Warn("stopped with hook calls that were not made; they are kept for the next start")
	}
	undone := r.caller.undoer.counts.snapshot()
	log.WithFields(logrus.Fields{
		"calls": r.caller.made.Load(), "inexact": r.caller.inexact.Load(), "undone": undone.Done, "undo_failed": undone.Failed,
	}).Info("stopped")
	stopLoop()
	return nil
}

// assemble puts together what runs, with what an earlier run has left.
func (a *Agent) assemble(ctx context.Context, keeper keeper, earlier kept) *running {
	log := a.cfg.Log
	r := &running{keeper: keeper, replay: newReplay(a.cfg.Ops), started: time.Now()}
	r.caller = &caller{
		ops:    r.replay.ops,
		book:   book.New(),
		keeper: keeper,
		log:    log,
		onCall: a.cfg.OnCall,
	}
	r.caller.settings.Store(settingsOf(a.cfg))
	r.caller.count.restore(earlier.counts)
	// Scripts are not tied to ctx: they are let finish.
	r.dispatcher = newDispatcher(context.WithoutCancel(ctx), a.cfg.Parallel, r.caller.call)
	r.caller.book.Restore(earlier.networks, earlier.domains)
	r.ledger = newLedger(func(c chain) {
		for i := range c.tasks {
			r.caller.book.Planned(&c.tasks[i].call, c.planned, c.tasks[i].retry)
		}
		r.dispatcher.submit(c)
	}, keeper)
	r.ledger.tally = func(c chain) (counts []keptCount, ok bool) {
		if counts, ok = r.caller.tally(r.dispatcher, c); ok {
			for i := range c.tasks {
				r.caller.book.Remembered(&c.tasks[i].call, c.planned)
			}
		}
		return counts, ok
	}
	r.ledger.withdraw, r.ledger.abandon = r.dispatcher.withdraw, r.dispatcher.abandon
	r.ledger.restore(earlier)
	r.ledger.recordOnly = a.cfg.Adopt == AdoptRecord
	if n := len(earlier.chains); n > 0 {
		log.WithField("chains", n).Info("an earlier run left calls unfinished: they are made again")
	}
	r.watchers = a.watchers(r.ledger, r.replay)
	r.settled = newSettled(len(r.watchers), a.cfg.OnSettled)
	for _, w := range r.watchers {
		w.settled = r.settled
	}
	r.gate = &gate{
		ledger: r.ledger, dispatcher: r.dispatcher, replay: r.replay, watchers: r.watchers, log: log,
		calledBy: new(libvirtd.Callers).Of,
		hookDir:  func() string { return r.caller.settings.Load().hooks.Dir },
	}
	r.caller.undoer = &undoer{settings: &r.caller.settings, ledger: r.ledger, watchers: r.watchers}
	return r
}

// openStore opens the store of this boot and tells what became of an older one.
func openStore(dir string, log *logrus.Logger) (*store.Store, error) {
	boot, err := process.Boot()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(dir, boot)
	if err != nil {
		return nil, err
	}
	if s.Dropped != "" {
		log.Warn(s.Dropped)
	}
	return s, nil
}

// watchers returns one watcher for each connection. The connections to this
// host's libvirtd share its networks; any other has networks of its own.
func (a *Agent) watchers(ledger *ledger, replay *replay) []*watcher {
	uris, optional := a.cfg.Connect, false
	if len(uris) == 0 {
		uris, optional = defaultConnect, true
	}
	var local *hostNetworks
	var all []*watcher
	for _, uri := range uris {
		host := &hostNetworks{conn: uri}
		if libvirtd.OnThisHost(uri) {
			if local == nil {
				local = host
			}
			host = local
		}
		all = append(all, &watcher{
			uri:      uri,
			ledger:   ledger,
			replay:   replay,
			optional: optional,
			without:  a.cfg.Without,
			runDir:   a.cfg.LibvirtRunDir,
			libDir:   a.cfg.LibvirtStateDir,

			reconcileInterval: a.cfg.ReconcileInterval,

			host:     host,
			takeOver: make(chan struct{}, 1),
			log:      a.cfg.Log.WithField("connection", uri),
			onReady:  a.cfg.OnReady,
		})
	}
	return all
}
