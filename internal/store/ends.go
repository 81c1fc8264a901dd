package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// End is that of a planned call, with the change of a group in Counts that goes with it.
type End struct {
	Call  CallID
	Group string // "": Counts stay as they are
	Key   string // "": the whole group goes
	Value []byte // nil: the entry goes
}

// End removes a planned call and makes the change that goes with it.
func (t *Tx) End(e End) error {
	err := t.Delete(Calls, string(e.Call))
	switch {
	case e.Group == "":
		return err
	case e.Key == "":
		return errors.Join(err, t.DeleteAll(Counts, e.Group))
	case e.Value == nil:
		return errors.Join(err, t.DeleteIn(Counts, e.Group, e.Key))
	}
	return errors.Join(err, t.PutIn(Counts, e.Group, e.Key, e.Value))
}

// End keeps the end of a call. told, unless nil, is called when it is kept. plan is the
// ticket of the call's plan, that of nothing once it is kept, or nil if nobody knows.
//
// If the plan is kept, and no change that was put before is still to be written, the end is
// kept at once, by a note beside the database, and goes there with what is put next: that
// takes 1 µs, a transaction between two calls of a guest 16.
func (s *Store) End(e End, plan *Ticket, told func()) Ticket {
	s.batches.mu.Lock()
	noted := plan != nil && *plan == (Ticket{}) && s.batches.allNoted() && s.notes.add(e)
	if noted {
		s.batches.add(change{func(tx *Tx) error { return tx.End(e) }, true})
	}
	s.batches.mu.Unlock()
	switch {
	case !noted:
		return s.Put(func(tx *Tx) error {
			if told != nil {
				tx.Then(told)
			}
			return tx.End(e)
		})
	case told != nil:
		told()
	}
	return Ticket{}
}

const notesName = "state.ends"

// mostNotes bounds the file of notes, in bytes. It is begun anew whenever all that is
// noted is in the database, too.
const mostNotes = 256 << 10

// notes is a file of ends that may not be in the database yet. Those of which it has no
// call any more are in it.
type notes struct {
	file *os.File
	at   int64  // where the next one goes
	turn uint64 // counts how often the file was begun anew: notes of an earlier turn are behind at
}

// A note is its length, a checksum of the rest, the turn, and the end.
const noteHead = 4 + 4 + 8

// add notes an end, unless there is no room for it.
func (n *notes) add(e End) bool {
	note := make([]byte, noteHead, noteHead+len(e.Call)+len(e.Group)+len(e.Key)+len(e.Value)+8)
	for _, s := range []string{string(e.Call), e.Group, e.Key} {
		note = binary.AppendUvarint(note, uint64(len(s)))
		note = append(note, s...)
	}
	if e.Value != nil {
		note = append(append(note, 1), e.Value...)
	}
	binary.LittleEndian.PutUint32(note, uint32(len(note))) //nolint:gosec // of a few hundred bytes
	binary.LittleEndian.PutUint64(note[8:], n.turn)
	binary.LittleEndian.PutUint32(note[4:], crc32.ChecksumIEEE(note[8:]))
	if n.at+int64(len(note)) > mostNotes {
		return false
	}
	if _, err := n.file.WriteAt(note, n.at); err != nil {
		return false // a full file system: whoever waits hears of it from the database
	}
	n.at += int64(len(note))
	return true
}

// anew forgets all notes.
func (n *notes) anew() { n.at, n.turn = 0, n.turn+1 }

func (n *notes) close() error {
	if n.file == nil {
		return nil
	}
	return n.file.Close()
}

// readNotes returns the ends in the content of a file of notes.
func readNotes(content []byte) (ends []End) {
	var turn uint64
	for len(content) >= noteHead {
		size := int(binary.LittleEndian.Uint32(content))
		if size < noteHead || size > len(content) {
			break
		}
		note := content[:size]
		now := binary.LittleEndian.Uint64(note[8:])
		if crc32.ChecksumIEEE(note[8:]) != binary.LittleEndian.Uint32(note[4:]) || len(ends) > 0 && now != turn {
			break
		}
		e, ok := readEnd(note[noteHead:])
		if !ok {
			break
		}
		ends, turn, content = append(ends, e), now, content[size:]
	}
	return ends
}

func readEnd(b []byte) (e End, ok bool) {
	var parts [3]string
	for i := range parts {
		n, read := binary.Uvarint(b)
		if read <= 0 || n > uint64(len(b)-read) {
			return e, false
		}
		parts[i], b = string(b[read:read+int(n)]), b[read+int(n):] //nolint:gosec // not above the length
	}
	e = End{Call: CallID(parts[0]), Group: parts[1], Key: parts[2]}
	if len(b) > 0 {
		e.Value = b[1:]
	}
	return e, true
}

// stillPlanned returns those ends that are not in the database: it still has their calls.
func stillPlanned(tx *bolt.Tx, ends []End) (missing []End) {
	calls := tx.Bucket([]byte(Calls))
	for _, e := range ends {
		if calls != nil && calls.Get([]byte(e.Call)) != nil {
			missing = append(missing, e)
		}
	}
	return missing
}

// openNotes brings what an earlier run has noted into the database, unless that was
// dropped, and begins anew: before new calls get the numbers of old ones.
func (s *Store) openNotes(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, notesName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the state: %w", err)
	}
	s.notes.file = file
	content, err := io.ReadAll(io.LimitReader(file, mostNotes))
	if err != nil {
		return fmt.Errorf("the state: %w", err)
	}
	if ends := readNotes(content); len(ends) > 0 && s.Dropped == "" {
		err := s.transaction(change{fn: func(tx *Tx) error {
			for _, e := range stillPlanned(tx.tx, ends) {
				if err := tx.End(e); err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			return fmt.Errorf("the state: %w", err)
		}
	}
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("the state: %w", err)
	}
	return nil
}
