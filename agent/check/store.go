package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hookbridge/internal/process"
	"hookbridge/internal/store"
)

// checkStore looks into the announced state. held is the process that has it
// open, 0 if none has.
func checkStore(dir string) (all []Finding, held int) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		above := existing(dir)
		if readOnly(above) {
			return []Finding{problem(Store, dir, fmt.Sprintf("%s cannot be made: %s is read-only", dir, above), remountWritable(above))}, 0
		}
		return append(checkDisk(dir, above), ok(Store, dir, dir+" is not there yet: the agent makes it")), 0
	case err != nil:
		return []Finding{problem(Store, dir, fmt.Sprintf("%s cannot be looked into: %v", dir, err), "ls -ld "+word(dir))}, 0
	case !info.IsDir():
		return []Finding{problem(Store, dir, dir+" is not a directory", fmt.Sprintf("mv %s %s", word(dir), word(dir+".old")))}, 0
	case readOnly(dir):
		return []Finding{problem(Store, dir, dir+" is read-only", remountWritable(dir))}, 0
	}
	if info.Mode().Perm()&0o022 != 0 {
		all = append(all, warning(Store, dir, fmt.Sprintf("%s may be written to by others (mode %04o)", dir, info.Mode().Perm()), "chmod 0700 "+word(dir)))
	}
	all = append(all, checkDisk(dir, dir)...)
	contents, held := checkContents(dir)
	return append(all, contents), held
}

// checkDisk tells of a state that would not lie in memory.
func checkDisk(dir, at string) []Finding {
	if inMemory(at) {
		return nil
	}
	return []Finding{warning(Store, dir, dir+" lies on a disk: what it keeps is true until the next boot only, and every call waits for that disk",
		"Use a --state-dir on a tmpfs: /run is one on most hosts.")}
}

func checkContents(dir string) (f Finding, held int) {
	about, err := store.Inspect(dir)
	var heldBy *store.HeldError
	var damaged *store.DamagedError
	var newer *store.NewerError
	switch {
	case errors.As(err, &heldBy) && heldBy.PID == 0:
		return ok(Store, dir, about.Path+" is in use by an agent"), -1
	case errors.As(err, &heldBy):
		return ok(Store, dir, fmt.Sprintf("%s is in use by the agent with pid %d, as it has to be", about.Path, heldBy.PID)), heldBy.PID
	case errors.Is(err, fs.ErrNotExist):
		return ok(Store, dir, dir+" is empty: nothing has been announced since it was made"), 0
	case errors.As(err, &damaged):
		return warning(Store, dir, damaged.Error()+": the agent will set it aside and begin anew", fmt.Sprintf("mv %s %s", word(about.Path), word(about.Path+".damaged"))), 0
	case errors.As(err, &newer):
		return problem(Store, dir, fmt.Sprintf("%s was written by a newer hookbridge (schema %d, this one knows %d)", about.Path, newer.Schema, store.Schema),
			fmt.Sprintf("mv %s %s", word(about.Path), word(about.Path+".newer"))), 0
	case err != nil:
		return problem(Store, dir, err.Error(), "ls -l "+word(about.Path)), 0
	}
	if boot, err := process.Boot(); err == nil && about.Boot != boot {
		return ok(Store, dir, about.Path+" is that of another boot: the agent drops it"), 0
	}
	return ok(Store, dir, fmt.Sprintf("%s: schema %d, of this boot; %s and %s announced, %s to be made",
		about.Path, about.Schema, plural(about.Kept[store.Networks], "network"), plural(about.Kept[store.Domains], "guest"),
		plural(about.Kept[store.Calls], "call"))), 0
}

// existing returns the nearest directory above a path that exists.
func existing(path string) string {
	for {
		if info, err := os.Stat(path); err == nil && info.IsDir() || path == "/" {
			return path
		}
		path = filepath.Dir(path)
	}
}

func readOnly(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Flags&unix.ST_RDONLY != 0
}

func remountWritable(dir string) string { return "mount -o remount,rw " + word(mountOf(dir)) }

func inMemory(dir string) bool {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return false
	}
	return fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
}

// mountOf returns the mount point above a directory.
func mountOf(dir string) string {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "/"
	}
	var st, up unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return dir
	}
	for dir != "/" {
		parent := filepath.Dir(dir)
		if unix.Stat(parent, &up) != nil || up.Dev != st.Dev {
			break
		}
		dir = parent
	}
	return dir
}
