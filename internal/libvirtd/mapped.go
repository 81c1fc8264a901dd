package libvirtd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hookbridge/translate"
)

// Marks looks through the files that a running daemon has mapped. Those on disk
// may be newer ones already, after an upgrade without a restart: the kernel
// still has the mapped ones, and they count. The error says which cannot be read.
func (p Process) Marks() (translate.Marks, error) {
	m := translate.Marks{}
	files, replaced := 0, false
	err := p.eachMapped(func(text []byte, gone bool, err error) error {
		files++
		replaced = replaced || gone
		m.HookData = m.HookData || bytes.Contains(text, []byte("<hookData>"))
		m.Unplugged = m.Unplugged || bytes.Contains(text, []byte("\x00unplugged\x00"))
		m.PortCreated = m.PortCreated || bytes.Contains(text, []byte("\x00port-created\x00"))
		return err
	})
	switch {
	case err != nil:
		return translate.Marks{}, err
	case files == 0:
		return translate.Marks{}, fmt.Errorf("libvirtd (pid %d) maps no files of libvirt's", p.PID)
	}
	m.Source = fmt.Sprintf("the running libvirtd (pid %d)", p.PID)
	if replaced {
		m.Source += ", upgraded on disk but not restarted,"
	}
	return m, nil
}

// HookDirs returns the hook directories in the files that a daemon maps:
// LIBVIRT_HOOK_DIR, which is SYSCONFDIR/libvirt/hooks (src/util/virhook.c).
func (p Process) HookDirs() []string {
	const end = "/libvirt/hooks\x00"
	var dirs []string
	_ = p.eachMapped(func(text []byte, _ bool, _ error) error { // what can be read counts
		for rest := text; ; {
			i := bytes.Index(rest, []byte(end))
			if i < 0 {
				return nil
			}
			dir := string(rest[bytes.LastIndexByte(rest[:i], 0)+1:i]) + "/libvirt/hooks"
			if filepath.IsAbs(dir) && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
			rest = rest[i+len(end):]
		}
	})
	return dirs
}

// eachMapped calls fn with the text of each of libvirt's files that a process has
// mapped, or with why it cannot be read, until fn returns an error. gone says that
// another file, or none, has taken its path. The error is that of fn, or says that
// the list of the files cannot be read.
func (p Process) eachMapped(fn func(text []byte, gone bool, err error) error) error {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID))
	if err != nil {
		return fmt.Errorf("the files of libvirtd (pid %d) cannot be read: %w", p.PID, err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(maps)) {
		region, path := mapping(line)
		if path == "" || seen[path] || !strings.Contains(filepath.Base(path), "virt") {
			continue
		}
		seen[path] = true
		if err := fn(readMapped(p.PID, region, path)); err != nil {
			return err
		}
	}
	return nil
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
