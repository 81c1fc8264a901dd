package store

import (
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// gathering is how long changes gather before they are written without anybody
	// waiting for them. A transaction costs about as much for many of them as for one.
	gathering = 10 * time.Millisecond
	// While so many come in that time, as when thousands of guests are adopted, they
	// gather on, up to so long in all: that took adoption from 1.34 to 1.22 times what
	// asking libvirt for the documents takes.
	many          = 8
	mostGathering = 100 * time.Millisecond
)

// batches gathers changes for common transactions, in the order in which they were
// put. Its goroutine, which belongs to the Store, writes what nobody waits for.
type batches struct {
	mu      sync.Mutex
	pending *batch
	under   *batch // the one whose transaction is under way

	writing sync.Mutex
	wake    chan struct{}
	ended   chan struct{}
}

type batch struct {
	changes []change
	urgent  bool // not all of them are noted
	known   bool // to the goroutine
	over    bool // guarded by writing
	err     error
}

// change is a part of a transaction. One that is noted is kept, and there is no hurry.
type change struct {
	fn    func(*Tx) error
	noted bool
}

func (c change) isNoted() bool { return c.noted }

// next returns the batch that is still to be written. mu is held.
func (b *batches) next() *batch {
	if b.pending == nil {
		b.pending = &batch{}
	}
	return b.pending
}

// add adds a change to the batch that is still to be written. mu is held.
func (b *batches) add(c change) *batch {
	next := b.next()
	next.changes = append(next.changes, c)
	return next
}

// allNoted reports that there is nothing still to be written but what is noted. mu is
// held.
func (b *batches) allNoted() bool {
	return (b.pending == nil || !b.pending.urgent) && (b.under == nil || !b.under.urgent)
}

// Ticket is a change's place among those that are still to be written. The zero value
// is one of nothing.
type Ticket struct {
	store *Store
	batch *batch
}

// Put gathers a change, to be written soon and in order with others. fn may be called
// twice, if the transaction that it was first part of has failed.
func (s *Store) Put(fn func(*Tx) error) Ticket {
	t := s.PutToWait(fn)
	t.Soon()
	return t
}

// PutToWait is [Store.Put] for a change that somebody is about to wait for: that writes
// it, and so does what is put or read after it. Without either it is written only if
// [Ticket.Soon] is called. Waking up the goroutine that writes what nobody waits for took
// 8 % of the processor time of a call.
func (s *Store) PutToWait(fn func(*Tx) error) Ticket {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	b := s.batches.add(change{fn: fn})
	b.urgent = true
	return Ticket{s, b}
}

// Soon makes a change of [Store.PutToWait] be written soon without anybody waiting.
func (t Ticket) Soon() {
	if t.batch == nil {
		return
	}
	b := &t.store.batches
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending != t.batch || t.batch.known {
		return
	}
	t.batch.known = true
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Wait returns when the change is kept, whatever becomes of this process from then on,
// or with the reason why it could not be.
func (t Ticket) Wait() error {
	if t.batch == nil {
		return nil
	}
	return t.store.write(t.batch)
}

// write writes a batch unless that has been done, and returns what came of it. Batches
// are written in order, since there is only one that has not been.
func (s *Store) write(b *batch) error {
	s.batches.writing.Lock()
	defer s.batches.writing.Unlock()
	if b.over {
		return b.err
	}
	s.batches.mu.Lock()
	s.batches.pending, s.batches.under = nil, b
	s.batches.mu.Unlock()
	b.over = true
	failed, err := s.commit(b.changes)
	b.changes, b.err = nil, err

	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	s.batches.under = nil
	if len(failed) > 0 { // with what comes next, in front of it
		next := s.batches.next()
		next.changes = append(failed, next.changes...)
	}
	if p := s.batches.pending; p == nil || !slices.ContainsFunc(p.changes, change.isNoted) {
		s.notes.anew()
	}
	return b.err
}

// commit makes changes and returns the noted ones that could not be made.
func (s *Store) commit(changes []change) (failed []change, err error) {
	err = s.transaction(changes...)
	switch {
	case err == nil:
		return nil, nil
	case len(changes) == 1:
		failed = changes
	default: // one of them must not cost the others
		err = nil
		for _, c := range changes {
			if alone := s.transaction(c); alone != nil {
				failed, err = append(failed, c), errors.Join(err, alone)
			}
		}
	}
	return slices.DeleteFunc(failed, func(c change) bool { return !c.noted }), err
}

// gather writes what nobody waits for, until the store is closed.
func (s *Store) gather(failed func(error)) {
	defer close(s.batches.ended)
	for range s.batches.wake {
		s.batches.gather()
		if err := s.flushKnown(); err != nil {
			failed(err)
		}
	}
}

// gather returns when what is pending is to be written.
func (b *batches) gather() {
	before := 0
	for most := time.Now().Add(mostGathering); ; {
		time.Sleep(gathering)
		now := b.size()
		if now-before < many || time.Now().After(most) {
			return
		}
		before = now
	}
}

// size is how many changes are still to be written.
func (b *batches) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending == nil {
		return 0
	}
	return len(b.pending.changes)
}

// flushKnown writes the pending batch if it is to be written without anybody waiting for
// it. What is merely noted can stay.
func (s *Store) flushKnown() error {
	s.batches.mu.Lock()
	known := s.batches.pending != nil && s.batches.pending.known
	s.batches.mu.Unlock()
	if !known {
		return nil
	}
	return s.flush()
}

func (s *Store) flush() error {
	s.batches.mu.Lock()
	b := s.batches.pending
	s.batches.mu.Unlock()
	if b == nil {
		return nil
	}
	return s.write(b)
}
