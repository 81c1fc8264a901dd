package history

import (
	"context"
	"errors"
	"iter"
)

// ErrTooSlow ends a sequence of [Log.Follow]: more runs ended than were taken from it.
var ErrTooSlow = errors.New("the history went on faster than it was read")

// followed is how many entries wait for one who follows.
const followed = 1024

// follower is one who follows. Its channel is closed when it is full.
type follower struct {
	entries chan Entry
	lost    bool
}

// Follow returns what [Log.Read] does, cut by [Last], and then each entry that the filter
// takes as it is appended, until ctx or the log ends.
func (l *Log) Follow(ctx context.Context, f Filter, last int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		me := &follower{entries: make(chan Entry, followed)}
		l.mu.Lock()
		if l.closed {
			close(me.entries)
		} else {
			l.followers[me] = struct{}{}
		}
		l.mu.Unlock()
		defer func() {
			l.mu.Lock()
			delete(l.followers, me)
			l.mu.Unlock()
		}()

		// Entries that are appended while the past is read come from both.
		type id struct{ run, script string }
		past := map[id]bool{}
		for e, err := range Last(l.Read(f), last) {
			if !yield(e, err) || err != nil {
				return
			}
			past[id{e.Run, e.Script}] = true
		}
		for {
			if len(me.entries) == 0 {
				past = nil
			}
			select {
			case <-ctx.Done():
				return
			case e, ok := <-me.entries:
				switch {
				case !ok:
					if me.lost {
						yield(Entry{}, ErrTooSlow)
					}
					return
				case f.takes(&e) && !past[id{e.Run, e.Script}] && !yield(e, nil):
					return
				}
			}
		}
	}
}

// publish hands an entry to those who follow. l.mu is held.
func (l *Log) publish(e Entry) {
	for me := range l.followers {
		select {
		case me.entries <- e:
		default:
			me.lost = true
			delete(l.followers, me)
			close(me.entries)
		}
	}
}
