package agent

import (
	"context"
	"testing"
	"time"

	"hookbridge/translate"
)

func TestTally(t *testing.T) {
	d := newDispatcher(t.Context(), 0, func(context.Context, task, []task, time.Time) aftermath { return nil })
	ops := translate.Ops{}
	c := &caller{ops: func(string) translate.Ops { return ops }}
	tally := func(guest string, networks ...string) []keptCount {
		ch := guestChain(guest, translate.OpPlugged, networks...)
		counts, ok := c.tally(d, ch)
		if !ok && counts != nil {
			t.Error("counted, and not the end of it")
		}
		return counts
	}
	want := func(what string, got []keptCount, n int) {
		t.Helper()
		if len(got) != n {
			t.Errorf("%s: %d counts, want %d", what, len(got), n)
		}
	}

	first := tally("g", "a", "b")
	want("nobody makes these calls", first, 2)
	if first[0].plugged != 1 || first[0].nic == "" {
		t.Errorf("%+v", first)
	}

	// What is under way comes first: a network's start would forget the count.
	d.submit(guestChain("other", translate.OpPlugged, "b"))
	want("another guest's call waits in b", tally("h", "a", "b"), 0)
	want("another call of the guest waits", tally("other", "a"), 0)
	want("nothing waits in a", tally("h", "a"), 1)

	ops[translate.OpPlugged] = true
	want("the call is to be made", tally("i", "c"), 0)
	silent := guestChain("i", translate.OpPlugged, "c")
	silent.tasks[0].silent = true
	if counts, ok := c.tally(d, silent); !ok {
		t.Errorf("a silent call is to be made: %v", counts)
	}
	d.close()
}
