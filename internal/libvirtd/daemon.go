package libvirtd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hookbridge/internal/process"
	"hookbridge/translate"
)

// Daemon is what can be told of the libvirtd of this host without asking it.
type Daemon struct {
	PID     int
	Program string // the name of the process

	// Marks are what the files that it maps show of its hooks. MarksErr says why
	// they cannot be had; then they are zero.
	Marks    translate.Marks
	MarksErr error

	// Stopped says that the process is stopped by a signal or a debugger.
	Stopped bool

	// SocketDirs are the directories of the sockets that it listens on.
	SocketDirs []string

	// HookDirs are the hook directories that are built into it. They tell where it
	// looks for scripts itself.
	HookDirs []string
}

// Look looks at the process that runs the network driver. The error is [ErrNone] if
// there is none.
func Look() (Daemon, error) {
	p, err := Find()
	if err != nil {
		return Daemon{}, err
	}
	found := Daemon{PID: p.PID, SocketDirs: p.SocketDirs(), HookDirs: p.HookDirs()}
	stat, err := process.Read(p.PID)
	if err != nil {
		return Daemon{}, ErrNone // it has just ended
	}
	found.Program, found.Stopped = stat.Name, stat.Stopped
	found.Marks, found.MarksErr = p.Marks()
	return found, nil
}

// Verdict says which operations this libvirtd runs itself. version is what it
// answers when asked, 0 if it was not.
func (d Daemon) Verdict(version uint32) translate.Verdict {
	return translate.Judge(d.Marks, version)
}

// HookDirs returns the hook directories in the files that a daemon maps:
// LIBVIRT_HOOK_DIR, which is SYSCONFDIR/libvirt/hooks (src/util/virhook.c).
func (p Process) HookDirs() []string {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID))
	if err != nil {
		return nil
	}
	const end = "/libvirt/hooks\x00"
	var dirs []string
	seen := map[string]bool{}
	for line := range bytes.Lines(maps) {
		region, path := mapping(string(line))
		if path == "" || seen[path] || !strings.Contains(filepath.Base(path), "virt") {
			continue
		}
		seen[path] = true
		text, _, err := readMapped(p.PID, region, path)
		if err != nil {
			continue
		}
		for rest := text; ; {
			i := bytes.Index(rest, []byte(end))
			if i < 0 {
				break
			}
			dir := string(rest[bytes.LastIndexByte(rest[:i], 0)+1:i]) + "/libvirt/hooks"
			if filepath.IsAbs(dir) && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
			rest = rest[i+len(end):]
		}
	}
	return dirs
}
