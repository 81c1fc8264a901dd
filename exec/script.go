package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Defaults for the zero values in Hooks.
const (
	DefaultGrace       = 5 * time.Second
	DefaultOutputLimit = 64 << 10
)

// DefaultDir is the hook directory of a libvirtd that is configured as distributions do,
// with --sysconfdir=/etc (LIBVIRT_HOOK_DIR in src/util/virhook.c).
const DefaultDir = "/etc/libvirt/hooks"

// Hooks is one hook: the scripts that are called with the same arguments. Its
// methods may be called from several goroutines at once.
type Hooks struct {
	// Dir is the hook directory, an absolute path, such as DefaultDir.
	Dir string

	// Name is the hook's name: "network". The scripts are Dir/Name and the
	// executables in Dir/Name.d.
	Name string

	// Timeout limits the run of each script. 0 is no limit, as in libvirt.
	Timeout time.Duration

	// Grace is how long a process group that was told to end (SIGTERM) has
	// before it is killed (SIGKILL). 0 is DefaultGrace.
	Grace time.Duration

	// OutputLimit is how many bytes are kept of each script's stdout, and as
	// many of its stderr. 0 is DefaultOutputLimit, a negative limit keeps none.
	OutputLimit int

	// busy is called in tests when a script turned out to be open for writing,
	// before it is tried again.
	busy func()
}

func (h *Hooks) grace() time.Duration {
	if h.Grace <= 0 {
		return DefaultGrace
	}
	return h.Grace
}

func (h *Hooks) outputLimit() int {
	switch {
	case h.OutputLimit == 0:
		return DefaultOutputLimit
	case h.OutputLimit < 0:
		return 0
	}
	return h.OutputLimit
}

// A Finding is something in the hook directory that looks like a script and is not
// run. It stays true until somebody mends it, so log it once, not at each call.
type Finding struct {
	Path   string
	Kind   FindingKind
	Remedy string // what makes it run, a command where there is one; may be empty
}

// FindingKind says why a file is not run.
type FindingKind int

const (
	// NonExecutable is a regular file without any x bit.
	NonExecutable FindingKind = iota + 1
	// NotAFile is a directory, fifo, socket or device in a script's place.
	NotAFile
	// Dangling is a symbolic link to nothing.
	Dangling
	// Leftover is an executable whose name is one that editors and package
	// managers give to old, new and temporary versions. libvirt runs these.
	Leftover
)

// String gives the finding as one line. For a non-executable script it begins with
// libvirt's own words, which people search for.
func (f Finding) String() string {
	var text string
	switch f.Kind {
	case NonExecutable:
		text = "Non-executable hook script " + show(f.Path)
	case NotAFile:
		text = "hook script " + show(f.Path) + " is not a regular file"
	case Dangling:
		text = "hook script " + show(f.Path) + " is a symbolic link to nothing"
	case Leftover:
		text = "skipped " + show(f.Path) + ": by its name a leftover of an editor or package manager"
	default:
		text = show(f.Path)
	}
	if f.Remedy != "" {
		text += "; remedy: " + f.Remedy
	}
	return text
}

// Scripts finds what a call would run now, in the order in which it would: the
// main script, then the executables of the .d directory in the byte order of their
// names. Scripts are regular files, symbolic links followed, with any x bit; ACLs
// and the caller's own rights play no part (virFileIsExecutable). Whether they are
// safe is not asked here.
//
// A missing directory or script is no error. An error means that the directory
// could not be looked into, and is of type [*RunError].
func (h *Hooks) Scripts() (paths []string, findings []Finding, err error) {
	if !filepath.IsAbs(h.Dir) {
		return nil, nil, &RunError{
			Path: h.Dir, Kind: NotStarted, Reason: "the hook directory must be an absolute path",
		}
	}
	consider := func(path string) error {
		kind, err := judge(path)
		switch {
		case err != nil:
			return lookupFailure(path, err)
		case kind == 0:
			paths = append(paths, path)
		case kind == NonExecutable:
			findings = append(findings, Finding{path, kind, "chmod a+x " + Quote(path)})
		case kind > 0:
			findings = append(findings, Finding{Path: path, Kind: kind})
		}
		return nil
	}

	main := filepath.Join(h.Dir, h.Name)
	if err := consider(main); err != nil {
		return nil, nil, err
	}

	dir := main + ".d"
	entries, err := os.ReadDir(dir) // sorted by bytes, as strcmp does
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return paths, findings, nil
	case errors.Is(err, syscall.ENOTDIR):
		// Either dir is a file, or Dir is one.
		if _, err := os.Lstat(dir); err == nil {
			findings = append(findings, Finding{Path: dir, Kind: NotAFile})
		}
		return paths, findings, nil
	case err != nil:
		return nil, nil, lookupFailure(dir, err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.IsDir() {
			continue // a place to park scripts in; libvirt does not descend either
		}
		if isLeftover(entry.Name()) {
			if kind, err := judge(path); kind == 0 && err == nil {
				findings = append(findings, Finding{Path: path, Kind: Leftover})
			}
			continue
		}
		if err := consider(path); err != nil {
			return nil, nil, err
		}
	}
	return paths, findings, nil
}

// absent is what judge says of a path where nothing is.
const absent FindingKind = -1

// judge says whether path is a script: 0 if so, else why not.
func judge(path string) (FindingKind, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		if _, err := os.Lstat(path); err == nil {
			return Dangling, nil
		}
		return absent, nil
	case err != nil:
		return absent, err
	case !info.Mode().IsRegular():
		return NotAFile, nil
	case info.Mode().Perm()&0o111 == 0:
		return NonExecutable, nil
	}
	return 0, nil
}

func lookupFailure(path string, err error) *RunError {
	var errno syscall.Errno
	reason := err.Error()
	if errors.As(err, &errno) {
		reason = errno.Error()
	}
	return &RunError{Path: path, Kind: NotStarted, Reason: fmt.Sprintf("cannot be looked up: %s", reason), Err: err}
}

var leftoverSuffixes = []string{
	"~", ".bak", ".orig", ".rej", ".swp", ".swo", ".swx",
	".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-tmp", ".dpkg-bak", ".dpkg-remove",
	".rpmsave", ".rpmnew", ".rpmorig",
}

// rpm unpacks FILE as FILE;5f3a9c01 and then renames it.
var rpmUnpacking = regexp.MustCompile(`;[0-9a-f]{8}$`)

// isLeftover tells by a file's name whether an editor or package manager left it.
func isLeftover(name string) bool {
	if strings.HasPrefix(name, ".") || // also .#lock, .NAME.swp
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") ||
		strings.Contains(name, ".ucf-") {
		return true
	}
	for _, suffix := range leftoverSuffixes {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return rpmUnpacking.MatchString(name)
}
