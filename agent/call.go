package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/exec"
	"hookbridge/translate"
)

// caller makes one hook call: it writes the document, runs the scripts and says
// what came of it.
type caller struct {
	hooks   *exec.Hooks
	payload translate.Payload

	// ops are the operations that are hookbridge's to replay on a connection.
	// The others pass through here too, unmade: they count.
	ops func(conn string) translate.Ops

	count   plugCount
	keeper  keeper
	log     *logrus.Logger
	reports reportLog
	onCall  func(Finished)
}

func (c *caller) call(ctx context.Context, t task, planned time.Time) {
	connections := c.count.of(t.call)
	if !t.silent {
		for _, call := range c.ops(t.call.Conn).Select(t.call) {
			c.make(ctx, call, t.retry, connections, planned)
		}
	}
	c.keeper.done(t, c.count.interfaces(t.call))
	c.log.WithFields(callFields("", t.call)).Debug("done with")
}

func (c *caller) make(ctx context.Context, call translate.Call, retry bool, connections int, planned time.Time) {
	run := newRunID()
	log := c.log.WithFields(callFields(run, call))
	stdin, err := call.Stdin(c.payload, connections)
	if err != nil {
		log.WithError(err).Warn("the document on stdin holds a part that could not be read; it is passed as libvirt gave it")
	}
	if call.Inexact != "" {
		log.Warnf("learnt too late for libvirt's live document: %s", call.Inexact)
	}
	env := []string{"HOOKBRIDGE_RUN=" + run, "HOOKBRIDGE_CAUSE=" + string(call.Cause)}
	if retry {
		env = append(env, "HOOKBRIDGE_RETRY=1")
	}
	report := c.hooks.Run(ctx, exec.Invocation{Args: call.Args(), Stdin: stdin, Env: env})
	c.reports.write(log, report)
	if c.onCall != nil {
		c.onCall(Finished{Run: run, Call: call, Stdin: stdin, Report: report, Planned: planned})
	}
}

// newRunID returns an id that no other run of this host has: 64 random bits.
func newRunID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	return hex.EncodeToString(b[:])
}

// plugCount is translate's count, for many goroutines.
type plugCount struct {
	mu    sync.Mutex
	count translate.PlugCount
}

func (p *plugCount) of(call translate.Call) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count.Of(call)
}

func (p *plugCount) interfaces(call translate.Call) map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count.Interfaces(call.Conn, call.Network)
}

func (p *plugCount) restore(counts []keptCount) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range counts {
		p.count.Restore(c.Conn, c.Network, c.Interfaces)
	}
}
