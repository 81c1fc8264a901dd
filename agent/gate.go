package agent

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/internal/gate/ask"
	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// GateCall is one call of libvirtd's own guest hook, as the shim hands it over.
type GateCall = ask.Call

// GateAnswer is what the shim tells libvirtd.
type GateAnswer struct {
	Allow   bool   `json:"allow"`
	Message string `json:"message,omitempty"` // for who starts the guest
}

// Gate answers one call of libvirtd's guest hook. libvirtd waits meanwhile, and may
// hold locks: nothing here calls libvirt, nor waits for anything that does. When ctx
// ends the shim has gone, and libvirtd goes on without an answer.
//
// At prepare, or at start on a libvirtd that has no prepare (before 0.9.0, LXC before
// 0.9.13), plugged is called for each of the guest's interfaces in a network, in the
// order of the document; the answer waits for it. stopped and release queue unplugged;
// reconnect queues plugged for QEMU guests. Everything else passes.
func (a *Agent) Gate(ctx context.Context, call GateCall) GateAnswer {
	r, err := a.parts(ctx)
	if err != nil {
		return unasked(call, err.Error())
	}
	return r.gate.answer(ctx, call)
}

// gate answers for libvirtd's guest hooks.
type gate struct {
	ledger     *ledger
	dispatcher *dispatcher
	replay     *replay
	watchers   []*watcher
	calledBy   func(pid int) libvirtd.Caller
	hookDir    func() string
	log        *logrus.Logger

	asked, refused, unasked, passed atomic.Int64
}

func (g *gate) counts() GateStatus {
	return GateStatus{g.asked.Load(), g.refused.Load(), g.unasked.Load(), g.passed.Load()}
}

// timeout is how long the scripts may take: less than the shim waits, by what the
// answer needs to reach it.
func timeout(call GateCall) time.Duration {
	t := time.Duration(call.Timeout) * time.Millisecond
	if t <= 0 {
		t = ask.DefaultTimeout
	}
	return t - min(t/10, 300*time.Millisecond)
}

var pass = GateAnswer{Allow: true}

// unasked is the answer when the scripts cannot be asked.
func unasked(call GateCall, reason string) GateAnswer {
	if call.Unavailable == ask.Deny {
		return GateAnswer{Message: fmt.Sprintf("hookbridge: guest %s is refused, since its hook scripts could not be asked (gate.unavailable = deny): %s", call.Object, reason)}
	}
	return GateAnswer{Allow: true, Message: fmt.Sprintf("hookbridge: guest %s is let pass, though its hook scripts could not be asked (gate.unavailable = allow): %s", call.Object, reason)}
}

func (g *gate) answer(ctx context.Context, call GateCall) GateAnswer {
	w := g.watcher(call.Guest)
	if w == nil {
		return pass
	}
	log := w.log.WithFields(logrus.Fields{"domain": call.Object, "guest_hook": call.Op})
	d := g.calledBy(call.PID)
	d.StatusDirs = d.StatusDirs.Named(w.runDir, w.libDir)
	if !g.ours(d, w) {
		g.passed.Add(1)
		log.Debug("passed through: this libvirtd calls the network hook itself")
		return pass
	}
	seen := translate.DomainSeen{
		Conn: w.uri, NetworkConn: w.host.conn, Name: call.Object,
		Running: true, Live: call.Document, Cause: translate.CauseGate, Daemon: d.Network.String(),
	}
	head, err := seen.Head()
	seen.UUID, seen.ID = head.UUID, head.ID
	if seen.UUID == "" {
		if seen.UUID = g.ledger.domainNamed(w.uri, call.Object); seen.UUID == "" {
			log.WithError(err).Warn("libvirtd's guest hook got a document without a UUID; the guest's events tell of it")
			return pass
		}
	}
	switch call.Op {
	case "prepare":
		return g.admit(ctx, w, d, call, seen, log)
	case "start":
		if g.ledger.gated(seen.Conn, seen.UUID) {
			return pass // at prepare
		}
		return g.admit(ctx, w, d, call, seen, log)
	case "stopped", "release":
		g.ledger.dismiss(seen.Conn, seen.UUID, seen.ID)
	case "reconnect":
		if call.Guest != "lxc" {
			g.rejoin(w, d, seen, log)
		}
	}
	return pass
}

// watcher returns the watcher of the connection whose guests a guest hook is about.
func (g *gate) watcher(guest string) *watcher {
	for _, w := range g.watchers {
		if libvirtd.OnThisHost(w.uri) && libvirtd.Driver(w.uri) == guest {
			return w
		}
	}
	return nil
}

// ours reports whether the calls about interfaces are to be made for this libvirtd. A
// libvirtd that nobody has connected to yet, or another one than at the last connect,
// is judged here.
func (g *gate) ours(d libvirtd.Caller, w *watcher) bool {
	if d.Judged && g.replay.news(w.host.conn, d.Verdict) {
		w.judged(d.Verdict)
	}
	// Chains of an earlier run of the agent come before what is planned now.
	g.ledger.resume(w.host.conn)
	ops := g.replay.ops(w.host.conn)
	return ops[translate.OpPlugged] || ops[translate.OpPortCreated]
}

// admit asks the scripts about a guest that is about to start.
func (g *gate) admit(ctx context.Context, w *watcher, d libvirtd.Caller, call GateCall, seen translate.DomainSeen, log *logrus.Entry) GateAnswer {
	if ctx.Err() != nil { // the shim has gone: the agent was stopped, or too busy
		g.unasked.Add(1)
		if call.Unavailable != ask.Deny {
			g.ledger.letPass(seen.Conn, seen.UUID)
		}
		log.Warn("the guest's hook scripts were not asked before its start: the agent had not answered in time")
		return pass
	}
	if g.dispatcher.ending() {
		g.unasked.Add(1)
		return unasked(call, stopping)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(call))
	defer cancel()
	nics, err := seen.Interfaces()
	if err != nil {
		log.WithError(err).Warn("the guest's document cannot be read to its end")
	}
	networks := g.networks(w, d, nics)
	switch {
	case networks.refused != "":
		g.refused.Add(1)
		return GateAnswer{Message: "hookbridge: " + takenDown(networks.refused)}
	case networks.down != "":
		log.WithField("network", networks.down).Debug("the network is not active: libvirtd will not start the guest")
		return pass
	}
	seen.Gated = true
	seen.Started = translate.StartedBooted
	g.asked.Add(1)
	p := newPassage()
	g.ledger.admit(seen, networks.docs, p)
	select {
	case <-p.over:
	case <-ctx.Done():
		p.block(fmt.Sprintf("they had not all ended in %s", timeout(call).Round(time.Millisecond)))
	}
	return g.conclude(w, call, seen, p, networks.docs, log)
}

// conclude makes the answer from what came of a passage.
func (g *gate) conclude(w *watcher, call GateCall, seen translate.DomainSeen, p *passage, docs translate.NetworkDocs, log *logrus.Entry) GateAnswer {
	refusal, trouble, blocked := p.outcome()
	guest := key(seen.Conn, seen.Name)
	switch {
	case refusal != nil:
		g.refused.Add(1)
		g.ledger.turnedAway(seen.Conn, seen.UUID, p, docs, false)
		return GateAnswer{Message: words(*refusal)}
	case blocked != "":
		g.unasked.Add(1)
		g.ledger.keeper.cut(g.dispatcher.cancel(guest, p))
		answer := unasked(call, blocked)
		g.ledger.turnedAway(seen.Conn, seen.UUID, p, docs, answer.Allow)
		log.Warn(strings.TrimPrefix(answer.Message, "hookbridge: "))
		return answer
	case len(trouble) > 0:
		g.unasked.Add(1)
		answer := unasked(call, strings.Join(trouble, "; "))
		if !answer.Allow {
			g.ledger.turnedAway(seen.Conn, seen.UUID, p, docs, false)
			return answer
		}
		g.ledger.admitted(seen.Conn, seen.UUID, p)
		return answer
	}
	g.ledger.admitted(seen.Conn, seen.UUID, p)
	// An LXC guest whose start fails after this has neither a hook nor an event to
	// tell of it.
	time.AfterFunc(failedStartLook, func() {
		w.live.look(hint{kind: domainHint, name: seen.Name, kick: true, id: -1, arrived: time.Now()})
	})
	return pass
}

// failedStartLook is how long after the gate a guest is looked at unasked. libvirt
// answers when the start has ended, so the time does not matter.
const failedStartLook = 10 * time.Second

// words are the script's own, behind a line that says whose they are.
func words(f Finished) string {
	verdict := f.Report.Verdict()
	text := fmt.Sprintf("hookbridge: network %s refuses interface %s: %v", f.Call.Network, f.Call.NIC.MAC, verdict)
	for i := range f.Report.Scripts {
		o := &f.Report.Scripts[i]
		if o.Path != verdict.Path {
			continue
		}
		said := strings.TrimSpace(string(o.Stderr.Head))
		if _, more, ok := strings.Cut(said, "\n"); ok {
			text += "\n" + more
		}
	}
	return text
}

// rejoin announces a guest again after a restart of libvirtd, which says so before
// anybody can connect to it.
func (g *gate) rejoin(w *watcher, d libvirtd.Caller, seen translate.DomainSeen, log *logrus.Entry) {
	nics, _ := seen.Interfaces() // what can be read is announced
	networks := g.networks(w, d, nics)
	if was := g.ledger.domain(seen.Conn, seen.UUID); was != nil {
		seen.ID = max(seen.ID, was.ID)
	}
	if err := g.ledger.sawDomain(seen, nil, networks.docs, time.Now(), time.Time{}); err != nil {
		log.WithError(err).Warn("the guest's document cannot be read to its end")
	}
}
