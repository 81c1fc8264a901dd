//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hookbridge/internal/testhost"
)

// hookDir is where hookbridge's own hook lies inside a host; libvirt's is
// /etc/libvirt/hooks.
const hookDir = "/etc/hookbridge-test/hooks"

const classic = "start,started,stopped,plugged,unplugged"

// bridge is a running hookbridge.
type bridge struct {
	cmd   *testhost.Cmd
	ended chan struct{} // closed when its stderr is

	killed bool

	mu    sync.Mutex
	lines []string
	more  chan struct{} // a token when a line has come
}

// binary returns the program under test.
func binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("HOOKBRIDGE_BINARY")
	if path == "" {
		t.Fatal("HOOKBRIDGE_BINARY must name the hookbridge binary to test: use make e2e")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startBridge starts hookbridge inside the host and waits until it has seen
// everything that is there.
func startBridge(t testing.TB, h *testhost.Host, args ...string) *bridge {
	t.Helper()
	b := launchBridge(t, h, args...)
	b.awaitWatching(t)
	return b
}

// launchBridge starts hookbridge with the suite's arguments and does not wait.
func launchBridge(t testing.TB, h *testhost.Host, args ...string) *bridge {
	t.Helper()
	return launch(t, h, nil, slices.Concat([]string{"--hook-dir", hookDir}, lackArgs(), args)...)
}

// launch starts hookbridge with more in its environment and these arguments.
func launch(t testing.TB, h *testhost.Host, env []string, args ...string) *bridge {
	t.Helper()
	b := &bridge{ended: make(chan struct{}), more: make(chan struct{}, 1)}
	args = append([]string{"run", "--log-level", "debug", "--log-format", "text"}, args...)
	b.cmd = h.Command(context.Background(), binary(t), args...)
	b.cmd.Env = append(b.cmd.Env, env...)
	stderr, err := b.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go b.read(stderr)
	t.Cleanup(func() {
		b.stop(t)
		if t.Failed() {
			t.Logf("hookbridge said:\n%s", b.text())
		}
	})
	return b
}

func (b *bridge) read(stderr io.Reader) {
	defer close(b.ended)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		b.mu.Lock()
		b.lines = append(b.lines, lines.Text())
		b.mu.Unlock()
		select {
		case b.more <- struct{}{}:
		default:
		}
	}
}

func (b *bridge) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

// awaitLine waits for a line that holds the text.
func (b *bridge) awaitLine(t testing.TB, text string) {
	t.Helper()
	b.awaitLines(t, text, 1)
}

// awaitLines waits for n lines that hold the text.
func (b *bridge) awaitLines(t testing.TB, text string, n int) {
	t.Helper()
	timeout := time.After(testhost.DefaultWait)
	for strings.Count(b.text(), text) < n {
		select {
		case <-b.more:
		case <-b.ended:
			if strings.Count(b.text(), text) < n {
				t.Fatalf("hookbridge ended without saying %q", text)
			}
		case <-timeout:
			t.Fatalf("hookbridge did not say %q", text)
		}
	}
}

// awaitWatching waits until all connections are watched: those that were named, or
// QEMU's and LXC's, which it finds by itself.
func (b *bridge) awaitWatching(t testing.TB) {
	t.Helper()
	named := 0
	for _, arg := range b.cmd.Args {
		if arg == "--connect" {
			named++
		}
	}
	if named == 0 {
		named = 2
	}
	b.awaitLines(t, "msg=watching", named)
}

// stop ends hookbridge as systemd would and checks that it ends well. It may be
// called twice.
func (b *bridge) stop(t testing.TB) {
	t.Helper()
	if b.killed {
		return
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.ended:
	case <-time.After(testhost.DefaultWait):
		t.Errorf("hookbridge did not end after SIGTERM")
		_ = b.cmd.Process.Kill()
	}
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("hookbridge: %v", err)
	}
}
