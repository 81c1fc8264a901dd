package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// ErrNoConnection says that the agent has no connection to a libvirtd that could do
// what was asked for.
var ErrNoConnection = errors.New("the agent has no connection to libvirt at the moment")

// StartNetwork starts a network as a libvirtd with the network hook does: start is
// called first, and if its script fails libvirt is never asked; then libvirt creates
// the network, and started is called, whose failure takes the network down again. On
// a libvirtd that has the hook itself it only asks libvirt.
//
// uri names the connection; empty means the one through which the agent follows the
// host's networks. The error carries the script's own words, or libvirt's.
func (a *Agent) StartNetwork(ctx context.Context, uri, name string) error {
	r, err := a.parts(ctx)
	if err != nil {
		return err
	}
	w := r.follower(uri)
	if w == nil {
		return ErrNoConnection
	}
	conn, giveBack, err := w.live.borrow(ctx, w.uri)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoConnection, err)
	}
	defer giveBack()
	network, err := conn.LookupNetworkByName(name)
	if err != nil {
		return libvirtSays(name, err)
	}
	defer func() { _ = network.Free() }()
	if ops := r.replay.ops(w.host.conn); !ops[translate.OpStart] && !ops[translate.OpStarted] {
		return libvirtSays(name, network.Create())
	}
	if active, err := network.IsActive(); err != nil || active {
		if err == nil {
			err = errors.New("it is active already")
		}
		return libvirtSays(name, err)
	}
	begun, err := r.beginStart(w, name, network)
	if err != nil {
		return err
	}
	defer r.ledger.endStart(w.host.conn, name)
	if f, err := begun.start.wait(ctx); err != nil {
		return fmt.Errorf("network %s: start: %w", name, err)
	} else if f != nil && f.Report.Verdict() != nil {
		return fmt.Errorf("network %s is not started: %w", name, f.Report.Verdict())
	}
	if err := network.Create(); err != nil {
		return fmt.Errorf("%w; its start hook had been called", libvirtSays(name, err))
	}
	w.live.look(hint{kind: networkHint, name: name, kick: true, id: -1, arrived: time.Now()})
	f, err := begun.started.wait(ctx)
	if err != nil {
		return fmt.Errorf("network %s is up; started: %w", name, err)
	}
	if f != nil && f.Report.Verdict() != nil {
		return fmt.Errorf("network %s: %w; %s", name, f.Report.Verdict(), f.Undo.Text)
	}
	return nil
}

// follower returns the watcher with a connection that follows a host's networks.
func (r *running) follower(uri string) *watcher {
	for _, w := range r.watchers {
		if (uri == "" || w.uri == uri || w.host.conn == uri) && w.live.connected() && w.host.follows(w) {
			return w
		}
	}
	return nil
}

func libvirtSays(network string, err error) error {
	if err == nil {
		return nil
	}
	if e := (libvirt.Error{}); errors.As(err, &e) {
		return fmt.Errorf("network %s: libvirt: %s", network, e.Message)
	}
	return fmt.Errorf("network %s: %w", network, err)
}

// beganStart is a network's start by hand, under way.
type beganStart struct{ start, started *outcome }

// beginStart plans the start call.
func (r *running) beginStart(w *watcher, name string, network *libvirt.Network) (*beganStart, error) {
	uuid, err := network.GetUUIDString()
	if err != nil {
		return nil, libvirtSays(name, err)
	}
	text, err := network.GetXMLDesc(libvirt.NETWORK_XML_INACTIVE)
	if err != nil {
		text, err = network.GetXMLDesc(0) // libvirt before 0.9.10
	}
	if err != nil {
		return nil, libvirtSays(name, err)
	}
	_, calls := (*translate.Network)(nil).Look(translate.NetworkSeen{
		Conn: w.host.conn, Name: name, UUID: uuid, Active: true, Live: text, Inactive: text, Cause: translate.CauseManual,
	})
	return r.ledger.beginStart(w.host.conn, name, calls[:1])
}

// beginStart submits the start call of a network that is about to be started by hand.
func (l *ledger) beginStart(conn, name string, calls []translate.Call) (*beganStart, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(conn, name)
	if l.starting[k] != nil || l.networks[k] != nil {
		return nil, fmt.Errorf("network %s is being started or stopped already", name)
	}
	began := &beganStart{newOutcome(), newOutcome()}
	l.starting[k] = began
	l.send(change{conn: conn, bucket: store.Networks, key: k, calls: calls, outcome: began.start})
	return began, nil
}

// endStart forgets a start by hand.
func (l *ledger) endStart(conn, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.starting, key(conn, name))
}

// outcome is what somebody waits for to learn how a call has ended.
type outcome struct {
	finished *Finished // nil: no script was to be run
	over     chan struct{}
}

func newOutcome() *outcome { return &outcome{over: make(chan struct{})} }

// tell and end are called by the one who makes the call, in this order.
func (o *outcome) tell(f Finished) {
	if o != nil && (o.finished == nil || o.finished.Report.Verdict() == nil) {
		told := f // on the heap, which f is to stay off for the calls that nobody waits for
		o.finished = &told
	}
}

func (o *outcome) end() {
	if o != nil {
		close(o.over)
	}
}

func (o *outcome) wait(ctx context.Context) (*Finished, error) {
	select {
	case <-o.over:
		return o.finished, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("its scripts have not ended yet: %w", context.Cause(ctx))
	}
}
