package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/agent/book"
	"hookbridge/exec"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

// caller makes one hook call: it writes the document, runs the scripts and says
// what came of it.
type caller struct {
	settings atomic.Pointer[settings]

	// ops are the operations that are hookbridge's to replay on a connection.
	// The others pass through here too, unmade: they count.
	ops func(conn string) translate.Ops

	count   plugCount
	keeper  keeper
	log     *logrus.Logger
	undoer  *undoer
	reports reportLog
	book    *book.Book
	made    atomic.Int64 // calls
	inexact atomic.Int64 // of these with a document that was learnt too late
	history *history.Log // nil: none is kept
	onCall  func(Finished)
}

// call makes a call. When the script refuses a change that can be undone it
// returns what remains to be done; see [dispatcher].
func (c *caller) call(ctx context.Context, t task, rest []task, planned time.Time) aftermath {
	if t.gate != nil {
		return c.callAtGate(ctx, t, rest, planned)
	}
	if t.fired != nil {
		return c.callByHand(ctx, t, planned)
	}
	connections := c.count.of(t.call)
	if !t.silent {
		c.keeper.await(t.kept)
		for _, call := range c.ops(t.call.Conn).Select(t.call) {
			f := c.make(ctx, call, t.moved, t.retry, connections)
			f.Planned, f.Retry = planned, t.retry
			undo, not := c.undoer.consider(t, f.Report.Verdict())
			if undo {
				t, f := t, f // else both were on the heap for every call
				return func() []task { return c.takeBack(t, rest, f) }
			}
			f.Undo = not
			t.outcome.tell(f)
			c.tell(f)
		}
	}
	c.done(t)
	return nil
}

// takeBack undoes what a script has refused.
func (c *caller) takeBack(t task, rest []task, f Finished) []task {
	var stands bool
	logged(c.log, f.Run, t.call).WithField("undo", string(t.call.Undo.Kind)).Debug("refused: taking it back")
	f.Undo, rest, stands = c.undoer.undo(t, rest)
	if !stands {
		c.count.refused(t.call)
	}
	t.outcome.tell(f)
	c.tell(f)
	c.done(t)
	return rest
}

func (c *caller) done(t task) {
	nic, count := c.count.counted(t.call)
	var told func()
	if c.log.IsLevelEnabled(logrus.DebugLevel) {
		t := t // else it was on the heap for every call
		told = func() { logged(c.log, "", t.call).Debug("done with") }
	}
	kept := c.keeper.done(t, nic, count, told)
	if t.kept != nil {
		*t.kept = kept
	}
	t.outcome.end()
}

func (c *caller) make(ctx context.Context, call translate.Call, moved *translate.Moved, retry bool, connections int) Finished {
	run := newRunID()
	c.book.Began(run, call)
	log := func() *logrus.Entry { return logged(c.log, run, call) }
	set := c.settings.Load()
	stdin, err := call.Stdin(set.payload, connections, moved)
	if err != nil {
		log().WithError(err).Warn("the document on stdin holds a part that could not be read; it is passed as libvirt gave it")
	}
	c.made.Add(1)
	if call.Inexact != "" {
		c.inexact.Add(1)
		log().Warnf("learnt too late for libvirt's live document: %s", call.Inexact)
	}
	env := []string{"HOOKBRIDGE_RUN=" + run, "HOOKBRIDGE_CAUSE=" + string(call.Cause)}
	if retry {
		env = append(env, "HOOKBRIDGE_RETRY=1")
	}
	report := set.hooks.Run(ctx, exec.Invocation{Args: call.Args(), Stdin: stdin, Env: env})
	return Finished{Run: run, Call: call, Stdin: stdin, Report: report}
}

// tell writes what came of a call into the log and the history.
func (c *caller) tell(f Finished) {
	c.reports.write(c.log, f.Run, f.Call, f.Report, f.Undo)
	c.book.Ended(f.Call, f.callResult())
	if c.history != nil {
		for _, e := range historyEntries(f) {
			c.history.Append(e)
		}
	}
	if c.onCall != nil {
		c.onCall(f)
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

func (p *plugCount) refused(call translate.Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.Refused(call)
}

func (p *plugCount) counted(call translate.Call) (nic string, count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count.Interface(call)
}

func (p *plugCount) restore(counts []keptCount) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range counts {
		conn, network, _ := strings.Cut(c.network, "\n")
		p.count.Restore(conn, network, c.nic, c.plugged)
	}
}
