package libvirtd

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hookbridge/internal/process"
)

// guestDaemons are the programs that run a guest's hook.
var guestDaemons = map[string][]string{
	"qemu": {"libvirtd", "lt-libvirtd", "virtqemud", "lt-virtqemud"},
	"lxc":  {"libvirtd", "lt-libvirtd", "virtlxcd", "lt-virtlxcd"},
}

// GuestDaemons returns the running daemons that run the hook of a guest, qemu or lxc,
// from the given directory. One that sees another directory under that name, in a
// container of its own, is none; one of which that cannot be told is. The error is one
// of the directory or of /proc.
func GuestDaemons(dir, guest string) ([]Process, error) {
	ours, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		proc := filepath.Join("/proc", e.Name())
		if !slices.Contains(guestDaemons[guest], program(proc)) {
			continue
		}
		theirs, err := os.Stat(proc + "/root" + absolute)
		if err == nil && !os.SameFile(ours, theirs) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		stat, err := process.Read(pid)
		if err != nil {
			continue // it has just ended
		}
		all = append(all, Process{pid, stat.Start})
	}
	return all, nil
}

// program returns the name of the program that a process runs.
func program(proc string) string {
	if exe, err := os.Readlink(proc + "/exe"); err == nil {
		return strings.TrimSuffix(filepath.Base(exe), " (deleted)")
	}
	comm, _ := os.ReadFile(proc + "/comm") // cut to 15 characters, which is enough
	return string(bytes.TrimSpace(comm))
}
