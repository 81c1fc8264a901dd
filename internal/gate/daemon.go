package gate

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hookbridge/internal/process"
)

// moment is a point in time that a wall clock set later does not move: the boot,
// and hundredths of a second since then, which is what the kernel counts the
// start of processes in.
type moment struct {
	Boot  string `json:"boot"`
	Ticks int64  `json:"ticks"`
}

const tick = 10 * time.Millisecond

func now() (moment, error) {
	boot, err := process.Boot()
	if err != nil {
		return moment{}, err
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return moment{}, err
	}
	return moment{Boot: boot, Ticks: up.Nano() / int64(tick)}, nil
}

// ago returns the moment of a time on the wall clock. What was before the boot is
// moved to it.
func (m moment) ago(t time.Time) moment {
	m.Ticks = max(0, m.Ticks-int64(time.Since(t)/tick))
	return m
}

// daemon is a running libvirt daemon.
type daemon struct {
	pid   int
	start moment
}

// startedAfter tells whether the daemon has started after a moment: then it has
// seen the hooks that were there.
func (d daemon) startedAfter(m moment) bool {
	return d.start.Boot != m.Boot || d.start.Ticks > m.Ticks
}

// daemonNames are the programs that run a guest's hook.
var daemonNames = map[string][]string{
	"qemu": {"libvirtd", "lt-libvirtd", "virtqemud", "lt-virtqemud"},
	"lxc":  {"libvirtd", "lt-libvirtd", "virtlxcd", "lt-virtlxcd"},
}

// daemonsOf returns the running daemons that run a guest's hook from the given
// directory. One that sees another directory under that name, in a container of
// its own, is none; one of which that cannot be told is.
func daemonsOf(dir, guest string) ([]daemon, error) {
	current, err := now()
	if err != nil {
		return nil, err
	}
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
	var all []daemon
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		proc := filepath.Join("/proc", e.Name())
		if !slices.Contains(daemonNames[guest], program(proc)) {
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
		all = append(all, daemon{pid: pid, start: moment{Boot: current.Boot, Ticks: int64(stat.Start)}})
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
