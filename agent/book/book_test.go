package book

import (
	"testing"
	"time"

	"hookbridge/internal/history"
	"hookbridge/translate"
)

func TestBook(t *testing.T) {
	b := New()
	domain := &translate.DomainRef{Conn: "c", Name: "g", UUID: "u", ID: 1}
	call := func(op translate.Op, mac string) translate.Call {
		c := translate.Call{Op: op, Conn: "c", Network: "n", Cause: translate.CauseEvent}
		if mac != "" {
			c.Domain, c.NIC = domain, &translate.NICRef{MAC: mac}
		}
		return c
	}
	at := time.Date(2026, 1, 31, 13, 45, 0, 0, time.UTC)
	plan := func(when time.Time, calls ...translate.Call) {
		for _, c := range calls {
			b.Planned(&c, when, false)
		}
	}
	tell := func(c translate.Call, undo translate.UndoResult, failed bool) {
		b.Began("r", c)
		if running, _, _ := b.Lists(); len(running) != 1 {
			t.Errorf("running: %+v", running)
		}
		b.Ended(c, CallResult{CallRef: RefTo(c), Run: "r", Script: "p", Failed: failed, Undo: undo})
	}
	nic := func(mac string) Interface { return Interface{"c", "n", "u", mac} }

	plan(at, call(translate.OpStart, ""), call(translate.OpStarted, ""))
	plan(at.Add(1), call(translate.OpPlugged, "1"), call(translate.OpPlugged, "2"))
	tell(call(translate.OpPlugged, "1"), "", false)
	if n := b.Interface(nic("1")); !n.Since.Equal(at.Add(1)) || n.Last == nil || n.Last.Failed {
		t.Errorf("plugged: %+v", n)
	}

	// Plugged again after libvirtd was restarted: it has been there all the time.
	again := call(translate.OpPlugged, "1")
	again.Cause = translate.CauseRestart
	plan(at.Add(2), again)
	if n := b.Interface(nic("1")); !n.Since.Equal(at.Add(1)) {
		t.Errorf("plugged again: %+v", n)
	}

	// A refusal that is undone leaves nothing behind.
	hot := call(translate.OpPlugged, "2")
	hot.Undo.Kind = translate.UndoPlug
	tell(hot, translate.UndoDone, true)
	if b.plugged(nic("2").key()) != nil {
		t.Error("the refused interface is still there")
	}
	boot := call(translate.OpPlugged, "1")
	boot.Undo.Kind = translate.UndoDomain
	tell(boot, translate.UndoDone, true)
	if len(b.guests) != 0 {
		t.Errorf("the destroyed guest is still there: %+v", b.guests)
	}
	plan(at.Add(3), call(translate.OpStopped, ""))
	plan(at.Add(4), call(translate.OpStart, ""))
	start := call(translate.OpStart, "")
	tell(start, translate.UndoDone, true)
	if len(b.networks) != 0 {
		t.Errorf("the refused network is still there: %+v", b.networks)
	}

	// What is not announced gets no entry, and failures are bounded.
	for range 2 * keptFailures {
		tell(call(translate.OpPlugged, "9"), "", true)
	}
	running, failures, _ := b.Lists()
	if len(b.guests) != 0 || len(running) != 0 || len(failures) != keptFailures {
		t.Errorf("guests %v, %d running, %d failures", b.guests, len(running), len(failures))
	}
}

func TestBookRecalls(t *testing.T) {
	b := New()
	b.Restore(
		map[string]*translate.Network{"1": {Conn: "c", Name: "n"}},
		map[string]*translate.Domain{"1": {Conn: "c", UUID: "u", NICs: []translate.Interface{
			{MAC: "1", Network: "n"}, {MAC: "2", Network: "n"}, {MAC: "3"},
		}}})
	at := time.Date(2026, 1, 31, 13, 45, 0, 0, time.UTC)
	entry := func(i int, run, op, mac, cause, result string) history.Entry {
		e := history.Entry{
			Time: at.Add(time.Duration(i) * time.Second), Run: run, Op: op, Network: "n", Conn: "c", MAC: mac, Cause: cause,
			Result: result, Failed: result != "exit 0", Latency: history.Duration(time.Millisecond),
		}
		if mac != "" {
			e.UUID = "u"
		}
		return e
	}
	b.Recall(func(yield func(history.Entry, error) bool) {
		for _, e := range []history.Entry{
			entry(0, "a", "start", "", "event", "exit 0"),
			entry(1, "b", "stopped", "", "event", "exit 1"),
			entry(2, "c", "start", "", "event", "exit 0"),
			entry(3, "d", "started", "", "event", "exit 0"),
			entry(4, "e", "plugged", "1", "event", "exit 3"),
			entry(4, "e", "plugged", "1", "event", "exit 0"), // another script of that call
			entry(5, "f", "plugged", "2", "event", "exit 3"),
			entry(6, "g", "plugged", "2", "manual", "exit 0"),
		} {
			if !yield(e, nil) {
				return
			}
		}
	})
	if n := b.Network("c", "n"); n.Last == nil || n.Last.Run != "d" || !n.Since.Equal(at.Add(2*time.Second-time.Millisecond)) {
		t.Errorf("network: %+v", n)
	}
	if n := b.Interface(Interface{"c", "n", "u", "1"}); n.Last == nil || !n.Last.Failed {
		t.Errorf("a call of which one script failed: %+v", n)
	}
	if n := b.Interface(Interface{"c", "n", "u", "2"}); n.Last == nil || n.Last.Run != "g" || n.Last.Failed || !n.Since.Equal(at.Add(5*time.Second-time.Millisecond)) {
		t.Errorf("a call that was made again by hand: %+v", n)
	}
}

func BenchmarkBook(b *testing.B) {
	book := New()
	call := translate.Call{Op: translate.OpPlugged, Conn: "c", Network: "n", Domain: &translate.DomainRef{UUID: "u"}, NIC: &translate.NICRef{MAC: "1"}}
	r := CallResult{CallRef: RefTo(call), Run: "r", Script: "p"}
	for b.Loop() {
		book.Planned(&call, time.Time{}, false)
		book.Began("r", call)
		book.Ended(call, r)
	}
}
