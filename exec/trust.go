package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links the kernel follows in one path.
const maxLinks = 40

// Trust tells whether nobody but root could replace the file at path. The path
// must be absolute. For each component from the root directory down, for each
// symbolic link on the way and for the components of what it leads to:
//
//   - The owner is root, or the user that this process runs as.
//   - Others may not write to it.
//   - Its group may not write to it, unless that group is root's (gid 0) and no
//     ACL is set: with an ACL, the group's bits stand for other users too.
//   - A directory with the sticky bit, such as /tmp, may be writable to all: they
//     can add entries, but not replace those of root, and the entry is checked
//     next. Since they may add hard links (before fs.protected_hardlinks), a file
//     directly inside must have one link only.
//
// Of a symbolic link only the owner counts, its mode means nothing.
//
// The error is nil or a [*RunError] of kind Refused, or NotStarted if the path does
// not exist or could not be examined.
func Trust(path string) error {
	if refusal := trust(path, os.Geteuid()); refusal != nil {
		return refusal
	}
	return nil
}

func trust(path string, euid int) *RunError {
	if !filepath.IsAbs(path) {
		return &RunError{Path: path, Kind: Refused, Reason: "the path is not absolute"}
	}
	var st unix.Stat_t
	if err := unix.Lstat("/", &st); err != nil {
		return unexaminable(path, "/", err)
	}
	if refusal := trustComponent(path, "/", "/", &st, euid); refusal != nil {
		return refusal
	}
	at := "/" // as far as we got; free of links and trusted
	links := 0
	for rest := path; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := strings.TrimSuffix(at, "/") + "/" + name
		if err := unix.Lstat(next, &st); err != nil {
			return unexaminable(path, next, err)
		}
		if refusal := trustComponent(path, at, next, &st, euid); refusal != nil {
			return refusal
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return unexaminable(path, next, err)
		}
		if links++; links > maxLinks {
			return unexaminable(path, next, unix.ELOOP)
		}
		rest = target + "/" + rest
		if filepath.IsAbs(target) {
			at = "/"
		}
	}
	return nil
}

// trustComponent judges the component at, which lies in the directory dir.
func trustComponent(script, dir, at string, st *unix.Stat_t, euid int) *RunError {
	kind := st.Mode & unix.S_IFMT
	name := "it"
	if at != script {
		name = show(at)
	}
	refuse := func(reason, remedy string) *RunError {
		return &RunError{Path: script, Kind: Refused, Reason: name + " " + reason, Remedy: remedy}
	}

	if st.Uid != 0 && int(st.Uid) != euid {
		chown := "chown root:root "
		if euid != 0 {
			chown = fmt.Sprintf("chown %d ", euid)
		}
		if kind == unix.S_IFLNK {
			chown = strings.Replace(chown, "chown", "chown -h", 1)
		}
		return refuse(fmt.Sprintf("belongs to uid %d, who could replace the script", st.Uid), chown+Quote(at))
	}
	if kind == unix.S_IFLNK {
		return nil
	}
	if kind == unix.S_IFREG && st.Nlink > 1 {
		var parent unix.Stat_t
		if err := unix.Lstat(dir, &parent); err != nil {
			return unexaminable(script, dir, err)
		}
		if parent.Mode&unix.S_ISVTX != 0 && parent.Mode&0o022 != 0 {
			return refuse("has other names and lies in "+show(dir)+", where anybody could have linked it to",
				fmt.Sprintf("cp -p %s %s && mv %s %s", Quote(at), Quote(at+".new"), Quote(at+".new"), Quote(at)))
		}
	}
	if kind == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0 {
		return nil
	}
	group, others := st.Mode&0o020 != 0, st.Mode&0o002 != 0
	switch {
	case group && others && st.Gid != 0:
		return refuse(fmt.Sprintf("is writable by its group %d and by others (mode %04o)", st.Gid, st.Mode&0o7777),
			"chmod go-w "+Quote(at))
	case others:
		return refuse(fmt.Sprintf("is writable by others (mode %04o)", st.Mode&0o7777), "chmod o-w "+Quote(at))
	case group && st.Gid != 0:
		return refuse(fmt.Sprintf("is writable by its group %d (mode %04o)", st.Gid, st.Mode&0o7777),
			"chmod g-w "+Quote(at))
	case group:
		if n, err := unix.Lgetxattr(at, "system.posix_acl_access", nil); err == nil && n > 0 {
			return refuse("is writable by others through an ACL", "setfacl -b "+Quote(at)+" && chmod g-w "+Quote(at))
		}
	}
	return nil
}

func unexaminable(script, at string, err error) *RunError {
	e := &RunError{Path: script, Kind: NotStarted, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Reason = "it does not exist any more"
		if at != script {
			e.Reason = show(at) + " does not exist"
		}
	default:
		e.Reason = fmt.Sprintf("%s cannot be examined: %v", show(at), err)
	}
	return e
}
