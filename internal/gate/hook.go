package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hookbridge/internal/libvirtd"
)

// Guests are the hooks that the gate knows.
var Guests = []string{"qemu", "lxc"}

// maxScript bounds what is read of a script that may be ours.
const maxScript = 1 << 20

// hook is the place of one guest hook in a hook directory.
type hook struct {
	dir, guest string
	daemons    func(dir, guest string) ([]libvirtd.Process, error)
	// step is called after each change on disk, for tests of what an interrupted
	// command leaves.
	step func(what string)
}

func newHook(dir, guest string) hook {
	return hook{dir: dir, guest: guest, daemons: libvirtd.GuestDaemons, step: func(string) {}}
}

// path is what libvirtd runs.
func (h hook) path() string { return filepath.Join(h.dir, h.guest) }

// keptPath is where a script that was there before is kept: beside its old place,
// since such scripts look for others beside themselves, and not in the .d
// directory, where libvirtd would run it.
func (h hook) keptPath() string { return h.path() + ".hookbridge-kept" }

// freshPath is where a script is written before it gets its name.
func (h hook) freshPath() string { return filepath.Join(h.dir, "."+h.guest+".hookbridge-new") }

// state is what is found at the path of a hook.
type state int

const (
	absent  state = iota
	active        // our shim
	passing       // our pass-through
	edited        // one of the two, changed by hand
	foreign       // something else
)

// keeping is what is found at the path of the kept script.
type keeping int

const (
	nothingKept keeping = iota
	keptIdle            // there, but libvirt would not run it
	keptRuns
)

// found is the state of a hook's files.
type found struct {
	state    state
	settings settings
	info     fs.FileInfo // nil where absent
	kept     keeping
	keptInfo fs.FileInfo
	fresh    bool // an interrupted command has left its file
}

// halfway reports whether an installation was interrupted when the script that
// was there had got its second name and not lost the first.
func (f found) halfway() bool {
	return f.info != nil && f.keptInfo != nil && os.SameFile(f.info, f.keptInfo)
}

func (h hook) look() (found, error) {
	var f found
	var err error
	if f.info, err = lstat(h.path()); err != nil {
		return f, err
	}
	if f.keptInfo, err = lstat(h.keptPath()); err != nil {
		return f, err
	}
	fresh, err := lstat(h.freshPath())
	if err != nil {
		return f, err
	}
	f.fresh = fresh != nil
	if f.keptInfo != nil {
		f.kept = keptIdle
		if runs(h.keptPath()) {
			f.kept = keptRuns
		}
	}
	switch {
	case f.info == nil:
		f.state = absent
	case !f.info.Mode().IsRegular() || f.info.Size() > maxScript:
		// A link may lead to the shim of another guest, and is no shim itself.
		f.state = foreign
	default:
		text, err := os.ReadFile(h.path())
		if err != nil {
			return f, err
		}
		switch f.settings, err = parse(text); {
		case errors.Is(err, errEdited):
			f.state = edited
		case err != nil:
			f.state = foreign
		case f.settings.PassThrough:
			f.state = passing
		default:
			f.state = active
		}
	}
	return f, nil
}

// lstat returns nil for a file that does not exist.
func lstat(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// runs tells whether libvirt would run a script: virFileIsExecutable wants a
// regular file, links followed, with any of its x bits.
func runs(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// repair finishes, or takes back, what an interrupted command has left. It never
// touches the only name of a file that is not ours.
func (h hook) repair() error {
	f, err := h.look()
	if err != nil {
		return err
	}
	if f.fresh {
		if err := h.remove(h.freshPath()); err != nil {
			return err
		}
	}
	if f.halfway() {
		return h.remove(h.keptPath())
	}
	return nil
}

// writeFresh writes a script of ours under the name that it has for the time.
func (h hook) writeFresh(s settings) error {
	text, err := s.script(h.keptPath())
	if err != nil {
		return err
	}
	file, err := os.OpenFile(h.freshPath(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Chmod(0o755) // whatever the umask is
	}
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(h.freshPath())
		return err
	}
	h.step("write")
	return nil
}

// putOver puts a script of ours in the place of what is there.
func (h hook) putOver(s settings) error {
	if err := h.writeFresh(s); err != nil {
		return err
	}
	return h.rename(h.freshPath(), h.path())
}

func (h hook) rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	h.step("rename")
	return syncDir(h.dir)
}

// link gives a file a second name, which must be free. Of a symbolic link it is
// the link that gets it.
func (h hook) link(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	h.step("link")
	return syncDir(h.dir)
}

func (h hook) remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	h.step("remove")
	return syncDir(h.dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// lock keeps other commands out of a hook directory until it is released.
func lock(dir string) (release func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("%s: locking: %w", dir, err)
	}
	return func() { _ = d.Close() }, nil
}

// sumOf identifies a script that is kept, so that a later change can be told.
func sumOf(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		return sum([]byte("link to " + target)), err
	}
	text, err := os.ReadFile(path)
	return sum(text), err
}
