package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"hookbridge/internal/process"
	"hookbridge/internal/store"
)

// ownMemory is a directory in memory, mounted for this test alone: no libvirtd of this
// machine sees it.
func ownMemory(t *testing.T, options string) string {
	t.Helper()
	privateMounts(t)
	dir := trustedDir(t)
	tmpfs(t, dir, options)
	return dir
}

func storeFindings(dir string) []Finding {
	all, _ := checkStore(dir)
	return all
}

func openStore(t *testing.T, dir, boot string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, boot)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func thisBoot(t *testing.T) string {
	t.Helper()
	boot, err := process.Boot()
	if err != nil {
		t.Fatal(err)
	}
	return boot
}

func TestStoreInOrder(t *testing.T) {
	dir := ownMemory(t, "mode=700")
	says := func(text string) {
		t.Helper()
		all, held := checkStore(dir)
		if len(all) != 1 || all[0].Level != OK || !strings.Contains(all[0].Text, text) || held != 0 {
			t.Errorf("not %q alone, or held by %d: %+v", text, held, all)
		}
	}
	says("is empty")
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("looking has made %v", entries)
	}
	s := openStore(t, dir, "another boot")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	says("that of another boot")
	s = openStore(t, dir, thisBoot(t))
	err := s.Update(func(tx *store.Tx) error { return tx.Put(store.Networks, "n", []byte("x")) })
	if err != nil {
		t.Fatal(err)
	}
	// Open, it is an agent's: nothing is wrong with that.
	all, held := checkStore(dir)
	if len(all) != 1 || all[0].Level != OK || !strings.Contains(all[0].Text, fmt.Sprintf("in use by the agent with pid %d", os.Getpid())) || held != os.Getpid() {
		t.Errorf("%d, %+v", held, all)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	says(fmt.Sprintf("schema %d, of this boot; 1 network and 0 guests announced, 0 calls to be made", store.Schema))
}

func TestStoreDamaged(t *testing.T) {
	dir := ownMemory(t, "mode=700")
	path := filepath.Join(dir, "state.db")
	write(t, path, strings.Repeat("no store", 2000), 0o600)
	mended(t, Store, Warning, "is damaged", "mv "+path+" "+path+".damaged", func() []Finding { return storeFindings(dir) })
}

func TestStoreOfANewerHookbridge(t *testing.T) {
	dir := ownMemory(t, "mode=700")
	if err := openStore(t, dir, thisBoot(t)).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "state.db")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte{0, 0, 0, 0, 0, 0, 0, 99})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	mended(t, Store, Problem, "newer hookbridge (schema 99", "mv "+path+" "+path+".newer", func() []Finding { return storeFindings(dir) })
}

func TestStateDirFaults(t *testing.T) {
	t.Run("read-only", func(t *testing.T) {
		dir := ownMemory(t, "mode=700")
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		mended(t, Store, Problem, "is read-only", "mount -o remount,rw "+dir, func() []Finding { return storeFindings(dir) })
	})
	t.Run("not to be made", func(t *testing.T) {
		dir := ownMemory(t, "mode=700")
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		mended(t, Store, Problem, "cannot be made", "mount -o remount,rw "+dir, func() []Finding { return storeFindings(filepath.Join(dir, "a/b")) })
	})
	t.Run("a file", func(t *testing.T) {
		path := filepath.Join(ownMemory(t, "mode=700"), "state")
		write(t, path, "", 0o600)
		mended(t, Store, Problem, "not a directory", "mv "+path+" "+path+".old", func() []Finding { return storeFindings(path) })
	})
	t.Run("open to all", func(t *testing.T) {
		dir := filepath.Join(ownMemory(t, "mode=700"), "state")
		mkdir(t, dir, 0o777)
		mended(t, Store, Warning, "by others", "chmod 0700 "+dir, func() []Finding { return storeFindings(dir) })
	})
	t.Run("on a disk", func(t *testing.T) {
		privateMounts(t)
		dir := trustedDir(t)
		if inMemory(dir) {
			// The machine's temporary files lie in memory; the file system of the
			// source tree is one that is not.
			mountOn(t, dir, ".", "", unix.MS_BIND, "")
		}
		mustFind(t, Store, Warning, storeFindings(filepath.Join(dir, "state")))
		tmpfs(t, dir, "mode=700")
		mustNotFind(t, Store, Warning, storeFindings(filepath.Join(dir, "state")))
	})
}

func TestSpaceFaults(t *testing.T) {
	privateMounts(t)
	state, history := trustedDir(t), trustedDir(t)
	tmpfs(t, state, "size=1m,mode=700")
	tmpfs(t, history, "size=4m,mode=700")
	look := func() []Finding {
		return checkSpace(Options{StateDir: filepath.Join(state, "hookbridge"), HistoryDir: filepath.Join(history, "hookbridge/history")})
	}
	mended(t, Space, Problem, "only 1 MiB free for the announced state", "mount -o remount,size=10M "+state, look)
	mended(t, Space, Warning, "only 4 MiB free for the history", "mount -o remount,size=24M "+history, look)
	if all := checkSpace(Options{StateDir: state}); len(all) != 1 {
		t.Errorf("without a history: %+v", all)
	}
}

func TestFileCountFault(t *testing.T) {
	privateMounts(t)
	state := trustedDir(t)
	tmpfs(t, state, "nr_inodes=10,mode=700")
	mended(t, Space, Problem, "more files can be made", "mount -o remount,nr_inodes=1034 "+state, func() []Finding {
		return checkSpace(Options{StateDir: state})
	})
}

func TestClockInThePast(t *testing.T) {
	for when, level := range map[time.Time]Level{
		time.Unix(0, 0): Warning,
		time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC): Warning,
		time.Now():                     OK,
		time.Now().AddDate(0, 0, 3650): OK,
	} {
		if all := checkClock(when); len(all) != 1 || all[0].Level != level || level != OK && all[0].Remedy == "" {
			t.Errorf("%v: %+v", when, all)
		}
	}
}
