package exec

import (
	"context"
	"syscall"
	"testing"
	"time"
)

// begin starts the main script of a hook, to be attended to by the test.
func begin(t *testing.T, h *Hooks, document []byte) (*attendant, child, Outcome) {
	t.Helper()
	pipes, err := plumb(document)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pipes.close)
	a, err := newAttendant(pipes, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	path := h.Dir + "/network"
	c, started, err := h.start(context.Background(), path, []string{path}, environment(nil), pipes)
	if err != nil {
		t.Fatal(err)
	}
	return a, c, Outcome{Path: path, Pid: c.pid, Started: started}
}

// Where the kernel has no descriptor for a process, a thread waits for its end.
func TestWithoutPidfd(t *testing.T) {
	h := hooks(t, "cat; exit 7")
	document := make([]byte, 1<<20)
	a, c, o := begin(t, h, document)
	if c.pidfd >= 0 {
		syscall.Close(c.pidfd)
	}
	c.pidfd = -1
	if err := a.attend(c); err != nil {
		t.Fatal(err)
	}
	h.accompany(context.Background(), &o, a)
	if o.ExitCode != 7 || o.Stdout.Dropped != int64(len(document)) || o.LeftBehind {
		t.Errorf("%+v", o)
	}
}

// A script that never stops writing does not escape its time limit.
func TestFloodTimesOut(t *testing.T) {
	h := hooks(t, "cat /dev/zero & exec cat /dev/zero >&2")
	h.Timeout = 200 * time.Millisecond
	o := run(t, h, Invocation{})
	timedOut(t, o)
	if o.Duration > patience || o.Stdout.Dropped == 0 || o.Stderr.Dropped == 0 {
		t.Errorf("took %v, %d and %d bytes", o.Duration, o.Stdout.Dropped, o.Stderr.Dropped)
	}
}
