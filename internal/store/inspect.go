package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// About is what a store says of itself.
type About struct {
	Path   string
	Schema uint64
	Boot   string         // the boot that it belongs to
	Kept   map[Bucket]int // how many entries each of its maps has
}

// DamagedError says that a store cannot be read; Open would set it aside.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the state in %s is damaged (%v)", e.Path, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// Inspect looks into the store of a directory and changes nothing. While it looks,
// for milliseconds, nobody can open the store. The error is a *HeldError while an
// agent has it open, a *DamagedError, a *NewerError beside what could be read, or
// one of the file system: fs.ErrNotExist if there is no store yet.
func Inspect(dir string) (about About, err error) {
	about = About{Path: filepath.Join(dir, fileName), Kept: map[Bucket]int{}}
	if info, err := os.Stat(about.Path); err == nil && info.Size() == 0 {
		return about, fs.ErrNotExist // Open begins with such a file
	}
	var db *bolt.DB
	damage := guarded(func() error {
		db, err = bolt.Open(about.Path, 0o600, &bolt.Options{ReadOnly: true, Timeout: 50 * time.Millisecond})
		return nil
	})
	var fromFiles *fs.PathError
	switch {
	case damage != nil:
		return about, &DamagedError{about.Path, damage}
	case errors.Is(err, bolterrors.ErrTimeout):
		return about, &HeldError{Path: about.Path, PID: holder(dir)}
	case errors.As(err, &fromFiles):
		return about, err
	case err != nil:
		return about, &DamagedError{about.Path, err}
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	noted, _ := os.ReadFile(filepath.Join(dir, notesName)) // none, in the store of an older hookbridge
	if damage := guarded(func() error {
		return errors.Join(readAll(db), db.View(func(tx *bolt.Tx) error { return about.read(tx, readNotes(noted)) }))
	}); damage != nil {
		return about, &DamagedError{about.Path, damage}
	}
	if about.Schema > Schema {
		return about, &NewerError{Path: about.Path, Schema: about.Schema}
	}
	return about, nil
}

func (a *About) read(tx *bolt.Tx, ended []End) error {
	if m := tx.Bucket(meta); m != nil {
		if v := m.Get([]byte("schema")); len(v) == 8 {
			a.Schema = binary.BigEndian.Uint64(v)
		}
		a.Boot = string(m.Get([]byte("boot")))
	}
	for _, name := range buckets {
		if b := tx.Bucket([]byte(name)); b != nil {
			stats := b.Stats()
			a.Kept[name] = stats.KeyN - (stats.BucketN - 1) // without the groups themselves
		}
	}
	a.Kept[Calls] -= len(stillPlanned(tx, ended))
	return nil
}
