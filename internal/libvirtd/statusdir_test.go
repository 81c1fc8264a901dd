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
