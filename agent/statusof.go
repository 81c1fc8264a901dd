package agent

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"hookbridge/agent/book"
	"hookbridge/internal/history"
	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// Status tells how the agent stands. It asks nothing of libvirt and waits for no
// script, so it answers while both hang. The error says that the agent has ended, or
// that ctx did before it began.
func (a *Agent) Status(ctx context.Context) (Status, error) {
	s, r, err := a.summary(ctx)
	if err != nil {
		return s, err
	}
	if dir := a.cfg.HistoryDir; dir != "" {
		r.caller.book.Recall(history.Read(dir, history.Filter{Since: bootTime()}))
	}
	s.Networks = networksOfStatus(r.ledger, r.caller.book, r.dispatcher.load())
	return s, nil
}

// Summary is [Agent.Status] without its Networks, which take a millisecond for every
// ten guests, but with how many networks are up and interfaces plugged in.
func (a *Agent) Summary(ctx context.Context) (s Status, up, plugged int, err error) {
	s, r, err := a.summary(ctx)
	if err == nil {
		up, plugged = r.ledger.totals()
	}
	return s, up, plugged, err
}

func (a *Agent) summary(ctx context.Context) (Status, *running, error) {
	r, err := a.parts(ctx)
	if err != nil {
		return Status{}, nil, err
	}
	set := r.caller.settings.Load()
	s := Status{
		PID: os.Getpid(), Now: time.Now(), Started: r.started,
		HookDir: set.hooks.Dir, OnFailure: set.onFailure, Parallel: r.dispatcher.width(),
		Calls: CallStatus{Made: r.caller.made.Load(), Inexact: r.caller.inexact.Load()},
	}
	if s.LibvirtLibrary, err = LibraryVersion(); err != nil {
		s.LibvirtLibrary = err.Error()
	}
	undone := r.caller.undoer.counts.snapshot()
	s.Undo = UndoStatus{Done: orEmpty(undone.Done), Failed: orEmpty(undone.Failed), NotDone: undone.Not}
	s.Gate = r.gate.counts()
	if r.caller.history != nil {
		s.History = HistoryStatus{Dir: a.cfg.HistoryDir, Dropped: r.caller.history.Dropped()}
	}
	s.Running, s.Failures, s.Reconciles.Found = r.caller.book.Lists()
	s.Running, s.Failures = append([]book.RunningCall{}, s.Running...), append([]book.CallResult{}, s.Failures...)

	s.Connections, s.Reconciles.Made = []ConnectionStatus{}, map[Comparison]int{}
	for _, w := range r.watchers {
		c, standing := w.status()
		s.Connections = append(s.Connections, c)
		for why, n := range standing.compared {
			s.Reconciles.Made[why] += n
		}
		if standing.lastCompared.After(s.Reconciles.Last) {
			s.Reconciles.Last = standing.lastCompared
		}
		s.Queues.HintsWaiting += c.HintsWaiting
		s.Queues.HintsSpilled += c.HintsSpilled
		s.Queues.HintsDropped += c.HintsDropped
		s.Queues.Overflows += c.Overflows
	}
	lanes := r.dispatcher.load()
	for _, n := range lanes {
		s.Queues.CallsPlanned += n
	}
	s.Queues.CallsHeld, s.Queues.Running, s.Queues.Lanes = r.ledger.heldCalls(), len(s.Running), len(lanes)
	return s, r, nil
}

// bootTime is when this boot began.
func bootTime() time.Time {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(info.Uptime) * time.Second)
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// width is how many scripts may run at once.
func (d *dispatcher) width() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.parallel
}

func (w *watcher) status() (ConnectionStatus, connectionStanding) {
	now := w.standing.snapshot()
	c := ConnectionStatus{
		URI: w.uri, Optional: w.optional, Connected: now.connected, Ready: now.ready, Since: now.since,
		LastError: now.failure, LastErrorTime: now.failed, DaemonRun: now.daemon,
		FollowsNetworks: w.host.follows(w), NetworksKnownBy: w.host.conn,
		Reconnects: max(0, now.sessions-1), HintsDropped: now.dropped, Overflows: now.overflows, GuestsUnseen: now.unseen,
		Ops: w.replay.status(w.host.conn), Sources: now.sources(libvirtd.OnThisHost(w.uri)),
	}
	if now.version != 0 {
		c.LibvirtDaemon = translate.VersionText(now.version)
	}
	c.HintsWaiting, c.HintsSpilled = w.live.waiting()
	return c, now
}

// networksOfStatus puts together what is announced.
func networksOfStatus(l *ledger, b *book.Book, lanes map[string]int) []NetworkStatus {
	all := map[string]*NetworkStatus{}
	l.mu.Lock()
	for k, a := range l.networks {
		n := b.Network(a.Conn, a.Name)
		all[k] = &NetworkStatus{
			Name: a.Name, Connection: a.Conn, UUID: a.UUID, Up: true, Since: n.Since, LastCall: n.Last,
			Planned: lanes[k], Inexact: a.Inexact, Interfaces: []InterfaceStatus{},
		}
	}
	l.mu.Unlock()
	l.eachDomain(func(d *translate.Domain) {
		conn, noticed := cmp.Or(d.NetworkConn, d.Conn), l.noticed(d.Conn, d.UUID)
		add := func(nics []translate.Interface, refused bool) {
			for i := range nics {
				if nics[i].Network == "" {
					continue
				}
				k := key(conn, nics[i].Network)
				n := b.Interface(book.Interface{Connection: conn, Network: nics[i].Network, UUID: d.UUID, MAC: nics[i].MAC})
				if n.Since.IsZero() && !refused {
					n.Since = noticed
				}
				if all[k] == nil {
					all[k] = &NetworkStatus{Name: nics[i].Network, Connection: conn, Planned: lanes[k], Interfaces: []InterfaceStatus{}}
				}
				all[k].Interfaces = append(all[k].Interfaces, InterfaceStatus{
					Guest: d.Name, UUID: d.UUID, ID: d.ID, Connection: d.Conn, MAC: nics[i].MAC, Target: nics[i].Target,
					Refused: refused, Since: n.Since, LastCall: n.Last,
				})
			}
		}
		add(d.NICs, false)
		add(d.Refused, true)
	})
	list := make([]NetworkStatus, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		slices.SortStableFunc(all[k].Interfaces, func(a, b InterfaceStatus) int {
			return cmp.Or(cmp.Compare(a.Guest, b.Guest), cmp.Compare(a.UUID, b.UUID))
		})
		list = append(list, *all[k])
	}
	return list
}
