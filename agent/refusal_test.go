package agent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// desk is a ledger whose chains are written down instead of being made.
type desk struct {
	*ledger
	t     *testing.T
	store *store.Store
	sent  []chain
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s, err := store.Open(t.TempDir(), "boot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := &desk{t: t, store: s}
	d.ledger = newLedger(func(c chain) { d.sent = append(d.sent, c) }, keeper{store: s, log: logrus.New()})
	d.withdraw = func(string, string, func(translate.Call) bool) []store.CallID { return nil }
	d.abandon = func(string) {}
	return d
}

// take returns what was sent since the last time.
func (d *desk) take() (tasks []task, calls []string) {
	for _, c := range d.sent {
		for _, t := range c.tasks {
			tasks = append(tasks, t)
			calls = append(calls, label(t.call))
		}
	}
	d.sent = nil
	return tasks, calls
}

func (d *desk) expect(when string, want ...string) []task {
	d.t.Helper()
	tasks, got := d.take()
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
	return tasks
}

// kept returns the calls in the store: those that an agent killed now would make
// again.
func (d *desk) kept() (calls []string) {
	d.t.Helper()
	all, err := d.keeper.load()
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range all.chains {
		for _, t := range c.tasks {
			calls = append(calls, label(t.call))
		}
	}
	return calls
}

func upNow(generation string) translate.NetworkSeen {
	return translate.NetworkSeen{
		Conn: "qemu:///system", Name: "n", UUID: "u", Active: true, Generation: generation,
		Live: "<network><name>n</name></network>", Cause: translate.CauseEvent,
	}
}

func downNow() translate.NetworkSeen {
	return translate.NetworkSeen{Conn: "qemu:///system", Name: "n", UUID: "u", Cause: translate.CauseEvent}
}

func guestNow(id int, networks ...string) translate.DomainSeen {
	nics := ""
	for i, n := range networks {
		nics += fmt.Sprintf("<interface type='network'><mac address='m%d'/><source network='%s'/><alias name='net%d'/></interface>", i, n, i)
	}
	return translate.DomainSeen{
		Conn: "qemu:///system", NetworkConn: "qemu:///system", UUID: "gu", Name: "g", Running: id > 0, ID: id,
		Live:  fmt.Sprintf("<domain type='qemu' id='%d'><name>g</name><uuid>gu</uuid><devices>%s</devices></domain>", id, nics),
		Cause: translate.CauseEvent, Started: translate.StartedBooted,
	}
}

func noDocs(string) (string, string) { return "<network/>", "" }

func (d *desk) look(seen translate.DomainSeen, looked time.Time) {
	d.t.Helper()
	if err := d.sawDomain(seen, nil, noDocs, looked, time.Time{}); err != nil {
		d.t.Fatal(err)
	}
}

// What is seen of a network during the undo of its start: nothing is announced but
// another life.
func TestEventsDuringTheUndoOfANetwork(t *testing.T) {
	for _, c := range []struct {
		name    string
		refused int // 0: start, 1: started
		during  []translate.NetworkSeen
		told    []string // meanwhile
		after   []string // at the undo's end
	}{
		{"start, no event", 0, nil, nil, nil},
		{"start, a late look and the end", 0, []translate.NetworkSeen{upNow("1"), downNow(), downNow()}, nil, nil},
		{"start, up again", 0, []translate.NetworkSeen{downNow(), upNow("2")}, []string{"n start", "n started"}, nil},
		{"start, restarted", 0, []translate.NetworkSeen{upNow("2")}, []string{"n start", "n started"}, nil},
		{"started, no event", 1, nil, nil, []string{"n stopped"}},
		{"started, a late look", 1, []translate.NetworkSeen{upNow("1")}, nil, []string{"n stopped"}},
		{"started, the end", 1, []translate.NetworkSeen{downNow(), downNow()}, []string{"n stopped"}, nil},
		{"started, restarted", 1, []translate.NetworkSeen{upNow("2")}, []string{"n stopped", "n start", "n started"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			before := time.Now()
			d.sawNetwork(upNow("1"), time.Now(), time.Time{}, time.Time{})
			tasks := d.expect("up", "n start", "n started")
			task, rest := tasks[c.refused], tasks[c.refused+1:]
			for _, made := range tasks[:c.refused] {
				d.keeper.done(made, "", 0, nil)
			}
			_, cut := split(task.call, rest)
			was, r := d.beginNetwork(task, cut)
			if was == nil {
				t.Fatal("not the announced life")
			}
			if len(c.during) == 0 && len(d.kept()) != 2-c.refused {
				t.Errorf("kept in the midst of the undo: %q", d.kept())
			}
			for _, seen := range c.during {
				d.sawNetwork(seen, time.Now(), time.Time{}, time.Time{})
			}
			d.expect("meanwhile", c.told...)
			d.endNetwork(task, r)
			d.expect("at the end", c.after...)
			if want := slices.Concat(c.told, c.after); !slices.Equal(want, d.kept()) {
				t.Errorf("kept: %q, want %q", d.kept(), want)
			}
			d.sawNetwork(downNow(), time.Now(), time.Time{}, time.Time{})
			if len(c.told) < 2 {
				d.expect("its STOPPED event")
				if !d.undoneSince("qemu:///system", "n", before) || d.undoneSince("qemu:///system", "n", time.Now()) {
					t.Error("a STARTED event that is still in the queue would be believed")
				}
			}
		})
	}
}

func TestNetworkThatMovedOnIsNotUndone(t *testing.T) {
	d := newDesk(t)
	d.sawNetwork(upNow("1"), time.Now(), time.Time{}, time.Time{})
	first := d.expect("up", "n start", "n started")
	d.sawNetwork(upNow("2"), time.Now(), time.Time{}, time.Time{})
	d.expect("restarted", "n stopped", "n start", "n started")
	if was, _ := d.beginNetwork(first[0], nil); was != nil {
		t.Error("another life was taken for the refused one")
	}
}

// An undo that fails leaves everything as it was announced.
func TestUndoGivenUp(t *testing.T) {
	d := newDesk(t)
	d.sawNetwork(upNow("1"), time.Now(), time.Time{}, time.Time{})
	tasks := d.expect("up", "n start", "n started")
	_, r := d.beginNetwork(tasks[0], tasks[1:])
	d.giveUp(tasks[0], r)
	d.sawNetwork(upNow("1"), time.Now(), time.Time{}, time.Time{})
	d.expect("seen again")
	d.sawNetwork(downNow(), time.Now(), time.Time{}, time.Time{})
	d.expect("down", "n stopped")

	d.look(guestNow(1, "a", "b"), time.Now())
	tasks = d.expect("guest up", "a plugged g", "b plugged g")
	r, _ = d.beginDomain(tasks[1], nil)
	d.giveUp(tasks[1], r)
	d.look(guestNow(0), time.Now())
	d.expect("guest down", "a unplugged g", "b unplugged g")
}

// What is seen of a fresh guest during its undo.
func TestEventsDuringTheUndoOfAGuest(t *testing.T) {
	for _, c := range []struct {
		name   string
		during []translate.DomainSeen
		told   []string
		after  []string
		gate   bool // it hears of the end first
	}{
		{"no event", nil, nil, []string{"a unplugged g"}, false},
		{"a late look", []translate.DomainSeen{guestNow(1, "a", "b", "c")}, nil, []string{"a unplugged g"}, false},
		{"its end", []translate.DomainSeen{guestNow(0), guestNow(0)}, []string{"a unplugged g"}, nil, false},
		{"its end and another run", []translate.DomainSeen{guestNow(0), guestNow(2, "b")}, []string{"a unplugged g", "b plugged g"}, nil, false},
		{"another run", []translate.DomainSeen{guestNow(2, "b")}, []string{"a unplugged g", "b plugged g"}, nil, false},
		{"the gate, then its end", []translate.DomainSeen{guestNow(0)}, []string{"a unplugged g"}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.look(guestNow(1, "a", "b", "c"), time.Now())
			tasks := d.expect("up", "a plugged g", "b plugged g", "c plugged g")
			d.keeper.done(tasks[0], "", 0, nil)
			_, cut := split(tasks[1].call, tasks[2:])
			r, state := d.beginDomain(tasks[1], cut)
			if state != refusedStands {
				t.Fatal("not the announced run")
			}
			if len(c.during) == 0 && !slices.Equal(d.kept(), []string{"b plugged g", "c plugged g"}) {
				t.Errorf("kept in the midst of the undo: %q", d.kept())
			}
			if c.gate {
				d.dismiss("qemu:///system", "gu", 1)
			}
			for _, seen := range c.during {
				d.look(seen, time.Now())
			}
			d.expect("meanwhile", c.told...)
			if n := d.endDomain(tasks[1], r, noDocs); n != 1 {
				t.Errorf("%d interfaces are said to be unplugged, whoever told, want 1", n)
			}
			d.expect("at the end", c.after...)
			if want := slices.Concat(c.told, c.after); !slices.Equal(want, d.kept()) {
				t.Errorf("kept: %q, want %q", d.kept(), want)
			}
			if len(c.told) < 2 {
				if len(c.told) == 0 { // else a look has shown already that it is gone
					d.look(guestNow(1, "a", "b", "c"), time.Now()) // read before it was
				}
				d.look(guestNow(0), time.Now())
				d.expect("its STOPPED event")
				d.look(guestNow(2, "a"), time.Now())
				d.expect("started again", "a plugged g")
			}
		})
	}
}

// A look that began before a detach ended is older than it, but what it was told of
// other interfaces counts.
func TestLooksDuringADetach(t *testing.T) {
	d := newDesk(t)
	d.look(guestNow(1, "a", "b"), time.Now())
	d.expect("up", "a plugged g", "b plugged g")
	d.look(guestNow(1, "a", "b", "c"), time.Now())
	hot := d.expect("hot-plugged", "c plugged g")[0]
	if hot.call.Undo.Kind != translate.UndoPlug {
		t.Fatalf("%+v", hot.call.Undo)
	}
	r, _ := d.beginDomain(hot, nil)
	early := time.Now()
	d.look(guestNow(1, "a", "b", "c"), early)
	d.endDomain(hot, r, noDocs)
	removed := guestNow(1, "a", "b", "c")
	removed.Removed = []string{"net1"}
	d.look(removed, early)
	d.expect("during and just after")
	d.look(guestNow(1, "a", "b", "c"), time.Now()) // the guest has not answered yet
	d.expect("looked at again", "b unplugged g")
	d.look(guestNow(0), time.Now())
	d.expect("down", "a unplugged g")
}

func TestGuestThatMovedOnIsNotUndone(t *testing.T) {
	d := newDesk(t)
	d.look(guestNow(1, "a", "b"), time.Now())
	tasks := d.expect("up", "a plugged g", "b plugged g")
	d.look(guestNow(1, "a"), time.Now())
	d.expect("detached", "b unplugged g")
	if _, state := d.beginDomain(tasks[1], nil); state != refusedObject {
		t.Error("an interface that is gone is to be undone")
	}
	d.look(guestNow(2, "a"), time.Now())
	d.expect("another run", "a unplugged g", "a plugged g")
	if _, state := d.beginDomain(tasks[0], nil); state != refusedIsBygone {
		t.Error("another run is to be undone")
	}
}

func TestPluggedInto(t *testing.T) {
	d := newDesk(t)
	d.look(guestNow(1, "a", "b", "a"), time.Now())
	if n := d.pluggedInto("qemu:///system", "a"); n != 2 {
		t.Errorf("%d", n)
	}
	if n := d.pluggedInto("test:///default", "a"); n != 0 {
		t.Errorf("of another host: %d", n)
	}
}
