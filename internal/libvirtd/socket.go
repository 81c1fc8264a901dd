package libvirtd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SocketDirs returns the directories of the sockets that a process listens on.
func (p Process) SocketDirs() []string {
	fds := fmt.Sprintf("/proc/%d/fd", p.PID)
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
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", p.PID))
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
