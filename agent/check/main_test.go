package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The main thread belongs to the main goroutine: a test that changes the mounts
// of its thread never has that one, which /proc/self shows.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// privateMounts gives the calling test mounts of its own: the faults that it
// makes exist on its thread, and in what it starts, alone.
func privateMounts(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test mounts file systems and needs root")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

// mountOn mounts a file system until the test ends.
func mountOn(t *testing.T, target, source, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mounting on %s: %v", target, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
}

func tmpfs(t *testing.T, target, data string) {
	t.Helper()
	mountOn(t, target, "tmpfs", "tmpfs", 0, data)
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// trustedDir is a directory that only root can change, all the way up.
func trustedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func of(id ID, level Level, all []Finding) (Finding, bool) {
	i := slices.IndexFunc(all, func(f Finding) bool { return f.ID == id && f.Level == level })
	if i < 0 {
		return Finding{}, false
	}
	return all[i], true
}

// mustFind returns the finding with an identifier and a level.
func mustFind(t *testing.T, id ID, level Level, all []Finding) Finding {
	t.Helper()
	f, found := of(id, level, all)
	if !found {
		t.Fatalf("no %s %s in %+v", level, id, all)
	}
	if level != OK && f.Remedy == "" {
		t.Errorf("no remedy: %+v", f)
	}
	return f
}

func mustNotFind(t *testing.T, id ID, level Level, all []Finding) {
	t.Helper()
	if f, found := of(id, level, all); found {
		t.Errorf("still there: %+v", f)
	}
}

// run runs a remedy as an administrator would.
func run(t *testing.T, remedy string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", remedy).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", remedy, err, out)
	}
}

// mended checks that a fault is found, with a text that names what is at fault,
// and that its remedy, which must be the given one, makes it go away.
func mended(t *testing.T, id ID, level Level, says, remedy string, look func() []Finding) {
	t.Helper()
	f := mustFind(t, id, level, look())
	if !strings.Contains(f.Text, says) {
		t.Errorf("%q does not say %q", f.Text, says)
	}
	if f.Remedy != remedy {
		t.Errorf("remedy %q, want %q", f.Remedy, remedy)
	}
	run(t, f.Remedy)
	mustNotFind(t, id, level, look())
}
