package libvirtd

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestMarksOfARunningDaemon(t *testing.T) {
	for name, c := range map[string]struct {
		text                       string
		hook, unplugged, portMarks bool
	}{
		"none":              {"", false, false, false},
		"1.2.2 or backport": {"\x00plugged\x00unplugged\x00<hookData>\n\x00", true, true, false},
		"merged":            {"\x00unplugged\x00<hookData>", true, true, false},
		"5.5":               {"\x00port-created\x00<hookData>", true, false, true},
		"only inside words": {"\x00reunplugged\x00unplugged \x00", false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := runAs(t, "libvirtd", c.text)
			m, err := d.Marks()
			if err != nil {
				t.Fatal(err)
			}
			if m.HookData != c.hook || m.Unplugged != c.unplugged || m.PortCreated != c.portMarks {
				t.Errorf("marks %+v", m)
			}
		})
	}
}

// An upgrade replaces the files of a daemon that goes on running: what it runs
// counts, not what lies on the disk.
func TestMarksOfAnUpgradedDaemon(t *testing.T) {
	d, path := runAs(t, "libvirtd", "\x00unplugged\x00<hookData>")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("\x00port-created\x00<hookData>"), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := d.Marks()
	if err != nil {
		t.Fatal(err)
	}
	if !m.Unplugged || m.PortCreated || !strings.Contains(m.Source, "upgraded on disk but not restarted") {
		t.Errorf("marks %+v", m)
	}
}

// What is looked for is found wherever the pieces of a file end.
func TestEachPiece(t *testing.T) {
	wanted := append([]byte{0}, bytes.Repeat([]byte("w"), overlap-2)...)
	wanted = append(wanted, 0)
	for _, size := range []int{0, 1, overlap, 2*overlap + 1, 5 * overlap} {
		for _, before := range []int{0, 1, overlap, overlap + 1, overlap + 2, 2 * overlap, 3*overlap - 1, 3 * overlap} {
			text := slices.Concat(make([]byte, before), wanted, make([]byte, size))
			found, end := 0, 0
			err := eachPiece(iotest.HalfReader(bytes.NewReader(text)), make([]byte, 2*overlap+1), func(piece []byte) {
				if bytes.Contains(piece, wanted) {
					found++
				}
				end = len(piece)
			})
			if err != nil || found == 0 {
				t.Errorf("%d bytes before, %d behind: found %d times, error %v; the last piece has %d", before, size, found, err, end)
			}
		}
	}
	broken := eachPiece(iotest.TimeoutReader(strings.NewReader("text")), make([]byte, 2*overlap+1), func([]byte) {})
	if !errors.Is(broken, iotest.ErrTimeout) {
		t.Errorf("a file that cannot be read whole: %v", broken)
	}
}

// A daemon with much text has marks and directories in more than one piece, and none of
// them twice or in part.
func TestMarksInManyPieces(t *testing.T) {
	program, err := os.Stat("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	long := "/" + strings.Repeat("long/", 700) + "etc"
	const first = "\x00unplugged\x00"
	end := pieceSize // of a piece, in the midst of the long directory
	for end < int(program.Size())+len(first)+2000 {
		end += pieceSize - overlap
	}
	pad := strings.Repeat("x", end-2000-len(first)-int(program.Size()))
	d, _ := runAs(t, "libvirtd", first+pad+"\x00"+long+"/libvirt/hooks\x00"+
		strings.Repeat("x", 2*pieceSize)+"\x00/etc/libvirt/hooks\x00/libvirt/hooks\x00<hookData>")
	if got, want := d.HookDirs(), []string{long + "/libvirt/hooks", "/etc/libvirt/hooks", "/libvirt/hooks"}; !slices.Equal(got, want) {
		t.Errorf("hook directories %q", got)
	}
	if m, err := d.Marks(); err != nil || !m.HookData || !m.Unplugged || m.PortCreated {
		t.Errorf("marks %+v, %v", m, err)
	}
}

func TestMapping(t *testing.T) {
	for line, want := range map[string]string{
		"7f00-7f10 r-xp 00000000 fe:00 1234                       /usr/lib/libvirt.so.0\n": "7f00-7f10|/usr/lib/libvirt.so.0",
		"7f00-7f10 r-xp 00000000 fe:00 1234 /a path/lib virt (deleted)\n":                  "7f00-7f10|/a path/lib virt (deleted)",
		"7f00-7f10 rw-p 00000000 00:00 0 \n":                                               "|",
		"7f00-7f10 rw-p 00000000 00:00 0                          [heap]\n":                "|",
		"": "|",
	} {
		region, path := mapping(line)
		if got := region + "|" + path; got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
