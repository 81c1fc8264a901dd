package libvirtd

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A libvirtd with a prefix of its own is found by its socket.
func TestStatusDirsOfTheRunningDaemon(t *testing.T) {
	prefix := t.TempDir()
	dir := filepath.Join(prefix, "var/run/libvirt")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "libvirt-sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	got := Process{PID: os.Getpid()}.StatusDirs()
	if !slices.Contains(got.Networks(), filepath.Join(prefix, "var/run/libvirt/network")) ||
		!slices.Contains(got.Networks(), filepath.Join(prefix, "var/lib/libvirt/network")) ||
		!slices.Contains(got.Domains("qemu"), filepath.Join(prefix, "var/run/libvirt/qemu")) ||
		!slices.Contains(got.Domains("qemu"), "/run/libvirt/qemu") {
		t.Errorf("%+v", got)
	}
}

func TestNamedStatusDirs(t *testing.T) {
	usual := UsualStatusDirs()
	if got := usual.Named("", ""); !slices.Equal(got.Run, usual.Run) || !slices.Equal(got.State, usual.State) {
		t.Errorf("nobody has named any: %+v", got)
	}
	got := usual.Named("/r", "/s")
	if !slices.Equal(got.Networks(), []string{"/r/network", "/s/network"}) || !slices.Equal(got.Domains("lxc"), []string{"/r/lxc"}) {
		t.Errorf("%+v", got)
	}
}

func TestStatusFileOfANetwork(t *testing.T) {
	run := t.TempDir()
	dirs := StatusDirs{Run: []string{run}}
	if s := dirs.Network("n"); s != (NetworkStatus{}) {
		t.Errorf("a libvirtd without the directory: %+v", s)
	}
	if err := os.Mkdir(filepath.Join(run, "network"), 0o755); err != nil {
		t.Fatal(err)
	}
	if s := dirs.Network("n"); !s.Absent || s.Text != "" {
		t.Errorf("no file: %+v", s)
	}
	if err := os.WriteFile(filepath.Join(run, "network", "n.xml"), []byte("<x/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := dirs.Network("n"); s.Absent || s.Text != "<x/>" {
		t.Errorf("%+v", s)
	}
	if s := dirs.Network("../network/n"); s != (NetworkStatus{}) {
		t.Errorf("no name of a network: %+v", s)
	}
}
