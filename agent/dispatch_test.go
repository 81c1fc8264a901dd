package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// recorder runs calls by writing them down; those named in hold wait until they
// are let go.
type recorder struct {
	mu      sync.Mutex
	made    []string
	hold    map[string]chan struct{}
	after   map[string]func(rest []task) []task
	began   chan string
	running map[string]int // by network and by guest
	crowded []string       // where two calls ran at once
}

func newRecorder() *recorder {
	return &recorder{hold: map[string]chan struct{}{}, began: make(chan string, 100_000), running: map[string]int{}}
}

func label(c translate.Call) string {
	if c.Domain != nil {
		return fmt.Sprintf("%s %s %s", c.Network, c.Op, c.Domain.Name)
	}
	return fmt.Sprintf("%s %s", c.Network, c.Op)
}

func (r *recorder) run(_ context.Context, t task, rest []task, _ time.Time) aftermath {
	c := t.call
	lanes := []string{"network " + c.Network}
	if c.Domain != nil {
		lanes = append(lanes, "guest "+c.Domain.Name)
	}
	r.enter(lanes, +1)
	r.began <- label(c)
	r.mu.Lock()
	held := r.hold[label(c)]
	r.mu.Unlock()
	if held != nil {
		<-held
	}
	r.mu.Lock()
	r.made = append(r.made, label(c))
	after := r.after[label(c)]
	r.mu.Unlock()
	if after == nil {
		r.enter(lanes, -1)
		return nil
	}
	if c.Domain != nil {
		r.enter(lanes[:1], -1) // another guest's calls may go on in the network
		lanes = lanes[1:]
	}
	return func() []task {
		defer r.enter(lanes, -1)
		return after(rest)
	}
}

func (r *recorder) enter(lanes []string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range lanes {
		if r.running[l] += n; r.running[l] > 1 {
			r.crowded = append(r.crowded, l)
		}
	}
}

func (r *recorder) await(t *testing.T, n int) []string {
	t.Helper()
	var began []string
	for range n {
		select {
		case l := <-r.began:
			began = append(began, l)
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d calls began: %q", len(began), n, began)
		}
	}
	return began
}

func networkChain(network string, ops ...translate.Op) chain {
	var c chain
	for _, op := range ops {
		c.tasks = append(c.tasks, task{call: translate.Call{Op: op, Network: network}})
	}
	return c
}

func guestChain(guest string, op translate.Op, networks ...string) chain {
	c := chain{guest: guest}
	for _, n := range networks {
		c.tasks = append(c.tasks, task{call: translate.Call{
			Op: op, Network: n, Domain: &translate.DomainRef{Name: guest, UUID: guest}, NIC: &translate.NICRef{},
		}})
	}
	return c
}

func TestCallsOfOneNetworkComeInOrder(t *testing.T) {
	r := newRecorder()
	d := newDispatcher(t.Context(), 4, r.run)
	d.submit(networkChain("a", translate.OpStart, translate.OpStarted))
	d.submit(guestChain("g", translate.OpPlugged, "a"))
	d.submit(guestChain("h", translate.OpPlugged, "a"))
	d.submit(guestChain("g", translate.OpUnplugged, "a"))
	d.submit(networkChain("a", translate.OpStopped))
	r.await(t, 6)
	d.close()
	want := []string{"a start", "a started", "a plugged g", "a plugged h", "a unplugged g", "a stopped"}
	if diff := cmp.Diff(want, r.made); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestHungScriptHoldsUpItsOwnNetworkOnly(t *testing.T) {
	r := newRecorder()
	release := make(chan struct{})
	r.hold["a start"] = release
	d := newDispatcher(t.Context(), 2, r.run)
	d.submit(networkChain("a", translate.OpStart, translate.OpStarted))
	d.submit(guestChain("stuck", translate.OpPlugged, "a", "b"))
	d.submit(guestChain("free", translate.OpPlugged, "b", "c"))
	got := r.await(t, 3) // with the script that hangs
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a start", "b plugged free", "c plugged free"}, got); diff != "" {
		t.Errorf("began beside the hung script (-want +got):\n%s", diff)
	}
	close(release)
	r.await(t, 3)
	d.close()
}

func TestGuestsChainGoesOnInTheNextNetwork(t *testing.T) {
	r := newRecorder()
	release := make(chan struct{})
	r.hold["b plugged other"] = release
	d := newDispatcher(t.Context(), 4, r.run)
	d.submit(guestChain("other", translate.OpPlugged, "b"))
	r.await(t, 1)
	d.submit(guestChain("g", translate.OpPlugged, "a", "b", "a"))
	r.await(t, 1) // a; b is taken
	d.submit(guestChain("g", translate.OpUnplugged, "a", "b", "a"))
	close(release)
	r.await(t, 5)
	d.close()
	want := []string{
		"b plugged other", "a plugged g", "b plugged g", "a plugged g",
		"a unplugged g", "b unplugged g", "a unplugged g",
	}
	// The first two ran side by side.
	slices.Sort(r.made[:2])
	slices.Sort(want[:2])
	if diff := cmp.Diff(want, r.made); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// entered enters a chain as submit does, but hurries nothing.
func entered(d *dispatcher, c chain) (atOnce bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.enter(&c)
}

// A chain's first call does not begin at once behind another of its network or its guest,
// while all workers are busy, and after the end.
func TestBeginsAtOnce(t *testing.T) {
	r := newRecorder()
	release := make(chan struct{})
	r.hold["a start"], r.hold["b plugged g"] = release, release
	d := newDispatcher(t.Context(), 2, r.run)
	enter := func(c chain, want bool) {
		t.Helper()
		first := label(c.tasks[0].call)
		if entered(d, c) != want {
			t.Errorf("%s begins at once: %t, want %t", first, !want, want)
		}
	}
	enter(networkChain("a", translate.OpStart), true)
	r.await(t, 1)
	enter(guestChain("h", translate.OpPlugged, "a"), false)
	enter(guestChain("g", translate.OpPlugged, "b"), true)
	r.await(t, 1)
	enter(guestChain("g", translate.OpPlugged, "c"), false)
	enter(networkChain("d", translate.OpStart), false)
	close(release)
	r.await(t, 3)
	d.close()
	enter(networkChain("e", translate.OpStart), false)
}

// The plan of a chain that does not begin at once is kept all the same: its first call would
// have written it.
func TestPlanOfAChainThatIsHeldUp(t *testing.T) {
	s, err := store.Open(t.TempDir(), "boot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	kept := make(chan struct{}, 1)
	planned := func(c chain) chain {
		ticket := s.PutToWait(func(tx *store.Tx) error {
			tx.Then(func() { kept <- struct{}{} })
			return nil
		})
		for i := range c.tasks {
			c.tasks[i].kept = &ticket
		}
		return c
	}
	await := func(why string) {
		t.Helper()
		select {
		case <-kept:
		case <-time.After(30 * time.Second):
			t.Fatalf("not kept, %s", why)
		}
	}
	r := newRecorder()
	first, second := make(chan struct{}), make(chan struct{})
	r.hold["a plugged g"], r.hold["b plugged g"] = first, second
	d := newDispatcher(t.Context(), 1, r.run)
	d.submit(guestChain("g", translate.OpPlugged, "a", "b"))
	r.await(t, 1)
	d.submit(planned(guestChain("g", translate.OpPlugged, "c")))
	await("the guest has another under way")
	d.submit(planned(guestChain("h", translate.OpPlugged, "d")))
	await("all workers are busy")
	d.limit(2)
	r.await(t, 1)
	d.limit(1)
	// The others were entered and not hurried, as if they were about to begin.
	entered(d, planned(guestChain("i", translate.OpPlugged, "b")))
	close(first) // g comes first in b, too
	r.await(t, 1)
	await("another guest came first")
	entered(d, planned(guestChain("j", translate.OpPlugged, "e")))
	d.limit(1)
	await("there are too many workers")
	entered(d, planned(guestChain("k", translate.OpPlugged, "f")))
	d.stop()
	await("no other call begins")
	d.submit(planned(guestChain("l", translate.OpPlugged, "f")))
	await("no call begins any more")
	close(second)
	d.close()
}

// The plan of a chain that begins at once is left to its first call: to write it beside
// that costs a tenth of a call.
func TestPlanOfAChainThatBegins(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(dir, "boot")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		kept := false
		ticket := s.PutToWait(func(tx *store.Tx) error {
			tx.Then(func() { kept = true })
			return nil
		})
		r := newRecorder()
		d := newDispatcher(t.Context(), 1, r.run)
		c := networkChain("a", translate.OpStart)
		c.tasks[0].kept = &ticket
		d.submit(c)
		<-r.began
		time.Sleep(time.Minute)
		if kept {
			t.Error("it was written by somebody else")
		}
		d.close()
		if err := ticket.Wait(); err != nil || !kept {
			t.Errorf("kept: %t, %v", kept, err)
		}
	})
}

// What is made for all calls of a chain is not kept while it waits.
func TestChainIsSetAside(t *testing.T) {
	r := newRecorder()
	release := make(chan struct{})
	r.hold["b plugged h"] = release
	d := newDispatcher(t.Context(), 2, r.run)
	d.submit(guestChain("h", translate.OpPlugged, "b"))
	r.await(t, 1)
	parts := translate.Parts{Domain: "<domain/>", Moved: new(translate.Moved)}
	c := guestChain("g", translate.OpPlugged, "a", "b")
	for i := range c.tasks {
		c.tasks[i].moved = parts.Moved
	}
	if _, err := translate.HookData(translate.Payload123, parts); err != nil || reflect.ValueOf(parts.Moved).Elem().IsZero() {
		t.Fatalf("nothing to keep: %v", err)
	}
	d.submit(c)
	r.await(t, 1) // a; b is taken
	close(release)
	r.await(t, 1)
	d.close()
	if !reflect.ValueOf(parts.Moved).Elem().IsZero() {
		t.Error("the document was kept")
	}
}

func TestCloseLetsTheRunningCallFinishAndCountsTheRest(t *testing.T) {
	r := newRecorder()
	release := make(chan struct{})
	r.hold["a start"] = release
	d := newDispatcher(t.Context(), 2, r.run)
	d.submit(networkChain("a", translate.OpStart, translate.OpStarted))
	d.submit(guestChain("g", translate.OpPlugged, "a", "b"))
	d.submit(guestChain("g", translate.OpUnplugged, "a", "b"))
	r.await(t, 1)
	left := make(chan int)
	go func() { left <- d.close() }()
	for { // until close has begun
		d.mu.Lock()
		closed := d.closed
		d.mu.Unlock()
		if closed {
			break
		}
	}
	close(release)
	if got := <-left; got != 5 {
		t.Errorf("%d calls left, want 5", got)
	}
	if diff := cmp.Diff([]string{"a start"}, r.made); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	d.submit(networkChain("z", translate.OpStart))
	if d.close(); len(r.made) != 1 {
		t.Error("a call was made after close")
	}
}

// A storm: whatever the interleaving, nothing is lost, no network and no guest
// has two calls at once, and each network sees a guest's calls in order.
func TestStormKeepsBothOrders(t *testing.T) {
	const guests, rounds, networks = 60, 20, 7
	r := newRecorder()
	d := newDispatcher(t.Context(), 8, r.run)
	rng := rand.New(rand.NewPCG(1, 2))
	total := 0
	for range rounds {
		for g := range guests {
			names := []string{fmt.Sprint(rng.IntN(networks)), fmt.Sprint(rng.IntN(networks))}
			name := fmt.Sprint("g", g)
			d.submit(guestChain(name, translate.OpPlugged, names...))
			d.submit(guestChain(name, translate.OpUnplugged, names...))
			total += 4
		}
	}
	r.await(t, total)
	if left := d.close(); left != 0 {
		t.Errorf("%d calls left", left)
	}
	if len(r.made) != total {
		t.Errorf("%d calls made, want %d", len(r.made), total)
	}
	if len(r.crowded) > 0 {
		t.Errorf("two calls at once in %q", r.crowded)
	}
	if len(d.lanes)+len(d.waiting) != 0 {
		t.Errorf("left behind: %d lanes, %d guests", len(d.lanes), len(d.waiting))
	}
}
