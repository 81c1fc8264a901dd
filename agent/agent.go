package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/sirupsen/logrus"

	"hookbridge/exec"
	"hookbridge/internal/history"
	"hookbridge/internal/store"
	"hookbridge/translate"
)

// Agent watches libvirt and runs hook scripts. Make one with [New].
type Agent struct {
	cfg Config
}

// New checks a configuration and fills in its defaults. The error is about the
// configuration alone: nothing is connected, nothing is read.
func New(cfg Config) (*Agent, error) {
	for _, uri := range cfg.Connect {
		if err := CheckURI(uri); err != nil {
			return nil, err
		}
	}
	if cfg.Parallel < 0 || cfg.Timeout < 0 {
		return nil, errors.New("neither the number of parallel scripts nor their timeout can be negative")
	}
	if cfg.HookDir == "" {
		cfg.HookDir = defaultHookDir
	}
	var err error
	if cfg.HookDir, err = filepath.Abs(cfg.HookDir); err != nil {
		return nil, fmt.Errorf("hook directory: %w", err)
	}
	switch cfg.Adopt {
	case "":
		cfg.Adopt = AdoptAnnounce
	case AdoptAnnounce, AdoptRecord:
	default:
		return nil, fmt.Errorf("what is there already can be met with %q or %q, not with %q", AdoptAnnounce, AdoptRecord, cfg.Adopt)
	}
	switch cfg.OnFailure {
	case "":
		cfg.OnFailure = OnFailureUndo
	case OnFailureUndo, OnFailureLog:
	default:
		return nil, fmt.Errorf("a script that fails can lead to %q or %q, not to %q", OnFailureUndo, OnFailureLog, cfg.OnFailure)
	}
	if cfg.Payload == "" {
		cfg.Payload = translate.Payload123
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = runtime.NumCPU()
	}
	if cfg.Log == nil {
		cfg.Log = logrus.StandardLogger()
	}
	return &Agent{cfg: cfg}, nil
}

// Run watches until ctx is cancelled, then takes no more events, lets the
// scripts that run finish, and returns nil. An unreachable libvirtd, a missing
// hook directory and a failing script are no reasons to return. The error says
// that libvirt's client library could not be set up at all, or that the state
// cannot be opened: another agent has it, or a newer hookbridge wrote it.
func (a *Agent) Run(ctx context.Context) (err error) {
	log := a.cfg.Log
	keeper := keeper{log: log}
	if a.cfg.StateDir != "" {
		if keeper.store, err = openStore(a.cfg.StateDir, log); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, keeper.store.Close()) }()
	}
	earlier, err := keeper.load()
	if err != nil {
		return err
	}

	stopLoop := make(chan struct{})
	loopEnded, err := runEventLoop(stopLoop, func(err error) {
		log.WithError(err).Error("libvirt's event loop has ended")
	})
	if err != nil {
		return err
	}

	replay := newReplay(a.cfg.Ops)
	caller := &caller{
		hooks:   &exec.Hooks{Dir: a.cfg.HookDir, Name: "network", Timeout: a.cfg.Timeout},
		payload: a.cfg.Payload,
		ops:     replay.ops,
		keeper:  keeper,
		log:     log,
		onCall:  a.cfg.OnCall,
	}
	caller.count.restore(earlier.counts)
	// Scripts are not tied to ctx: they are let finish.
	dispatcher := newDispatcher(context.WithoutCancel(ctx), a.cfg.Parallel, caller.call)
	defer context.AfterFunc(ctx, func() {
		dispatcher.stop()
		log.Info("stopping: scripts that run are let finish")
	})()
	ledger := newLedger(dispatcher.submit, keeper)
	ledger.withdraw = dispatcher.withdraw
	ledger.restore(earlier)
	ledger.recordOnly = a.cfg.Adopt == AdoptRecord
	if n := len(earlier.chains); n > 0 {
		log.WithField("chains", n).Info("an earlier run left calls unfinished: they are made again")
	}

	all := a.watchers(ledger, replay)
	caller.undoer = &undoer{policy: a.cfg.OnFailure, ledger: ledger, watchers: all}
	if a.cfg.HistoryDir != "" {
		if caller.history, err = history.Open(a.cfg.HistoryDir, history.Limits{}); err != nil {
			log.WithError(err).Error("the runs of hook scripts cannot be written down")
		} else {
			defer func() { err = errors.Join(err, caller.history.Close()) }()
		}
	}
	var watchers sync.WaitGroup
	for _, w := range all {
		watchers.Go(func() { w.watch(ctx) })
	}
	watchers.Wait()
	if left := dispatcher.close(); left > 0 {
		log.WithField("calls", left).Warn("stopped with hook calls that were not made; they are kept for the next start")
	}
	undone := caller.undoer.counts.snapshot()
	log.WithFields(logrus.Fields{
		"calls": caller.made.Load(), "inexact": caller.inexact.Load(), "undone": undone.Done, "undo_failed": undone.Failed,
	}).Info("stopped")
	close(stopLoop)
	<-loopEnded
	return nil
}

// openStore opens the store of this boot and tells what became of an older one.
func openStore(dir string, log *logrus.Logger) (*store.Store, error) {
	boot, err := store.Boot()
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

// defaultConnect are the connections that a host may offer; those that it does
// not offer are left alone.
var defaultConnect = []string{"qemu:///system", "lxc:///"}

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
		if localDaemon(uri) {
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
