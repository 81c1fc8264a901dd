package store

import (
	"errors"
	"sync"
	"time"
)

// gathering is how long changes gather before they are written without anybody
// waiting for them. A transaction costs about as much for many of them as for one.
const gathering = 10 * time.Millisecond

// batches gathers changes for common transactions, in the order in which they were
// put. Its goroutine, which belongs to the Store, writes what nobody waits for.
type batches struct {
	mu      sync.Mutex
	pending *batch

	writing sync.Mutex
	wake    chan struct{}
	ended   chan struct{}
}

type batch struct {
	changes []func(*Tx) error
	noted   bool // some of them are in the notes
	urgent  bool // some are not: the goroutine knows
	over    bool // guarded by writing
	err     error
}

// gathering returns the batch that is still to be written. mu is held.
func (b *batches) gathering() *batch {
	if b.pending == nil {
		b.pending = &batch{}
	}
	return b.pending
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
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	b := s.batches.gathering()
	if !b.urgent {
		b.urgent = true
		select {
		case s.batches.wake <- struct{}{}:
		default:
		}
	}
	b.changes = append(b.changes, fn)
	return Ticket{s, b}
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
	s.batches.pending = nil
	s.batches.mu.Unlock()
	b.over = true
	b.err = s.transaction(b.changes...)
	if b.err != nil && len(b.changes) > 1 {
		// One of them must not cost the others.
		b.err = nil
		for _, change := range b.changes {
			b.err = errors.Join(b.err, s.transaction(change))
		}
	}
	b.changes = nil
	if b.err == nil {
		s.batches.mu.Lock()
		if p := s.batches.pending; p == nil || !p.noted {
			s.notes.anew()
		}
		s.batches.mu.Unlock()
	}
	return b.err
}

// gather writes what nobody waits for, until the store is closed.
func (s *Store) gather(failed func(error)) {
	defer close(s.batches.ended)
	for range s.batches.wake {
		time.Sleep(gathering)
		if err := s.flush(); err != nil {
			failed(err)
		}
	}
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
