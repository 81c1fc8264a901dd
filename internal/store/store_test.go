package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openStore(t *testing.T, dir, boot string) *Store {
	t.Helper()
	s, err := Open(dir, boot)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func fill(t *testing.T, s *Store) {
	t.Helper()
	err := s.Update(func(tx *Tx) error {
		for i, id := range s.NewCalls(3) {
			if err := tx.Plan(id, fmt.Append(nil, "call ", i)); err != nil {
				return err
			}
		}
		return errors.Join(tx.Put(Networks, "n", []byte("net")), tx.Put(Domains, "d", []byte("dom")))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, s *Store) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, b := range buckets {
		if err := s.Each(b, func(k string, v []byte) error {
			got[fmt.Sprintf("%s/%x", b, k)] = string(v)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

var full = map[string]string{
	"calls/0000000000000001": "call 0", "calls/0000000000000002": "call 1", "calls/0000000000000003": "call 2",
	"domains/64": "dom", "networks/6e": "net",
}

func TestKeptOverARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	s := openStore(t, dir, "boot")
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, "boot")
	if diff := cmp.Diff(full, contents(t, s)); diff != "" || s.Dropped != "" {
		t.Errorf("%s\n(-want +got):\n%s", s.Dropped, diff)
	}
}

func TestAChangeIsWholeOrNot(t *testing.T) {
	s := openStore(t, t.TempDir(), "boot")
	fill(t, s)
	sad := errors.New("sad")
	err := s.Update(func(tx *Tx) error {
		return errors.Join(tx.Delete(Networks, "n"), tx.Put(Domains, "e", nil), sad)
	})
	if !errors.Is(err, sad) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, contents(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOtherBootIsDropped(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "yesterday")
	fill(t, s)
	_ = s.Close()
	s = openStore(t, dir, "today")
	if got := contents(t, s); len(got) > 0 || !strings.Contains(s.Dropped, "another boot") {
		t.Errorf("%q: %v", s.Dropped, got)
	}
}

func TestDamagedIsSetAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)/3] },
		"empty meta": func(b []byte) []byte {
			clear(b[:8192])
			return b
		},
		"text": func([]byte) []byte { return []byte(strings.Repeat("this is no database\n", 2000)) },
		"pages": func(b []byte) []byte {
			for i := 8192; i < len(b); i += 7 {
				b[i] ^= 0xff
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir, "boot")
			fill(t, s)
			_ = s.Close()
			path := filepath.Join(dir, fileName)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, dir, "boot")
			if !strings.Contains(s.Dropped, "damaged") || len(contents(t, s)) > 0 {
				t.Errorf("%q", s.Dropped)
			}
			aside, _ := filepath.Glob(path + ".damaged-*")
			if len(aside) != 1 || !strings.Contains(s.Dropped, aside[0]) {
				t.Errorf("kept as %q, said %q", aside, s.Dropped)
			}
			fill(t, s)
		})
	}
}

func TestNewerIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	if err := s.Update(func(tx *Tx) error { return tx.tx.Bucket(meta).Put([]byte("schema"), number(Schema+1)) }); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	var newer *NewerError
	if _, err := Open(dir, "boot"); !errors.As(err, &newer) || newer.Schema != Schema+1 {
		t.Errorf("%v", err)
	}
}

func TestOlderLayoutIsDropped(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	fill(t, s)
	if err := s.Update(func(tx *Tx) error { return tx.tx.Bucket(meta).Put([]byte("schema"), number(Schema-1)) }); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	s = openStore(t, dir, "boot")
	if !strings.Contains(s.Dropped, "older") || len(contents(t, s)) > 0 {
		t.Errorf("%q", s.Dropped)
	}
}

func TestGroups(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	if err := s.Update(func(tx *Tx) error {
		return errors.Join(
			tx.DeleteIn(Counts, "none", "k"), tx.DeleteAll(Counts, "none"),
			tx.PutIn(Counts, "a", "k", []byte("1")), tx.PutIn(Counts, "a", "l", []byte("2")), tx.PutIn(Counts, "b", "k", []byte("3")),
			tx.PutIn(Counts, "c", "k", []byte("4")), tx.DeleteIn(Counts, "a", "k"), tx.DeleteAll(Counts, "c"),
		)
	}); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if about, err := Inspect(dir); err != nil || about.Kept[Counts] != 2 {
		t.Errorf("%+v, %v", about.Kept, err)
	}
	s = openStore(t, dir, "boot")
	got := ""
	if err := s.EachIn(Counts, func(group, key string, value []byte) error {
		got += group + key + string(value) + " "
		return nil
	}); err != nil || got != "al2 bk3 " {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSecondIsToldWhoHoldsIt(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir, "boot")
	var held *HeldError
	if _, err := Open(dir, "boot"); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("%v", err)
	}
}

func TestQueueOfHints(t *testing.T) {
	s := openStore(t, t.TempDir(), "boot")
	for i := range 5 {
		if err := s.Update(func(tx *Tx) error {
			return errors.Join(tx.Push("a", fmt.Append(nil, "a", i)), tx.Push("b", fmt.Append(nil, "b", i)))
		}); err != nil {
			t.Fatal(err)
		}
	}
	pull := func(conn string, n int) (got []string) {
		if err := s.Update(func(tx *Tx) error {
			return tx.Pull(conn, n, func(v []byte) error { got = append(got, string(v)); return nil })
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := [][]string{pull("a", 2), pull("b", 9), pull("a", 9), pull("a", 1), pull("c", 1)}
	want := [][]string{{"a0", "a1"}, {"b0", "b1", "b2", "b3", "b4"}, {"a2", "a3", "a4"}, nil, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is put is kept in its order and together with the rest, also if nobody waits;
// numbers of calls go on after a restart.
func TestPut(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, "boot")
	fill(t, s)
	var last Ticket
	for i := range 100 {
		last = s.Put(func(tx *Tx) error { return tx.Put(Networks, "n", fmt.Append(nil, i)) })
	}
	if err := last.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, s)["networks/6e"]; got != "99" {
		t.Errorf("the last of the changes is not kept, but %q", got)
	}
	s.Put(func(tx *Tx) error { return tx.Put(Networks, "n", []byte("unattended")) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, "boot")
	if got := contents(t, s)["networks/6e"]; got != "unattended" {
		t.Errorf("what nobody waits for is not kept: %q", got)
	}
	if got := s.NewCalls(2); fmt.Sprintf("%x", got) != "[0000000000000004 0000000000000005]" {
		t.Errorf("the next calls are %x", got)
	}
	if err := (Ticket{}).Wait(); err != nil {
		t.Error(err)
	}
}

// A change for which somebody is about to wait is left to that one, unless it is to be
// written soon; and what comes after it takes it along, in order.
func TestPutToWait(t *testing.T) {
	s := openStore(t, t.TempDir(), "boot")
	kept := make(chan string, 9)
	telling := func(value string) func(*Tx) error {
		return func(tx *Tx) error {
			tx.Then(func() { kept <- value })
			return tx.Put(Networks, "n", []byte(value))
		}
	}
	s.PutToWait(telling("soon")).Soon()
	if got := <-kept; got != "soon" {
		t.Errorf("%q is kept", got)
	}
	waited := s.PutToWait(telling("waited for"))
	if err := s.flushKnown(); err != nil || len(kept) > 0 {
		t.Errorf("%v, %d written", err, len(kept))
	}
	if err := waited.Wait(); err != nil || len(kept) != 1 {
		t.Errorf("%v, %d written", err, len(kept))
	}
	waited.Soon() // it is over
	<-kept
	s.PutToWait(telling("first"))
	s.Put(telling("second"))
	if first, second := <-kept, <-kept; first != "first" || second != "second" {
		t.Errorf("%q comes before %q", first, second)
	}
	Ticket{}.Soon()
}

// One change that cannot be made does not cost the others in its transaction.
func TestPutBesideAFailure(t *testing.T) {
	s := openStore(t, t.TempDir(), "boot")
	sad := errors.New("sad")
	s.Put(func(tx *Tx) error { return tx.Put(Networks, "n", []byte("one")) })
	s.Put(func(*Tx) error { return sad })
	last := s.Put(func(tx *Tx) error { return tx.Put(Domains, "d", []byte("two")) })
	if err := last.Wait(); !errors.Is(err, sad) {
		t.Errorf("%v", err)
	}
	if got := contents(t, s); got["networks/6e"] != "one" || got["domains/64"] != "two" {
		t.Errorf("kept: %v", got)
	}
}

func TestPutFromManySides(t *testing.T) {
	s := openStore(t, t.TempDir(), "boot")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				ticket := s.Put(func(tx *Tx) error { return tx.Put(Networks, fmt.Sprint(i, " ", j), nil) })
				if j%7 == 0 {
					if err := ticket.Wait(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if err := s.Update(func(*Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := len(contents(t, s)); got != 400 {
		t.Errorf("%d of 400 changes are kept", got)
	}
}
