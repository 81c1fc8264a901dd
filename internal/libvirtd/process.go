package libvirtd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hookbridge/internal/process"
	"hookbridge/translate"
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

// Marks looks through the files that a running daemon has mapped. Those on disk
// may be newer ones already, after an upgrade without a restart: the kernel
// still has the mapped ones, and they count. The error says which cannot be read.
func (p Process) Marks() (translate.Marks, error) {
	m := translate.Marks{}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID))
	if err != nil {
		return m, fmt.Errorf("the files of libvirtd (pid %d) cannot be read: %w", p.PID, err)
	}
	replaced := false
	seen := map[string]bool{}
	for line := range strings.Lines(string(maps)) {
		region, path := mapping(line)
		if path == "" || seen[path] || !strings.Contains(filepath.Base(path), "virt") {
			continue
		}
		seen[path] = true
		text, gone, err := readMapped(p.PID, region, path)
		if err != nil {
			return translate.Marks{}, err
		}
		replaced = replaced || gone
		m.HookData = m.HookData || bytes.Contains(text, []byte("<hookData>"))
		m.Unplugged = m.Unplugged || bytes.Contains(text, []byte("\x00unplugged\x00"))
		m.PortCreated = m.PortCreated || bytes.Contains(text, []byte("\x00port-created\x00"))
	}
	if len(seen) == 0 {
		return m, fmt.Errorf("libvirtd (pid %d) maps no files of libvirt's", p.PID)
	}
	m.Source = fmt.Sprintf("the running libvirtd (pid %d)", p.PID)
	if replaced {
		m.Source += ", upgraded on disk but not restarted,"
	}
	return m, nil
}

// mapping takes a line of /proc/PID/maps apart: the address range and the path,
// which is empty for memory that is no file.
func mapping(line string) (region, path string) {
	fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6)
	if len(fields) < 6 {
		return "", ""
	}
	path = strings.TrimLeft(fields[5], " ")
	if !strings.HasPrefix(path, "/") {
		return "", ""
	}
	return fields[0], path
}

// readMapped reads a mapped file: the file that is mapped, not the one that may
// have taken its path. gone says that the path leads elsewhere now.
func readMapped(pid int, region, path string) (text []byte, gone bool, err error) {
	name, gone := strings.CutSuffix(path, " (deleted)")
	text, err = os.ReadFile(fmt.Sprintf("/proc/%d/map_files/%s", pid, region))
	if err == nil || gone {
		return text, gone, err
	}
	// Kernels before 4.3 hide map_files from namespaces and need more than root.
	text, err = os.ReadFile(fmt.Sprintf("/proc/%d/root%s", pid, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	return text, gone, err
}
