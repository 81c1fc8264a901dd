package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound a history. Zero values mean the defaults.
type Limits struct {
	Entries int   // default 20,000
	Bytes   int64 // of all segments; default 16 MiB
	Buffer  int   // entries that wait to be written; default 1,024
}

// segments is about how many files a full history has: what goes at once is one
// of them.
const segments = 8

func (l Limits) withDefaults() Limits {
	if l.Entries <= 0 {
		l.Entries = 20_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 16 << 20
	}
	if l.Buffer <= 0 {
		l.Buffer = 1024
	}
	return l
}

// Log is an open history. Its methods may be called from any goroutine.
type Log struct {
	dir     string
	limits  Limits
	dropped atomic.Uint64

	mu       sync.Mutex // guards the following, and sending against closing
	progress *sync.Cond // when written has risen
	closed   bool
	accepted uint64 // entries put into the queue
	written  uint64 // and taken out of it, with or without success

	followers map[*follower]struct{}

	queue chan Entry
	wake  chan struct{} // there is something in the queue
	hurry chan struct{} // somebody waits for it
	ended chan struct{}

	w writer // belongs to the goroutine
}

// Open opens the history in a directory, which is made if it is not there, and
// cuts off a torn last line. The error is one of the file system.
func Open(dir string, limits Limits) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the history of runs: %w", err)
	}
	l := &Log{dir: dir, limits: limits.withDefaults(), followers: map[*follower]struct{}{}, ended: make(chan struct{})}
	l.progress = sync.NewCond(&l.mu)
	l.queue = make(chan Entry, l.limits.Buffer)
	l.wake, l.hurry = make(chan struct{}, 1), make(chan struct{}, 1)
	l.w = writer{dir: dir, limits: l.limits}
	if err := l.w.open(); err != nil {
		return nil, fmt.Errorf("the history of runs: %w", err)
	}
	go l.write()
	return l, nil
}

// Append adds an entry and returns at once. An entry for which there is no room in
// the buffer is dropped and counted, and so is one after Close.
func (l *Log) Append(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.dropped.Add(1)
		return
	}
	l.publish(e)
	select {
	case l.queue <- e:
		l.accepted++
	default:
		l.dropped.Add(1)
	}
	signal(l.wake)
	if len(l.queue) > cap(l.queue)/2 {
		signal(l.hurry)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Dropped returns how many entries were dropped or could not be written.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Flush returns when everything that was appended before has been written.
func (l *Log) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for upTo := l.accepted; l.written < upTo; {
		signal(l.hurry)
		l.progress.Wait()
	}
}

// Close writes what waits and ends the goroutine. The error is the last one of
// writing; it may be called twice.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.wake)
		signal(l.hurry)
		for me := range l.followers {
			close(me.entries)
		}
		clear(l.followers)
	}
	l.mu.Unlock()
	<-l.ended
	return l.w.err
}

// gathering is how long entries gather until they are written. A goroutine that wakes
// up costs as much as ten entries.
const gathering = 50 * time.Millisecond

func (l *Log) write() {
	defer close(l.ended)
	gathered := time.NewTimer(gathering)
	defer gathered.Stop()
	for range l.wake {
		gathered.Reset(gathering)
		select {
		case <-gathered.C:
		case <-l.hurry:
		}
		l.drain()
	}
	l.drain()
	l.w.close()
}

// drain writes what is in the queue.
func (l *Log) drain() {
	for {
		select {
		case e := <-l.queue:
			if err := l.w.append(&e); err != nil {
				l.dropped.Add(1)
			}
			l.mu.Lock()
			l.written++
			l.mu.Unlock()
			l.progress.Broadcast()
		default:
			return
		}
	}
}

// writer writes segments. It is used by one goroutine.
type writer struct {
	dir    string
	limits Limits

	file *os.File // the last segment; nil after an error, until the next entry
	old  []segment
	now  segment
	err  error // the last
}

// append writes one entry with one write(2).
func (w *writer) append(e *Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := w.room(int64(len(line))); err != nil {
		w.err = err
		return err
	}
	n, err := w.file.Write(line)
	if err != nil {
		// A full disk: the torn line is taken back, so that the next is readable.
		w.err = errors.Join(err, w.file.Truncate(w.now.bytes))
		return w.err
	}
	w.now.bytes += int64(n)
	w.now.entries++
	return nil
}

// room begins the next segment when the last is full, and removes the oldest
// when all together are.
func (w *writer) room(bytes int64) error {
	perSegment := max(1, w.limits.Entries/segments)
	full := w.now.entries >= perSegment || w.now.bytes > 0 && w.now.bytes+bytes > w.limits.Bytes/segments
	if w.file == nil || full {
		w.close()
		if full {
			w.old = append(w.old, w.now)
			w.now = segment{number: w.now.number + 1}
		}
		file, err := os.OpenFile(filepath.Join(w.dir, w.now.name()), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		w.file = file
	}
	entries, total := w.now.entries+1, w.now.bytes+bytes
	for _, s := range w.old {
		entries, total = entries+s.entries, total+s.bytes
	}
	for len(w.old) > 0 && (entries > w.limits.Entries || total > w.limits.Bytes) {
		oldest := w.old[0]
		if err := os.Remove(filepath.Join(w.dir, oldest.name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		entries, total = entries-oldest.entries, total-oldest.bytes
		w.old = w.old[1:]
	}
	return nil
}

// open finds the segments that are there.
func (w *writer) open() error {
	all, err := list(w.dir)
	if err != nil {
		return err
	}
	for i := range all {
		if err := all[i].measure(w.dir, i == len(all)-1); err != nil {
			return err
		}
	}
	w.now = segment{number: 1}
	if n := len(all); n > 0 {
		w.old, w.now = all[:n-1], all[n-1]
	}
	return nil
}

func (w *writer) close() {
	if w.file != nil {
		w.err = errors.Join(w.err, w.file.Close())
		w.file = nil
	}
}
