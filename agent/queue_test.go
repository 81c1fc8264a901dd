package agent

import (
	"fmt"
	"testing"

	"github.com/sirupsen/logrus"

	"hookbridge/internal/store"
)

func testSpill(t *testing.T) spill {
	t.Helper()
	s, err := store.Open(t.TempDir(), "boot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return storeSpill{keeper{store: s, log: logrus.StandardLogger()}, "test:///default"}
}

// small has limits that a test can exceed quickly.
var small = queueLimits{memory: 100, spilled: 2000, batch: 16}

func smallQueue(s spill) *hintQueue {
	q := newHintQueue(s)
	q.limits = small
	return q
}

func numbered(n int) hint { return hint{kind: domainHint, name: fmt.Sprint(n), id: n} }

// Whatever the number, what is taken is what was put, in order; while some is
// spilled new ones queue behind it.
func TestQueueSpillsInOrder(t *testing.T) {
	total := 3*small.memory + 777
	q := smallQueue(testSpill(t))
	put, got := 0, 0
	for ; put < total; put++ {
		q.put(numbered(put))
	}
	for got < total+900 {
		<-q.ready
		hints, overflow, dropped := q.take()
		if overflow || dropped > 0 {
			t.Fatalf("overflow %v, dropped %d", overflow, dropped)
		}
		for _, h := range hints {
			if h.id != got {
				t.Fatalf("hint %d is %d", got, h.id)
			}
			got++
		}
		for end := min(put+200, total+900); put < end; put++ {
			q.put(numbered(put))
		}
	}
	if hints, _, _ := q.take(); len(hints) > 0 {
		t.Errorf("%d too many", len(hints))
	}
}

// Where even the store's share is full, hints are dropped and counted, and the
// watcher is told to compare everything, after what was kept.
func TestQueueOverflow(t *testing.T) {
	q := smallQueue(testSpill(t))
	const more = 333
	for i := range small.memory + small.spilled + small.batch + more {
		q.put(numbered(i))
	}
	got := 0
	for {
		<-q.ready
		hints, overflow, dropped := q.take()
		got += len(hints)
		if !overflow {
			continue
		}
		if got+dropped != small.memory+small.spilled+small.batch+more || dropped < more {
			t.Errorf("%d taken, %d dropped", got, dropped)
		}
		return
	}
}

func TestQueueWithoutAStoreOverflows(t *testing.T) {
	q := smallQueue(nil)
	for i := range small.memory + 3 {
		q.put(numbered(i))
	}
	if hints, overflow, dropped := q.take(); len(hints) != small.memory || !overflow || dropped != 3 {
		t.Errorf("%d hints, overflow %v, dropped %d", len(hints), overflow, dropped)
	}
}

func TestSameKickWaitsOnce(t *testing.T) {
	q := newHintQueue(nil)
	kick := func(name string) { q.kick(hint{kind: domainHint, name: name, kick: true}) }
	kick("a")
	kick("b")
	kick("a")
	if hints, _, _ := q.take(); len(hints) != 2 {
		t.Errorf("%v", hints)
	}
	kick("a") // the last one has been taken: this is news
	if hints, _, _ := q.take(); len(hints) != 1 {
		t.Errorf("%v", hints)
	}
}
