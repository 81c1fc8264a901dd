package libvirtd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	files, replaced, err := p.search(func(piece []byte) {
		m.HookData = m.HookData || bytes.Contains(piece, []byte("<hookData>"))
		m.Unplugged = m.Unplugged || bytes.Contains(piece, []byte("\x00unplugged\x00"))
		m.PortCreated = m.PortCreated || bytes.Contains(piece, []byte("\x00port-created\x00"))
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
	const end = "/libvirt/hooks"
	var dirs []string
	_, _, _ = p.search(func(piece []byte) { // what can be read counts
		for at := 0; ; at++ {
			i := bytes.Index(piece[at:], []byte(end+"\x00"))
			if i < 0 {
				return
			}
			at += i
			begin := bytes.LastIndexByte(piece[:at], 0)
			if begin < 0 {
				continue // cut; the piece before had all of it
			}
			dir := string(piece[begin+1:at]) + end
			if filepath.IsAbs(dir) && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	})
	return dirs
}

// search calls look with the text of each of libvirt's files that a process has mapped,
// piece by piece, see [eachPiece]. files is how many there are, and replaced says that
// another file, or none, has taken the path of one of them. The error is that of the
// first that cannot be read, or not whole; the others are searched all the same.
func (p Process) search(look func(piece []byte)) (files int, replaced bool, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.PID))
	if err != nil {
		return 0, false, fmt.Errorf("the files of libvirtd (pid %d) cannot be read: %w", p.PID, err)
	}
	seen, buf := map[string]bool{}, make([]byte, pieceSize)
	for line := range strings.Lines(string(maps)) {
		region, path := mapping(line)
		if path == "" || seen[path] || !strings.Contains(filepath.Base(path), "virt") {
			continue
		}
		seen[path] = true
		files++
		file, gone, failed := openMapped(p.PID, region, path)
		replaced = replaced || gone
		if file != nil {
			failed = eachPiece(file, buf, look)
			_ = file.Close() // it was only read
		}
		if err == nil {
			err = failed
		}
	}
	return files, replaced, err
}

const (
	// pieceSize is how much of a file is in memory at a time. All of libvirt's files
	// have 9 MB together, which a connection that breaks again and again would leave
	// behind each time.
	pieceSize = 128 << 10
	// overlap is what is looked for at most: a path (PATH_MAX) between two zeros.
	overlap = 4096 + 2
)

// eachPiece calls look with what r has in pieces of at most len(buf), which has to be
// more than twice the overlap. Each begins with the last bytes of the one before, so that what
// is not longer than the overlap is whole in one of them.
func eachPiece(r io.Reader, buf []byte, look func(piece []byte)) error {
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		piece := buf[:kept+n]
		if n > 0 {
			look(piece)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
		kept = copy(buf, piece[len(piece)-overlap:])
	}
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

// openMapped opens a mapped file: the file that is mapped, not the one that may
// have taken its path. gone says that the path leads elsewhere now; the file is nil if
// that is all that can be known.
func openMapped(pid int, region, path string) (file *os.File, gone bool, err error) {
	name, gone := strings.CutSuffix(path, " (deleted)")
	file, err = os.Open(fmt.Sprintf("/proc/%d/map_files/%s", pid, region))
	if err == nil || gone {
		return file, gone, err
	}
	// Kernels before 4.3 hide map_files from namespaces and need more than root.
	file, err = os.Open(fmt.Sprintf("/proc/%d/root%s", pid, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	return file, gone, err
}
