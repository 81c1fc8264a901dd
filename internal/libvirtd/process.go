package libvirtd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"hookbridge/internal/process"
)

// daemonNames are the processes that may run the network driver and so its
// hooks: the monolithic daemon, and since libvirt 5.6 one of its own.
var daemonNames = []string{"virtnetworkd", "libvirtd"}

// Process is one run of a libvirt daemon of this host.
type Process struct {
	PID int

	// Start is when it was started, in clock ticks since boot
	// (/proc/PID/stat, field 22): together with the PID it tells one run from
	// the next.
	Start uint64
}

// String names the run.
func (p Process) String() string { return fmt.Sprintf("pid %d started at %d", p.PID, p.Start) }

// ErrNone says that no libvirtd runs on this host.
var ErrNone = errors.New("no libvirtd runs on this host")

// Find looks for the process that runs the network driver. It must share the
// caller's mounts: a libvirtd inside a container is not this host's. The error is
// [ErrNone], or one of reading /proc.
func Find() (Process, error) {
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return Process{}, fmt.Errorf("the processes of this host cannot be read: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return Process{}, fmt.Errorf("the processes of this host cannot be read: %w", err)
	}
	best, rank := Process{}, len(daemonNames)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := process.Read(pid)
		if err != nil {
			continue // it has ended
		}
		r := slices.Index(daemonNames, stat.Name)
		if r < 0 || r >= rank {
			continue
		}
		if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid)); err == nil && ns == own {
			best, rank = Process{pid, stat.Start}, r
		}
	}
	if best.PID == 0 {
		return best, ErrNone
	}
	return best, nil
}
