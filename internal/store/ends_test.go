package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// killed returns a copy of a store's files, as they are when the agent is killed now.
func killed(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	for _, name := range []string{fileName, notesName} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// afterKill returns the numbers of the calls and the counts that an agent finds which is
// started after a kill.
func afterKill(t *testing.T, dir string) []string {
	t.Helper()
	dir = killed(t, dir)
	about, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, "boot")
	var got []string
	err = errors.Join(
		s.Each(Calls, func(id string, _ []byte) error {
			got = append(got, fmt.Sprintf("call %d", id[len(id)-1]))
			return nil
		}),
		s.EachIn(Counts, func(group, key string, value []byte) error {
			got = append(got, fmt.Sprintf("%s %s %d", group, key, value))
			return nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, line := range got {
		if strings.HasPrefix(line, "call ") {
			calls++
		}
	}
	if about.Kept[Calls] != calls {
		t.Errorf("before the start %d calls were told, behind it there are %d", about.Kept[Calls], calls)
	}
	return got
}

// planned plans so many calls, and returns when their plan is kept.
func planned(t *testing.T, s *Store, n int) []CallID {
	t.Helper()
	ids := s.NewCalls(n)
	ticket := s.Put(func(tx *Tx) (err error) {
		for _, id := range ids {
			err = errors.Join(err, tx.Plan(id, []byte("call")))
		}
		return err
	})
	if err := ticket.Wait(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// The end of a call is kept at once, in the order of the ends, whatever of it is in the
// database, and in a turn of the notes that may not be the first.
func TestEndIsKeptOverAKill(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	expect := func(what string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, afterKill(t, dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	end := func(e End) {
		t.Helper()
		told := false
		if s.End(e, &Ticket{}, func() { told = true }) != (Ticket{}) || !told {
			t.Errorf("the end of call %x is not kept at once", e.Call)
		}
	}
	ids := planned(t, s, 3)
	end(End{Call: ids[0], Group: "net", Key: "a", Value: []byte{1}})
	end(End{Call: ids[1], Group: "net", Key: "b", Value: []byte{}})
	expect("two of three have ended", "call 3", "net a [1]", "net b []")

	more := planned(t, s, 3) // with it the ends go into the database
	expect("they are in the database, too", "call 3", "call 4", "call 5", "call 6", "net a [1]", "net b []")
	end(End{Call: ids[2], Group: "net", Key: "a"})
	expect("fewer notes than there were", "call 4", "call 5", "call 6", "net b []")
	end(End{Call: more[0], Group: "net"})
	end(End{Call: more[1], Group: "other", Key: "c", Value: []byte{2}})
	end(End{Call: more[2]})
	expect("all have ended", "other c [2]")

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	expect("an orderly end", "other c [2]")
	if info, err := os.Stat(filepath.Join(dir, notesName)); err != nil || info.Size() > 0 {
		t.Errorf("behind an orderly end there are notes: %v, %v", info, err)
	}
}

// What was noted in a store that is dropped is nothing to the next one, whose calls
// have the same numbers.
func TestNotesOfAnotherBoot(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "yesterday")
	s.End(End{Call: planned(t, s, 1)[0]}, &Ticket{}, nil)
	dir = killed(t, dir)
	s = openStore(t, dir, "boot")
	planned(t, s, 1)
	if got := afterKill(t, dir); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// Notes that are cut short or damaged are read up to there.
func TestDamagedNotes(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	ids := planned(t, s, 3)
	var sizes []int
	s.batches.writing.Lock() // the notes are not begun anew
	defer s.batches.writing.Unlock()
	for i, id := range ids {
		s.End(End{Call: id, Group: "net", Key: fmt.Sprint("nic", i), Value: []byte{1}}, &Ticket{}, nil)
		sizes = append(sizes, int(s.notes.at))
	}
	content, err := os.ReadFile(filepath.Join(dir, notesName))
	if err != nil {
		t.Fatal(err)
	}
	whole := func(n int) (ends int) {
		for _, size := range sizes {
			if size <= n {
				ends++
			}
		}
		return ends
	}
	for n := range content {
		if got := len(readNotes(content[:n])); got != whole(n) {
			t.Errorf("of the first %d bytes %d ends were read, want %d", n, got, whole(n))
		}
		damaged := []byte(string(content))
		damaged[n] ^= 0xff
		if got := len(readNotes(damaged)); got != whole(n) {
			t.Errorf("with byte %d damaged %d ends were read, want %d", n, got, whole(n))
		}
	}
	if got := len(readNotes(append(content, make([]byte, 100)...))); got != 3 {
		t.Errorf("%d ends were read in front of zeros", got)
	}
}

// Where an end cannot be noted it is kept as everything else is.
func TestEndWithoutNotes(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	ids := planned(t, s, 3)
	s.notes.at = mostNotes - 1
	ticket := s.End(End{Call: ids[0]}, &Ticket{}, nil)
	if ticket == (Ticket{}) {
		t.Fatal("it is said to be noted")
	}
	if err := ticket.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := afterKill(t, dir); len(got) != 2 {
		t.Errorf("%q", got)
	}
	if s.End(End{Call: ids[1]}, &Ticket{}, nil) != (Ticket{}) {
		t.Error("the notes were not begun anew")
	}
}

// What is noted goes into the database with what is put next, not by itself.
func TestNotesWait(t *testing.T) {
	s := openStore(t, t.TempDir(), "boot")
	ids := planned(t, s, 2)
	s.End(End{Call: ids[0]}, &Ticket{}, nil)
	writes := func() int64 { stats := s.db.Stats(); return stats.TxStats.GetWrite() }
	before := writes()
	if err := s.flushKnown(); err != nil || writes() != before {
		t.Errorf("%v, written for the note alone", err)
	}
	s.PutToWait(func(tx *Tx) error { return tx.Delete(Calls, string(ids[1])) }).Soon()
	if err := s.flushKnown(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, s); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

// An end is not kept before what was put in front of it.
func TestEndDoesNotOvertake(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	ids := planned(t, s, 3)
	s.batches.writing.Lock()
	s.Put(func(tx *Tx) error { return tx.Delete(Calls, string(ids[1])) })
	ticket := s.End(End{Call: ids[0]}, &Ticket{}, nil)
	if got := afterKill(t, dir); ticket == (Ticket{}) || len(got) != 3 {
		t.Errorf("left of three: %q", got)
	}
	s.batches.writing.Unlock()

	release := make(chan struct{})
	under := make(chan struct{})
	written := s.Put(func(*Tx) error { close(under); <-release; return nil })
	go func() { _ = written.Wait() }()
	<-under
	if s.End(End{Call: ids[2]}, &Ticket{}, nil) == (Ticket{}) {
		t.Error("an end is noted while what was put before is being written")
	}
	close(release)
	if err := s.Update(func(*Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := afterKill(t, dir); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// What is noted is not forgotten when its transaction fails.
func TestNoteOfAFailedTransaction(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	ids := planned(t, s, 3)
	s.End(End{Call: ids[0], Group: "net", Key: "a", Value: make([]byte, 100<<10)}, &Ticket{}, nil)
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	limit := func(size int64) {
		s.batches.writing.Lock()
		defer s.batches.writing.Unlock()
		s.db.MaxSize = int(size)
	}
	limit(info.Size()) // as on a full file system
	if err := s.Put(func(tx *Tx) error { return tx.Put(Networks, "n", nil) }).Wait(); err == nil {
		t.Fatal("the file system is not full")
	}
	s.End(End{Call: ids[1]}, &Ticket{}, nil)
	if got := afterKill(t, dir); len(got) != 2 {
		t.Errorf("while it is full: %.40q", got)
	}
	limit(0)
	if err := s.Put(func(tx *Tx) error { return tx.Put(Networks, "n", nil) }).Wait(); err != nil {
		t.Fatal(err)
	}
	s.End(End{Call: ids[2]}, &Ticket{}, nil) // in place of the notes
	if got := afterKill(t, dir); len(got) != 1 {
		t.Errorf("when there is room again: %.40q", got)
	}
}
