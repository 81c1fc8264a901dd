package agent

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/translate"
)

// gateChain is a chain of guest g whose calls are the steps of a passage.
func gateChain(p *passage, networks ...string) chain {
	c := guestChain("g", translate.OpPlugged, networks...)
	p.mark(c.tasks)
	return c
}

// stepping makes a recorder's calls steps of their passages: those in refuse are
// refused.
func stepping(r *recorder, refuse ...string) func(context.Context, task, []task, time.Time) aftermath {
	return func(ctx context.Context, t task, rest []task, planned time.Time) aftermath {
		if t.gate != nil && !t.gate.begin() {
			return nil
		}
		after := r.run(ctx, t, rest, planned)
		if t.gate != nil && !t.gate.back && !slices.Contains(refuse, label(t.call)) {
			t.gate.finish(nil)
		}
		return after
	}
}

func TestCancelTakesBackWhatHasNotBegun(t *testing.T) {
	r := newRecorder()
	release := held(r, "b plugged other", "c plugged g")
	d := newDispatcher(t.Context(), 4, stepping(r))
	d.submit(guestChain("other", translate.OpPlugged, "b"))
	r.await(t, 1)

	p := newPassage()
	d.submit(gateChain(p, "a", "b", "c"))
	r.await(t, 1) // a; b is taken
	p.block("too late")
	if gone := d.cancel("g", p); len(gone) != 2 {
		t.Errorf("%d calls were taken back, want 2", len(gone))
	}
	back := guestChain("g", translate.OpUnplugged, "a", "b", "c")
	back.tasks = p.markBack(back.tasks)
	d.submit(back)
	r.await(t, 1) // unplugged from a, though b is still taken

	// A call that has begun is let finish, and taken back behind that.
	q := newPassage()
	d.submit(gateChain(q, "c", "a"))
	r.await(t, 1)
	q.block("too late")
	if gone := d.cancel("g", q); len(gone) != 1 {
		t.Errorf("%d calls were taken back, want 1", len(gone))
	}
	back = guestChain("g", translate.OpUnplugged, "c", "a")
	back.tasks = q.markBack(back.tasks)
	d.submit(back)
	close(release)
	r.await(t, 1)
	if left := d.close(); left != 0 {
		t.Errorf("%d calls left", left)
	}
	made := slices.DeleteFunc(slices.Clone(r.made), func(l string) bool { return l == "b plugged other" })
	if diff := cmp.Diff([]string{"a plugged g", "a unplugged g", "c plugged g", "c unplugged g"}, made); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if len(d.lanes)+len(d.waiting)+len(d.live) != 0 {
		t.Errorf("left behind: %d lanes, %d guests, %d chains", len(d.lanes), len(d.waiting), len(d.live))
	}
	if gone := d.cancel("nobody", p); gone != nil {
		t.Errorf("%v were taken back of a guest without calls", gone)
	}
}

// The next start of a guest does not wait for an undo of its run before: that waits
// for libvirt, which may be waiting for the gate.
func TestAbandonedUndoHoldsUpNobody(t *testing.T) {
	r := newRecorder()
	undoing, undone := make(chan struct{}), make(chan struct{})
	r.after = map[string]func([]task) []task{"a plugged g": func(rest []task) []task {
		close(undoing)
		<-undone
		return rest
	}}
	d := newDispatcher(t.Context(), 2, stepping(r))
	d.submit(guestChain("g", translate.OpPlugged, "a", "b"))
	r.await(t, 1)
	<-undoing
	r.mu.Lock()
	r.after = nil
	r.mu.Unlock()
	d.submit(guestChain("g", translate.OpUnplugged, "c"))
	d.abandon("g")
	p := newPassage()
	d.submit(gateChain(p, "a"))
	if diff := cmp.Diff([]string{"c unplugged g", "a plugged g"}, r.await(t, 2)); diff != "" {
		t.Errorf("began during the undo (-want +got):\n%s", diff)
	}
	<-p.over
	close(undone)
	if left := d.close(); left != 0 {
		t.Errorf("%d calls left", left)
	}
	if len(d.lanes)+len(d.waiting)+len(d.live) != 0 {
		t.Errorf("left behind: %d lanes, %d guests, %d chains", len(d.lanes), len(d.waiting), len(d.live))
	}
}

// A guest that waits for a network is turned back at once when the network is taken
// down: that takes libvirt.
func TestUndoOfANetworkTurnsPassagesBack(t *testing.T) {
	r := newRecorder()
	release := held(r, "a start")
	undone := make(chan struct{})
	r.after = map[string]func([]task) []task{"a start": func([]task) []task {
		<-undone
		return nil
	}}
	d := newDispatcher(t.Context(), 2, stepping(r))
	d.submit(networkChain("a", translate.OpStart, translate.OpStarted))
	r.await(t, 1)
	p := newPassage()
	d.submit(gateChain(p, "a"))
	if d.undoing(key("", "a")) {
		t.Error("the network is being taken down before its script has ended")
	}
	close(release)
	<-p.over
	if _, _, blocked := p.outcome(); blocked != takenDown("a") {
		t.Errorf("blocked: %q", blocked)
	}
	if !d.undoing(key("", "a")) {
		t.Error("the network is not being taken down")
	}
	d.cancel("g", p)
	close(undone)
	d.close()
	if diff := cmp.Diff([]string{"a start"}, r.made); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestPassageOfARefusal(t *testing.T) {
	c := guestChain("g", translate.OpPlugged, "a", "b", "c")
	p := newPassage()
	p.mark(c.tasks)
	if !c.tasks[0].gate.begin() || c.tasks[0].gate.finish(nil) {
		t.Error("the first step is refused")
	}
	p.block("it took too long")
	if c.tasks[1].gate.begin() {
		t.Error("a call begins after the end of the passage")
	}
	back := guestChain("g", translate.OpUnplugged, "a", "b", "c")
	back.tasks = p.markBack(back.tasks)
	if len(back.tasks) != 1 || !back.tasks[0].gate.begin() {
		t.Errorf("%d calls to take it back", len(back.tasks))
	}
}
