package exec

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// begin starts the main script of a hook, to be attended to by the test.
func begin(t *testing.T, h *Hooks, document []byte) (*attendant, child, Outcome) {
	t.Helper()
	a, err := engage(document, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.release)
	path := h.Dir + "/network"
	c, started, err := h.start(context.Background(), path, []string{path}, environment(nil), &a.pipes)
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

// An attendant goes on to the next script, with nothing of the last; not with pipes that
// somebody still has open, nor when its waiting was interrupted.
func TestAttendantsAgain(t *testing.T) {
	for len(spare) > 0 {
		(<-spare).close()
	}
	h := hooks(t, `echo "$1"; echo "$1" >&2; cat >/dev/null; exit "$2"`)
	var first *attendant
	for i := range 3 {
		o := run(t, h, Invocation{Args: []string{fmt.Sprint("call", i), fmt.Sprint(i)}, Stdin: make([]byte, i<<18)})
		if want := fmt.Sprintf("call%d\n", i); string(o.Stdout.Head) != want || string(o.Stderr.Head) != want || o.ExitCode != i {
			t.Errorf("%q, %q, %+v", o.Stdout.Head, o.Stderr.Head, o)
		}
		if len(spare) != 1 {
			t.Fatalf("%d attendants are spare", len(spare))
		}
		a := <-spare
		if first == nil {
			first = a
		}
		if a != first {
			t.Error("it was another attendant")
		}
		spare <- a
	}

	pid, goOn := newFifo(t), newFifo(t)
	o := run(t, hooks(t, "(read x <"+goOn.path+") & echo $! >"+pid.path), Invocation{})
	if !o.LeftBehind || len(spare) != 0 {
		t.Errorf("left behind: %v, %d attendants are spare", o.LeftBehind, len(spare))
	}
	goOn.send("")
	gone(t, pid.line())

	started := newFifo(t)
	cancelAt(t, hooks(t, "echo >"+started.path+"; exec sleep 1000"), started, context.Canceled)
	if len(spare) != 0 {
		t.Error("one that was interrupted is spare")
	}
	if o := run(t, h, Invocation{Args: []string{"call", "0"}}); o.Err != nil {
		t.Error(o.Err)
	}
}

// A process that another goroutine has just forked has our end of a script's stdin for a
// moment. The next script hears nothing of it.
func TestFeedIsForgotten(t *testing.T) {
	a, err := engage(make([]byte, 1<<20), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	heir, err := syscall.Dup(a.pipes.feed)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(heir)
	a.pipes.closeStdin()
	a.pipes.write() // nobody reads any more
	if n, err := unix.EpollWait(a.poll, a.ready[:], 0); n != 0 || a.pipes.feed >= 0 {
		t.Errorf("%d events (%v), feed %d", n, err, a.pipes.feed)
	}
}

// A context that ends just behind the time limit takes nothing off the grace period.
func TestInterruptedLate(t *testing.T) {
	up := newFifo(t)
	h := hooks(t, "trap 'sleep 0.2; exit 7' TERM; echo >"+up.path+"; while :; do sleep 0.01; done")
	a, c, o := begin(t, h, nil)
	if err := a.attend(c); err != nil {
		t.Fatal(err)
	}
	up.line()
	ctx, cancel := context.WithCancel(context.Background())
	stop := a.untilDone(ctx)
	if a.serve(time.Now().Add(time.Millisecond), a.hasEnded) {
		t.Fatal("it has ended")
	}
	fired := make(chan struct{})
	defer context.AfterFunc(ctx, func() { close(fired) })()
	cancel()
	<-fired
	stop()
	a.endGroup(patience)
	status, err := reap(o.Pid)
	if err != nil || status.ExitStatus() != 7 {
		t.Errorf("%v, %v", status, err)
	}
}
