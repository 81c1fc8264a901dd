package agent

import (
	"sync"
	"time"
)

// A connection's hints wait in memory up to queueInMemory, about 2 MB, and then
// in the store up to queueSpilled. Beyond that they are dropped and counted, and
// the watcher compares everything instead: what began and ended unseen is then
// missing, as a whole pair. A storm of 2,000 guests makes some 10,000 hints.
const (
	queueInMemory = 1 << 14
	queueSpilled  = 1 << 18
	spillBatch    = 512 // hints that are written at once
)

// objectsHeld is how many hints keep libvirt's object. Behind so many it makes no
// difference any more, and the memory is not for nothing.
const objectsHeld = 256

// queueLimits are these numbers; tests have smaller ones.
type queueLimits struct{ memory, spilled, batch int }

// spill keeps hints outside of memory, in order.
type spill interface {
	push([]hint) error
	pull(n int) ([]hint, error)
}

// hintQueue takes hints from libvirt's event loop and gives them to a watcher in
// their order. Its three parts follow each other: memory, what is spilled, and
// the batch to be spilled next.
type hintQueue struct {
	limits queueLimits
	spill  spill         // nil: there is none
	ready  chan struct{} // holds a token while there is something to take

	mu       sync.Mutex
	memory   []hint
	spilled  int // hints in the spill
	batch    []hint
	dropped  int
	overflow bool
	closed   bool
	kicked   map[hint]bool // the kicks that wait, without their time
}

func newHintQueue(s spill) *hintQueue {
	return &hintQueue{
		limits: queueLimits{queueInMemory, queueSpilled, spillBatch},
		spill:  s,
		ready:  make(chan struct{}, 1),
		kicked: map[hint]bool{},
	}
}

// put adds a hint. It does not wait for the watcher; once in a batch it
// writes to the store if the memory is full.
func (q *hintQueue) put(h hint) {
	q.mu.Lock()
	q.add(h)
	q.mu.Unlock()
	q.signal()
}

// kick puts a kick unless the same one waits already: a guest's status file is
// written several times in a start.
func (q *hintQueue) kick(h hint) {
	same := h
	same.arrived = time.Time{}
	q.mu.Lock()
	if !q.kicked[same] {
		q.kicked[same] = true
		q.add(h)
	}
	q.mu.Unlock()
	q.signal()
}

// add puts a hint at the end. q.mu is held.
func (q *hintQueue) add(h hint) {
	spilling := q.spilled > 0 || len(q.batch) > 0
	if spilling || q.closed || len(q.memory) >= objectsHeld {
		h.domain = nil
	}
	switch {
	case !spilling && len(q.memory) < q.limits.memory:
		h.hold()
		q.memory = append(q.memory, h)
	case q.spill == nil || q.spilled >= q.limits.spilled:
		q.drop(1)
	default:
		q.batch = append(q.batch, h)
		if len(q.batch) >= q.limits.batch {
			q.flush()
		}
	}
}

// close gives back what is held. What is put from now on is not looked at any more.
func (q *hintQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	releaseAll(q.memory)
}

func releaseAll(hints []hint) {
	for i := range hints {
		hints[i].release()
	}
}

// flush writes the batch to the spill. q.mu is held.
func (q *hintQueue) flush() {
	if err := q.spill.push(q.batch); err != nil {
		q.drop(len(q.batch))
	} else {
		q.spilled += len(q.batch)
	}
	q.batch = q.batch[:0]
}

func (q *hintQueue) drop(n int) {
	q.dropped += n
	q.overflow = true
}

// lost makes the watcher compare everything: hints are known to be missing.
func (q *hintQueue) lost() {
	q.mu.Lock()
	q.overflow = true
	q.mu.Unlock()
	q.signal()
}

func (q *hintQueue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns the oldest hints, and, with the last ones, how many were dropped
// since the last time; overflow says that everything has to be compared. The hints are
// to be released.
func (q *hintQueue) take() (hints []hint, overflow bool, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.kicked)
	hints, q.memory = q.memory, nil
	if len(hints) == 0 && q.spilled > 0 {
		var err error
		hints, err = q.spill.pull(q.limits.memory)
		if err != nil || len(hints) == 0 {
			q.drop(q.spilled)
			q.spilled = 0
		}
		q.spilled = max(0, q.spilled-len(hints))
	}
	if q.spilled == 0 {
		hints = append(hints, q.batch...)
		q.batch = nil
		overflow, q.overflow = q.overflow, false
		dropped, q.dropped = q.dropped, 0
		return hints, overflow, dropped
	}
	q.signal() // there is more
	return hints, false, 0
}
