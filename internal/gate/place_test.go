package gate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hookbridge/internal/gate/ask"
	"hookbridge/internal/libvirtd"
)

const adminScript = "#!/bin/sh\n# the administrator's own\nexit 0\n\n"

// place is a hook directory for a test.
type place struct {
	hook
	t *testing.T
}

func newPlace(t *testing.T) place {
	t.Helper()
	h := newHook(t.TempDir(), "qemu")
	h.daemons = func(string, string) ([]libvirtd.Process, error) { return nil, nil }
	return place{hook: h, t: t}
}

// withDaemon lets a libvirtd run that was started so many ticks after the boot.
func (p *place) withDaemon(ticks uint64) {
	p.daemons = func(string, string) ([]libvirtd.Process, error) {
		return []libvirtd.Process{{PID: 1, Start: ticks}}, nil
	}
}

func (p place) write(path, text string, mode fs.FileMode) fs.FileInfo {
	p.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	old := time.Date(2013, 11, 5, 1, 2, 3, 4, time.UTC)
	if err := os.Chtimes(path, old, old); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		p.t.Fatal(err)
	}
	return p.info(path)
}

func (p place) info(path string) fs.FileInfo {
	p.t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return info
}

func (p place) read(path string) string {
	p.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// names lists what is in the directory.
func (p place) names() string {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func testSettings(t *testing.T) settings {
	t.Helper()
	s, err := Options{Binary: "/bin/true", Socket: "/run/it's here.sock"}.settings()
	if err != nil {
		t.Fatal(err)
	}
	s.Guest = "qemu"
	return s
}

func (p place) mustInstall() Outcome {
	p.t.Helper()
	o := p.install(testSettings(p.t))
	if o.Err != nil {
		p.t.Fatal(o.Err)
	}
	return o
}

func (p place) mustRemove() Outcome {
	p.t.Helper()
	o := p.uninstall()
	if o.Err != nil {
		p.t.Fatal(o.Err)
	}
	return o
}

func (p place) mustState(want string) GuestStatus {
	p.t.Helper()
	g, err := p.status()
	if err != nil {
		p.t.Fatal(err)
	}
	if g.State != want {
		p.t.Fatalf("the state is %q, want %q", g.State, want)
	}
	return g
}

// same checks that a path holds the same file as before, untouched.
func (p place) same(path string, want fs.FileInfo) {
	p.t.Helper()
	got := p.info(path)
	if !os.SameFile(got, want) || got.Mode() != want.Mode() || !got.ModTime().Equal(want.ModTime()) || got.Size() != want.Size() {
		p.t.Errorf("%s is another file, or has changed: %v %v, want %v %v", path, got.Mode(), got.ModTime(), want.Mode(), want.ModTime())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{},
		{Binary: "bin/true"},
		{Binary: "/bin/true", Socket: "relative"},
		{Binary: "/bin/true", Timeout: -1},
		{Binary: "/no/such/binary"},
	} {
		if _, err := Install(t.TempDir(), Guests, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	if _, err := Install(t.TempDir(), []string{"xen"}, Options{Binary: "/bin/true"}); err == nil {
		t.Error("xen: no error")
	}
	loose := filepath.Join(t.TempDir(), "hookbridge")
	if err := os.WriteFile(loose, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(loose, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(t.TempDir(), Guests, Options{Binary: loose}); err == nil {
		t.Error("a program that others can write to would run as root")
	}
}

func TestSettingsSurviveTheScript(t *testing.T) {
	s := testSettings(t)
	s.Socket = "/run/a'b\nc$(d)\"é"
	s.Unavailable = ask.Deny
	text, err := s.script("/etc/libvirt/hooks/qemu.hookbridge-kept")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse(text)
	if err != nil || got != s {
		t.Errorf("read back: %+v %v, want %+v", got, err, s)
	}
	for change, want := range map[string]error{
		string(text) + "\n": errEdited,
		strings.Replace(string(text), "set -u", "set -eu", 1):       errEdited,
		strings.Replace(string(text), "#!/bin/sh", "#!/bin/ash", 1): errNotOurs,
		"#!/bin/sh\nexit 0\n": errNotOurs,
		"":                    errNotOurs,
	} {
		if _, err := parse([]byte(change)); !errors.Is(err, want) {
			t.Errorf("%.30q…: %v, want %v", change, err, want)
		}
	}
}
