package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// statusDirs are the directories below which libvirtd keeps its status files:
// LOCALSTATEDIR/run/libvirt and LOCALSTATEDIR/lib/libvirt of its build.
type statusDirs struct {
	run   []string
	state []string
}

// usualStatusDirs are those of every distribution.
var usualStatusDirs = statusDirs{
	run:   []string{"/run/libvirt", "/var/run/libvirt"},
	state: []string{"/var/lib/libvirt"},
}

// networks returns where the status files of networks may be: in the state
// directory up to 1.2.3, in the run directory since (b9e95491d).
func (d statusDirs) networks() []string {
	var dirs []string
	for _, base := range slices.Concat(d.run, d.state) {
		dirs = append(dirs, filepath.Join(base, "network"))
	}
	return dirs
}

// domains returns where a driver's status files may be.
func (d statusDirs) domains(driver string) []string {
	var dirs []string
	for _, base := range d.run {
		dirs = append(dirs, filepath.Join(base, driver))
	}
	return dirs
}

// findStatusDirs finds out where the running libvirtd keeps its files: beside its
// socket, which it makes in its run directory. A libvirtd that was built with
// another prefix, in /usr/local for instance, is found this way.
func findStatusDirs(d daemon) statusDirs {
	run := slices.Clone(usualStatusDirs.run)
	state := slices.Clone(usualStatusDirs.state)
	for _, dir := range d.socketDirs() {
		if filepath.Base(dir) != "libvirt" || slices.Contains(run, dir) {
			continue
		}
		run = append(run, dir)
		// PREFIX/var/run/libvirt has PREFIX/var/lib/libvirt beside it.
		if local, ok := strings.CutSuffix(dir, "/run/libvirt"); ok {
			if other := local + "/lib/libvirt"; !slices.Contains(state, other) {
				state = append(state, other)
			}
		}
	}
	return statusDirs{run: run, state: state}
}

// socketDirs returns the directories of the sockets that a process listens on.
func (d daemon) socketDirs() []string {
	fds := fmt.Sprintf("/proc/%d/fd", d.PID)
	entries, err := os.ReadDir(fds)
	if err != nil {
		return nil
	}
	own := map[string]bool{}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil {
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				own[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", d.PID))
	if err != nil {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(table)) {
		inode, path := unixSocket(line)
		if !own[inode] || path == "" {
			continue
		}
		if dir := filepath.Dir(path); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// unixSocket takes a line of /proc/net/unix apart: Num, RefCount, Protocol, Flags,
// Type, St, Inode and, for a socket with a place in the file system, Path.
func unixSocket(line string) (inode, path string) {
	fields := strings.Fields(line)
	if len(fields) < 8 || !strings.HasPrefix(fields[7], "/") {
		return "", ""
	}
	return fields[6], fields[7]
}
