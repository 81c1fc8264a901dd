package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"libvirt.org/go/libvirt"

	"hookbridge/exec"
	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// Undone says what a script's refusal of a call led to. It is zero for a call that
// was not refused, or that has nothing to undo.
type Undone struct {
	Result translate.UndoResult
	Text   string // one clause, for a log line
}

func undone(format string, args ...any) Undone {
	return Undone{translate.UndoDone, "undone: " + fmt.Sprintf(format, args...)}
}

func notUndone(reason string) Undone { return Undone{translate.UndoNotDone, "not undone: " + reason} }

func undoFailed(err error) Undone {
	text := err.Error()
	if e := (libvirt.Error{}); errors.As(err, &e) {
		text = e.Message
	}
	return Undone{translate.UndoFailed, "the undo failed and is not tried again: " + text}
}

// undoer takes back changes that a script has refused: what natively would have
// been aborted. It is called from the dispatcher's workers.
type undoer struct {
	settings *atomic.Pointer[settings]
	ledger   *ledger
	watchers []*watcher
	counts   undoCounts
}

// undoCounts counts undos by kind.
type undoCounts struct {
	mu           sync.Mutex
	done, failed map[translate.UndoKind]int
	not          int // refusals without an undo
}

// UndoCounts are the numbers of an agent's undos since its start.
type UndoCounts struct {
	Done, Failed map[translate.UndoKind]int
	Not          int
}

func (c *undoCounts) add(kind translate.UndoKind, r translate.UndoResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done, c.failed = map[translate.UndoKind]int{}, map[translate.UndoKind]int{}
	}
	switch r {
	case translate.UndoDone:
		c.done[kind]++
	case translate.UndoFailed:
		c.failed[kind]++
	case translate.UndoNotDone:
		c.not++
	}
}

func (c *undoCounts) snapshot() UndoCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return UndoCounts{Done: maps.Clone(c.done), Failed: maps.Clone(c.failed), Not: c.not}
}

// consider says what the end of a call leads to: whether it is to be undone or,
// where libvirt itself would have aborted the change, why not. Only a script's own
// verdict counts: one that was refused, timed out or could not be started is a
// finding about the host.
func (u *undoer) consider(t task, verdict *exec.ScriptError) (undo bool, not Undone) {
	call := t.call
	switch {
	case verdict == nil || call.Undo == translate.Undo{}:
		return false, Undone{}
	case u.settings.Load().onFailure == OnFailureLog:
		not = notUndone("on_failure is log")
	case call.Undo.Not != "":
		not = notUndone(call.Undo.Not)
	case t.retry:
		not = notUndone("the agent was restarted before the call had ended")
	case !undoable(call.Conn):
		not = notUndone("the connection is one to another host")
	default:
		return true, Undone{}
	}
	u.counts.add(call.Undo.Kind, translate.UndoNotDone)
	return false, not
}

// undoable reports whether undos are made on a connection: on those to this host
// and on the test driver.
func undoable(uri string) bool {
	if libvirtd.OnThisHost(uri) {
		return true
	}
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	driver, _, _ := strings.Cut(u.Scheme, "+")
	return driver == "test" && u.Host == ""
}

// undo takes back what a call has announced. It returns what of the rest of its
// chain is to be made, and whether the change stands all the same: where nothing
// could be undone things go on as if the script had not refused.
func (u *undoer) undo(t task, rest []task) (outcome Undone, kept []task, stands bool) {
	if t.call.Undo.Kind == translate.UndoNetwork {
		outcome, kept, stands = u.undoNetwork(t, rest)
	} else {
		outcome, kept, stands = u.undoPlugged(t, rest)
	}
	u.counts.add(t.call.Undo.Kind, outcome.Result)
	return outcome, kept, stands
}

// watcher returns the watcher of a connection, or one of those that share the
// networks known by that connection; one with a session where there is one.
func (u *undoer) watcher(serves func(*watcher) bool) (found *watcher) {
	for _, w := range u.watchers {
		if serves(w) && (found == nil || w.live.connected()) {
			found = w
			if w.live.connected() {
				break
			}
		}
	}
	return found
}

var errNoWatcher = errors.New("this connection is not watched any more")

// borrow returns the watcher that serves and a connection to work with.
func (u *undoer) borrow(serves func(*watcher) bool) (*watcher, *libvirt.Connect, func(), error) {
	w := u.watcher(serves)
	if w == nil {
		return nil, nil, nil, errNoWatcher
	}
	// Not tied to the agent's end: what was begun is brought to its end.
	conn, giveBack, err := w.live.borrow(context.Background(), w.uri)
	return w, conn, giveBack, err
}
