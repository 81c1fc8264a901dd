//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"hookbridge/internal/farm"
	"hookbridge/internal/testhost"
)

// hanging is a hookbridge whose libvirtd says no more than so many bytes to it.
func hanging(t *testing.T, after int64) *bridge {
	t.Helper()
	t.Parallel()
	f := farm.New(t)
	f.Guests(100, 2, f.Networks(2))
	f.Host.InstallRecorder(t, hookDir)
	socket := filepath.Join(f.Host.Scratch(), "relay")
	r := newRelay(t, socket, f.Host.Path("/run/libvirt/libvirt-sock"), after)
	b := launch(t, f.Host, nil, "--hook-dir", hookDir, "--ops", everything, "--connect", "test+unix:///default?socket="+socket)
	select {
	case <-r.hung:
	case <-time.After(testhost.DefaultWait):
		t.Fatal("libvirtd has less to say than was thought")
	}
	return b
}

// libvirtd hangs while guests are being read. hookbridge gives the connection up and goes
// on with another. (With several requests under way it would not, or crash.)
func TestLibvirtHangsDuringComparison(t *testing.T) {
	b := hanging(t, 50_000) // of more than 100 KB
	b.awaitLine(t, "no connection to libvirt")
	b.awaitLine(t, "msg=watching")
}

// hookbridge ends when it is told to, also when libvirtd does not say a word.
func TestEndsWhileLibvirtHangs(t *testing.T) {
	b := hanging(t, 1)
	b.stop(t)
	b.awaitLine(t, "the connections to it are ended")
}
