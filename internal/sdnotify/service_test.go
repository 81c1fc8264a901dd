package sdnotify

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// systemd listens where this process will notify.
func systemd(t *testing.T) *net.UnixConn {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestLife(t *testing.T) {
	conn := systemd(t)
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	s.Reload(func() { read++ }) // too early to tell
	s.Ready()
	s.Ready()
	if got := receive(t, conn); got != "READY=1" {
		t.Errorf("%q", got)
	}
	s.Reload(func() {
		read++
		if got := receive(t, conn); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*$`).MatchString(got) {
			t.Errorf("%q", got)
		}
	})
	if got := receive(t, conn); got != "READY=1" || read != 2 {
		t.Errorf("%q", got)
	}
	s.Stopping()
	if got := receive(t, conn); got != "STOPPING=1" {
		t.Errorf("%q", got)
	}
}

func TestWatchdog(t *testing.T) {
	conn := systemd(t)
	const patience = 200 * time.Millisecond
	t.Setenv("WATCHDOG_USEC", "200000")
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var stopped atomic.Bool
	var at atomic.Int64
	heartbeat := func() time.Time {
		if !stopped.Load() {
			at.Store(time.Now().UnixNano())
		}
		return time.Unix(0, at.Load())
	}
	var asked atomic.Int64
	status := func() string {
		asked.Add(1)
		return "two\nlines"
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx, heartbeat, status) }()
	defer func() { cancel(); <-ended }()

	if got := receive(t, conn); got != "STATUS=two lines" {
		t.Errorf("%q", got)
	}
	for range 3 {
		if got := receive(t, conn); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}

	// A heart that stands still is told of no more: within its patience systemd
	// hears nothing, though the status is still asked for.
	stopped.Store(true)
	_ = conn.SetReadDeadline(time.Now().Add(2 * patience))
	last, buffer := time.Now(), make([]byte, 64)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			break
		}
		if got := string(buffer[:n]); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
		last = time.Now()
	}
	if time.Since(last) < patience/2 {
		t.Error("a heart that stands still is taken for one that beats")
	}
	if asked.Load() < 6 {
		t.Errorf("the status was asked for %d times", asked.Load())
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "soon")
	s, err := New()
	if err == nil || s == nil {
		t.Fatal(s, err)
	}
	s.Ready()
	s.Stopping()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx, func() time.Time { return time.Time{} }, func() string { return "" })
}
