package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/translate"
)

func held(r *recorder, calls ...string) (release chan struct{}) {
	release = make(chan struct{})
	for _, c := range calls {
		r.hold[c] = release
	}
	return release
}

// What an undo cuts off is not made, and what waits for it goes on.
func TestAftermathCutsTheRestOfItsChain(t *testing.T) {
	r := newRecorder()
	r.after = map[string]func([]task) []task{
		"a plugged g": func([]task) []task { return nil },
		"n start":     func([]task) []task { return nil },
	}
	d := newDispatcher(t.Context(), 2, r.run)
	release := held(r, "a plugged g", "n start")
	d.submit(guestChain("g", translate.OpPlugged, "a", "b", "a", "c"))
	d.submit(networkChain("b", translate.OpStopped)) // behind g's place in b
	d.submit(guestChain("h", translate.OpPlugged, "c", "b"))
	d.submit(networkChain("n", translate.OpStart, translate.OpStarted))
	d.submit(networkChain("n", translate.OpStopped))
	close(release)
	r.await(t, 6)
	if left := d.close(); left != 0 {
		t.Errorf("%d calls left", left)
	}
	slices.Sort(r.made)
	want := []string{"a plugged g", "b plugged h", "b stopped", "c plugged h", "n start", "n stopped"}
	if diff := cmp.Diff(want, r.made); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if len(d.lanes)+len(d.waiting)+len(d.live) != 0 {
		t.Errorf("left behind: %d lanes, %d guests, %d chains", len(d.lanes), len(d.waiting), len(d.live))
	}
}

// An undo waits for libvirt: meanwhile its guest waits, and what would end the
// network's life. Other guests' calls go on, in the same network, too.
func TestAftermathHoldsUpItsOwnGuestOnly(t *testing.T) {
	r := newRecorder()
	undoing, undone := make(chan struct{}), make(chan struct{})
	r.after = map[string]func([]task) []task{"a plugged g": func(rest []task) []task {
		close(undoing)
		<-undone
		return rest
	}}
	d := newDispatcher(t.Context(), 1, r.run)
	d.submit(guestChain("g", translate.OpPlugged, "a"))
	r.await(t, 1)
	<-undoing
	d.submit(guestChain("g", translate.OpUnplugged, "b"))
	d.submit(guestChain("h", translate.OpPlugged, "a"))
	d.submit(guestChain("i", translate.OpPlugged, "b"))
	d.submit(networkChain("a", translate.OpStopped))
	if diff := cmp.Diff([]string{"a plugged h", "b plugged i"}, r.await(t, 2)); diff != "" {
		t.Errorf("began during the undo (-want +got):\n%s", diff)
	}
	close(undone)
	r.await(t, 2)
	d.close()
	if len(r.crowded) > 0 {
		t.Errorf("two calls at once in %q", r.crowded)
	}
}

func TestWithdraw(t *testing.T) {
	r := newRecorder()
	release := held(r, "a plugged g", "n start")
	d := newDispatcher(t.Context(), 3, r.run)
	d.submit(guestChain("g", translate.OpPlugged, "a", "b"))
	d.submit(guestChain("g", translate.OpPlugged, "c"))
	d.submit(guestChain("g", translate.OpUnplugged, "c", "a", "b"))
	d.submit(networkChain("c", translate.OpStopped)) // behind g's places in c
	d.submit(networkChain("n", translate.OpStart, translate.OpStarted))
	d.submit(networkChain("n", translate.OpStopped))
	d.submit(networkChain("n", translate.OpStart))
	r.await(t, 2)
	var asked []string
	gone := d.withdraw(key("", "g")[1:], "", func(c translate.Call) bool {
		asked = append(asked, label(c))
		return c.Network == "c"
	})
	if diff := cmp.Diff([]string{"c plugged g", "c unplugged g", "a unplugged g", "b unplugged g"}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if len(gone) != 2 {
		t.Errorf("%d calls withdrawn, want 2", len(gone))
	}
	if got := r.await(t, 1); got[0] != "c stopped" {
		t.Errorf("%q began, want what waited in c", got)
	}
	asked = nil
	d.withdraw("", key("", "n"), func(c translate.Call) bool {
		asked = append(asked, label(c))
		return c.Op == translate.OpStopped
	})
	if diff := cmp.Diff([]string{"n stopped", "n start"}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if gone := d.withdraw("nobody", "", nil); gone != nil {
		t.Error("withdrawn from nobody")
	}
	if gone := d.withdraw("", "nowhere", nil); gone != nil {
		t.Error("withdrawn from nowhere")
	}
	close(release)
	r.await(t, 5)
	if left := d.close(); left != 0 {
		t.Errorf("%d calls left", left)
	}
	for _, c := range []string{"c plugged g", "c unplugged g", "n stopped"} {
		if slices.Contains(r.made, c) {
			t.Errorf("%s was made", c)
		}
	}
	if len(d.lanes)+len(d.waiting)+len(d.live) != 0 {
		t.Errorf("left behind: %d lanes, %d guests, %d chains", len(d.lanes), len(d.waiting), len(d.live))
	}
}

// A storm of refusals: whatever is cut off and withdrawn, the orders hold and
// nothing gets stuck.
func TestStormOfRefusals(t *testing.T) {
	const guests, rounds, networks = 30, 20, 5
	r := newRecorder()
	r.after = map[string]func([]task) []task{}
	d := newDispatcher(t.Context(), 4, r.run)
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range networks {
		for g := range guests / 2 {
			name, guest := fmt.Sprint(n), fmt.Sprint("g", g)
			r.after[name+" plugged "+guest] = func(rest []task) []task {
				d.withdraw(guest, "", func(c translate.Call) bool { return c.Network == name })
				if g%2 == 0 {
					return nil
				}
				return rest
			}
		}
		r.after[fmt.Sprint(n, " started")] = func([]task) []task {
			d.withdraw("", key("", fmt.Sprint(n)), func(c translate.Call) bool { return c.Op == translate.OpStopped })
			return nil
		}
	}
	for range rounds {
		for g := range guests {
			name := fmt.Sprint("g", g)
			names := []string{fmt.Sprint(rng.IntN(networks)), fmt.Sprint(rng.IntN(networks)), fmt.Sprint(rng.IntN(networks))}
			d.submit(guestChain(name, translate.OpPlugged, names...))
			d.submit(guestChain(name, translate.OpUnplugged, names...))
		}
		for n := range networks {
			d.submit(networkChain(fmt.Sprint(n), translate.OpStopped, translate.OpStart, translate.OpStarted))
		}
	}
	// The last is behind everything in each network.
	for n := range networks {
		d.submit(networkChain(fmt.Sprint(n), translate.OpUpdated))
	}
	for ends := 0; ends < networks; {
		if l := r.await(t, 1)[0]; l[len(l)-7:] == "updated" {
			ends++
		}
	}
	if left := d.close(); left != 0 {
		t.Errorf("%d calls left", left)
	}
	if len(r.crowded) > 0 {
		t.Errorf("two calls at once in %q", r.crowded)
	}
	if len(d.lanes)+len(d.waiting)+len(d.live) != 0 {
		t.Errorf("left behind: %d lanes, %d guests, %d chains", len(d.lanes), len(d.waiting), len(d.live))
	}
}

// A network with thousands of calls waiting delays another's by the script that
// runs, not by its queue.
func TestOneNetworksStormDoesNotStarveAnother(t *testing.T) {
	r := newRecorder()
	release := held(r, "storm plugged g0")
	d := newDispatcher(t.Context(), 1, r.run)
	const storm = 2000
	for g := range storm {
		d.submit(guestChain(fmt.Sprint("g", g), translate.OpPlugged, "storm"))
	}
	r.await(t, 1)
	for q := range 3 {
		d.submit(guestChain("quiet", translate.OpPlugged, fmt.Sprint("quiet", q)))
	}
	close(release)
	r.await(t, storm+2)
	d.close()
	want := []string{"storm plugged g0", "quiet0 plugged quiet", "storm plugged g1", "quiet1 plugged quiet", "storm plugged g2", "quiet2 plugged quiet"}
	if diff := cmp.Diff(want, r.made[:6]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// However many undos end at once, no more scripts run than are allowed to.
func TestAftermathsDoNotRaiseTheNumberOfScripts(t *testing.T) {
	const networks, parallel = 40, 3
	r := newRecorder()
	r.after = map[string]func([]task) []task{}
	var running, most atomic.Int32
	undone := make(chan struct{})
	for n := range networks {
		r.after[fmt.Sprint(n, " start")] = func(rest []task) []task {
			<-undone
			return rest
		}
	}
	d := newDispatcher(t.Context(), parallel, func(ctx context.Context, t task, rest []task, planned time.Time) aftermath {
		now := running.Add(1)
		for {
			m := most.Load()
			if now <= m || most.CompareAndSwap(m, now) {
				break
			}
		}
		defer running.Add(-1)
		return r.run(ctx, t, rest, planned)
	})
	for n := range networks {
		d.submit(networkChain(fmt.Sprint(n), translate.OpStart, translate.OpStarted, translate.OpUpdated))
	}
	r.await(t, networks) // all undos are under way
	close(undone)
	r.await(t, 2*networks)
	if left := d.close(); left != 0 {
		t.Errorf("%d calls left", left)
	}
	if most.Load() > parallel {
		t.Errorf("%d scripts at once, at most %d are allowed", most.Load(), parallel)
	}
}
