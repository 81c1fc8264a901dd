package libvirtd

import (
	"os"
	"strings"
	"testing"
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
