package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Schema is the version of the layout. A store with a higher number was written
// by a newer hookbridge and is refused; one with a lower number is not used.
const Schema = 2

const (
	fileName   = "state.db"
	holderName = "state.holder"
)

// Bucket is one of the maps in a store.
type Bucket string

// The maps of a store.
const (
	Networks Bucket = "networks" // announced networks by key
	Domains  Bucket = "domains"  // announced domains by key
	Counts   Bucket = "counts"   // how often interfaces are plugged, in groups by network key
	Calls    Bucket = "calls"    // planned calls by their number, see Tx.Plan
	Adopted  Bucket = "adopted"  // connections whose objects have been adopted
	Hints    Bucket = "hints"    // events that wait to be looked at, see Tx.Push
)

var buckets = []Bucket{Networks, Domains, Counts, Calls, Adopted, Hints}

var meta = []byte("meta")

// HeldError says that another process has the store open.
type HeldError struct {
	Path string
	PID  int // 0 if it cannot be told
}

func (e *HeldError) Error() string {
	who := "another agent"
	if e.PID != 0 {
		who = fmt.Sprintf("the agent with pid %d", e.PID)
	}
	return fmt.Sprintf("the state in %s is in use by %s; stop that one, or give this one a --state-dir of its own", e.Path, who)
}

// NewerError says that the store was written by a newer hookbridge.
type NewerError struct {
	Path   string
	Schema uint64
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("the state in %s was written by a newer hookbridge (schema %d, this one knows %d); install that version again, or remove the file to begin anew",
		e.Path, e.Schema, Schema)
}

// Store is an open store. Its methods may be called from several goroutines.
type Store struct {
	db      *bolt.DB
	batches batches
	notes   notes         // guarded by batches.mu
	last    atomic.Uint64 // the number of the call planned last
	closing sync.Once
	closed  error

	// Failed, when set, is told of changes that could not be written and for which
	// nobody waits.
	Failed func(error)

	// Dropped says what was found and not used, in one sentence; empty if
	// nothing was.
	Dropped string
}

// Open opens the store in a directory, which is made if it is not there. boot
// names the current boot. The error is a *HeldError, a *NewerError, or one of the
// file system; a store that is damaged is none: it is set aside, Dropped says so,
// and an empty one takes its place.
func Open(dir, boot string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory: %w; run as root, or name a directory that can be written with --state-dir", err)
	}
	path := filepath.Join(dir, fileName)
	db, damage, err := open(path, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, batches: batches{wake: make(chan struct{}, 1), ended: make(chan struct{})}}
	if damage != nil {
		if s.db, s.Dropped, err = setAside(path, dir, damage); err != nil {
			return nil, err
		}
	}
	dropped, err := s.begin(path, boot)
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	if dropped != "" {
		s.Dropped = dropped
	}
	if err := errors.Join(s.openNotes(dir), s.findLast()); err != nil {
		return nil, errors.Join(err, s.notes.close(), s.db.Close())
	}
	go s.gather(func(err error) {
		if s.Failed != nil {
			s.Failed(err)
		}
	})
	// Who holds it is for the message of the next one that tries.
	_ = os.WriteFile(filepath.Join(dir, holderName), fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600)
	return s, nil
}

// open opens the database. damage is why it cannot be used although it is there.
func open(path, dir string) (db *bolt.DB, damage, err error) {
	damage = guarded(func() error {
		db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: 200 * time.Millisecond, NoSync: true, FreelistType: bolt.FreelistMapType})
		return nil
	})
	switch {
	case damage != nil:
		return nil, damage, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, nil, &HeldError{Path: path, PID: holder(dir)}
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, fmt.Errorf("the state: %w", err)
	case err != nil:
		return nil, err, nil
	}
	if damage := guarded(func() error { return readAll(db) }); damage != nil {
		return nil, errors.Join(damage, db.Close()), nil
	}
	return db, nil, nil
}

// guarded turns a panic of bbolt, which it has for pages that make no sense, and
// a fault in its mapping of a file that is too short, into an error. (bbolt's own
// check runs on a goroutine of its own, where nobody can recover.)
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return fn()
}

// readAll goes through every entry.
func readAll(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			return readBucket(b)
		})
	})
}

func readBucket(b *bolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return readBucket(b.Bucket(k))
		}
		_ = crc32.ChecksumIEEE(v) // touches every page of it
		return nil
	})
}

func holder(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, holderName))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// setAside renames a damaged database and opens a new one.
func setAside(path, dir string, damage error) (*bolt.DB, string, error) {
	aside := fmt.Sprintf("%s.damaged-%s", path, time.Now().UTC().Format("20060102T150405.000000000"))
	if err := os.Rename(path, aside); err != nil {
		return nil, "", fmt.Errorf("the state in %s is damaged (%w) and cannot be set aside: %w", path, damage, err)
	}
	db, again, err := open(path, dir)
	if err = errors.Join(again, err); err != nil {
		return nil, "", err
	}
	return db, fmt.Sprintf("the state was damaged (%v): it is kept as %s, and the agent begins anew", damage, aside), nil
}

// begin checks what the store says of itself and makes it one of this boot.
func (s *Store) begin(path, boot string) (dropped string, err error) {
	err = s.db.Update(func(tx *bolt.Tx) error {
		about, err := tx.CreateBucketIfNotExists(meta)
		if err != nil {
			return err
		}
		if v := about.Get([]byte("schema")); len(v) == 8 && binary.BigEndian.Uint64(v) > Schema {
			return &NewerError{Path: path, Schema: binary.BigEndian.Uint64(v)}
		}
		old := about.Get([]byte("boot"))
		switch v := about.Get([]byte("schema")); {
		case old == nil:
		case string(old) != boot:
			dropped = "the state was that of another boot: it is dropped"
		case !bytes.Equal(v, number(Schema)):
			dropped = "the state was that of an older hookbridge: it is dropped"
		}
		if dropped != "" {
			for _, b := range buckets {
				if err := tx.DeleteBucket([]byte(b)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
					return err
				}
			}
		}
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		return errors.Join(about.Put([]byte("schema"), number(Schema)), about.Put([]byte("boot"), []byte(boot)))
	})
	return dropped, err
}

// Close writes what is still to be written and closes the store. Nothing may be put
// into it any more.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.batches.wake)
		<-s.batches.ended
		s.closed = s.flush()
		if s.closed == nil {
			s.closed = s.notes.file.Truncate(0)
		}
		s.closed = errors.Join(s.closed, s.notes.close(), s.db.Close())
	})
	return s.closed
}

// Update makes changes that are kept all together or, if fn or the writing
// fails, not at all, behind everything that was put.
func (s *Store) Update(fn func(*Tx) error) error {
	return errors.Join(s.flush(), s.transaction(change{fn: fn}))
}

func (s *Store) transaction(changes ...change) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		for _, c := range changes {
			if err := c.fn(&Tx{tx}); err != nil {
				return err
			}
		}
		return nil
	})
}

// findLast finds the number of the call planned last.
func (s *Store) findLast() error {
	return s.db.View(func(tx *bolt.Tx) error {
		if k, _ := tx.Bucket([]byte(Calls)).Cursor().Last(); len(k) == 8 {
			s.last.Store(binary.BigEndian.Uint64(k))
		}
		return nil
	})
}

// Each calls fn for every entry of a map by rising key, behind everything that was put.
// The slices are valid during the call only.
func (s *Store) Each(b Bucket, fn func(key string, value []byte) error) error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(b)).ForEach(func(k, v []byte) error { return fn(string(k), v) })
	})
}

// EachIn calls fn for every entry of the groups of a map, like [Store.Each].
func (s *Store) EachIn(b Bucket, fn func(group, key string, value []byte) error) error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		all := tx.Bucket([]byte(b))
		return all.ForEachBucket(func(name []byte) error {
			group := string(name)
			return all.Bucket(name).ForEach(func(k, v []byte) error { return fn(group, string(k), v) })
		})
	})
}

// Tx is a change under way.
type Tx struct{ tx *bolt.Tx }

// Put sets an entry.
func (t *Tx) Put(b Bucket, key string, value []byte) error {
	return t.tx.Bucket([]byte(b)).Put([]byte(key), value)
}

// Then calls fn when the change is kept.
func (t *Tx) Then(fn func()) { t.tx.OnCommit(fn) }

// Delete removes an entry; one that is not there is no error.
func (t *Tx) Delete(b Bucket, key string) error {
	return t.tx.Bucket([]byte(b)).Delete([]byte(key))
}

// PutIn sets an entry of a group within a map. In a map with groups all entries are in
// one: their keys are shorter by its name.
func (t *Tx) PutIn(b Bucket, group, key string, value []byte) error {
	g, err := t.tx.Bucket([]byte(b)).CreateBucketIfNotExists([]byte(group))
	if err != nil {
		return err
	}
	return g.Put([]byte(key), value)
}

// DeleteIn removes an entry of a group; one that is not there is no error.
func (t *Tx) DeleteIn(b Bucket, group, key string) error {
	g := t.tx.Bucket([]byte(b)).Bucket([]byte(group))
	if g == nil {
		return nil
	}
	return g.Delete([]byte(key))
}

// DeleteAll removes a group with all its entries.
func (t *Tx) DeleteAll(b Bucket, group string) error {
	err := t.tx.Bucket([]byte(b)).DeleteBucket([]byte(group))
	if errors.Is(err, bolterrors.ErrBucketNotFound) {
		return nil
	}
	return err
}

// NewCalls returns numbers for n planned calls. They are above those of all calls that
// are planned, and sort as they rise.
func (s *Store) NewCalls(n int) []CallID {
	last := s.last.Add(uint64(n))
	ids := make([]CallID, n)
	for i := range ids {
		ids[i] = CallID(number(last - uint64(n-1-i)))
	}
	return ids
}

// Plan adds a planned call.
func (t *Tx) Plan(id CallID, value []byte) error { return t.Put(Calls, string(id), value) }

// Push puts a value at the end of a connection's queue in Hints.
func (t *Tx) Push(conn string, value []byte) error {
	b := t.tx.Bucket([]byte(Hints))
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	return b.Put(append([]byte(conn+"\n"), number(n)...), value)
}

// Pull takes up to n values from the front of a connection's queue in Hints.
func (t *Tx) Pull(conn string, n int, fn func(value []byte) error) error {
	prefix := []byte(conn + "\n")
	c := t.tx.Bucket([]byte(Hints)).Cursor()
	for k, v := c.Seek(prefix); n > 0 && bytes.HasPrefix(k, prefix); n-- {
		if err := fn(v); err != nil {
			return err
		}
		if err := c.Delete(); err != nil {
			return err
		}
		k, v = c.Seek(prefix)
	}
	return nil
}

// CallID is the number of a planned call, a key of Calls.
type CallID string

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
