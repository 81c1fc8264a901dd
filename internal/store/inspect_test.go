package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Looking changes nothing, and finds what Open would.
func TestInspect(t *testing.T) {
	dir := t.TempDir()
	if _, err := Inspect(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("looking has made %v", entries)
	}
	s := openStore(t, dir, "boot")
	fill(t, s)
	var held *HeldError
	if _, err := Inspect(dir); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	about, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := About{Path: path, Schema: Schema, Boot: "boot", Kept: map[Bucket]int{Networks: 1, Domains: 1, Calls: 3, Counts: 0, Adopted: 0, Hints: 0}}
	if diff := cmp.Diff(want, about); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if after, _ := os.ReadFile(path); !cmp.Equal(before, after) {
		t.Error("looking has changed the file")
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made and not begun: %v", err)
	}
	var damaged *DamagedError
	for _, text := range [][]byte{[]byte("x"), before[:len(before)/4], append([]byte("damage"), before...)} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Inspect(dir); !errors.As(err, &damaged) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}
