package exec

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These scripts wait on a fifo that nobody writes to, so they end by our signals only.
// The timeouts are short, and long enough for a shell to set its traps; where that
// matters, the context is cancelled at the script's word instead.

func timedOut(t *testing.T, o Outcome) {
	t.Helper()
	var ours *RunError
	if !errors.As(o.Err, &ours) || ours.Kind != TimedOut {
		t.Fatalf("%v, want a timeout", o.Err)
	}
	var theirs *ScriptError
	if errors.As(o.Err, &theirs) {
		t.Errorf("a timeout is no verdict: %v", o.Err)
	}
}

func TestTimeout(t *testing.T) {
	never := newFifo(t)
	h := hooks(t, "read x <"+never.path)
	h.Timeout, h.Grace = 200*time.Millisecond, patience
	r := h.Run(context.Background(), Invocation{})
	o := only(t, r)
	timedOut(t, o)
	if o.Signal != syscall.SIGTERM || o.ExitCode != -1 {
		t.Errorf("%+v", o)
	}
	if o.Duration < h.Timeout || o.Duration > patience {
		t.Errorf("took %v", o.Duration)
	}
	if r.Verdict() != nil {
		t.Errorf("verdict %v", r.Verdict())
	}
	want := "hook script " + h.Dir + "/network timed out: still running after 200ms, so its process group was ended; " +
		"remedy: find out what it waits for, or raise the timeout"
	if o.Err.Error() != want {
		t.Errorf("got  %v\nwant %s", o.Err, want)
	}
}

// A timeout ends one script, the next has its turn.
func TestTimeoutThenNext(t *testing.T) {
	h := hooks(t, "read x <"+newFifo(t).path)
	h.Timeout = 200 * time.Millisecond
	write(t, h.Dir+"/network.d/next", "#!/bin/sh\nexit 0\n", 0o755)
	r := h.Run(context.Background(), Invocation{})
	if len(r.Scripts) != 2 || r.Scripts[1].Err != nil {
		t.Errorf("%+v", r)
	}
	timedOut(t, r.Scripts[0])
}

// cancelAt runs the hook and cancels it at the script's first line on the fifo.
func cancelAt(t *testing.T, h *Hooks, at *fifo, cause error) Report {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	done := make(chan Report, 1)
	go func() { done <- h.Run(ctx, Invocation{}) }()
	at.line()
	cancel(cause)
	return <-done
}

var errShutdown = errors.New("the agent is shutting down")

func canceledBy(t *testing.T, err, cause error) {
	t.Helper()
	var ours *RunError
	if !errors.As(err, &ours) || ours.Kind != Canceled || !errors.Is(err, cause) || !strings.Contains(ours.Reason, cause.Error()) {
		t.Errorf("%v, want canceled by %v", err, cause)
	}
}

// A script that heeds SIGTERM can clean up, and so can its children: the grace period
// is for the whole group, also when the script itself is gone.
func TestTermHonoured(t *testing.T) {
	// The child keeps busy, since a shell that is just about to wait in read(2) may
	// run its trap only after that.
	at, cleaned := newFifo(t), newFifo(t)
	h := hooks(t, `trap 'exit 3' TERM
sh -c 'trap "kill -0 $$; echo child cleaned up >`+cleaned.path+`; exit 0" TERM
	echo ready >`+at.path+`
	while :; do :; done' &
wait`)
	h.Grace = patience
	start := time.Now()
	r := cancelAt(t, h, at, errShutdown)
	o := only(t, r)
	canceledBy(t, o.Err, errShutdown)
	if o.ExitCode != 3 || o.Signal != 0 {
		t.Errorf("exit %d, signal %d", o.ExitCode, o.Signal)
	}
	if got := cleaned.line(); got != "child cleaned up" {
		t.Errorf("%q", got)
	}
	if time.Since(start) >= patience {
		t.Error("waited for the whole grace period")
	}
}

// Children and grandchildren that ignore SIGTERM are killed, whether the script itself
// ignores it or not.
func TestKillGroup(t *testing.T) {
	for name, trap := range map[string]string{"script heeds TERM": "trap 'exit 0' TERM", "script ignores TERM": "trap '' TERM"} {
		t.Run(name, func(t *testing.T) {
			at, pids := newFifo(t), newFifo(t)
			never := newFifo(t).path
			h := hooks(t, trap+`
(trap '' TERM
	(trap '' TERM
		sh -c 'echo $PPID >`+pids.path+`'
		echo ready >`+at.path+`
		read x <`+never+`) &
	sh -c 'echo $PPID >`+pids.path+`'
	wait) &
wait
read x <`+never)
			h.Grace = 100 * time.Millisecond
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			done := make(chan Report, 1)
			go func() { done <- h.Run(ctx, Invocation{}) }()
			at.line()
			child, grandchild := pids.line(), pids.line()
			cancel(errShutdown)
			o := only(t, <-done)
			canceledBy(t, o.Err, errShutdown)
			for _, pid := range []string{child, grandchild} {
				if alive(pid) {
					t.Errorf("process %s lives", pid)
				}
			}
			if o.LeftBehind {
				t.Error("something holds the output open")
			}
		})
	}
}

// A script ignoring SIGTERM is killed after the grace period.
func TestTimeoutKill(t *testing.T) {
	h := hooks(t, "trap '' TERM; while :; do read x <"+newFifo(t).path+"; done")
	h.Timeout, h.Grace = time.Second, 100*time.Millisecond
	o := run(t, h, Invocation{})
	timedOut(t, o)
	if o.Signal != syscall.SIGKILL || o.Duration < h.Timeout+h.Grace {
		t.Errorf("signal %v after %v", o.Signal, o.Duration)
	}
}

func TestCancel(t *testing.T) {
	at := newFifo(t)
	h := hooks(t, "echo words; echo ready >"+at.path+"; read x <"+newFifo(t).path)
	h.Timeout = 0
	write(t, h.Dir+"/network.d/next", "#!/bin/sh\nexit 0\n", 0o755)
	r := cancelAt(t, h, at, errShutdown)
	if len(r.Scripts) != 2 {
		t.Fatalf("%+v", r)
	}
	canceledBy(t, r.Scripts[0].Err, errShutdown)
	if o := r.Scripts[0]; o.Signal != syscall.SIGTERM || string(o.Stdout.Head) != "words\n" {
		t.Errorf("%+v", o)
	}
	canceledBy(t, r.Scripts[1].Err, errShutdown)
	if o := r.Scripts[1]; o.Pid != 0 {
		t.Errorf("the next script was started: %+v", o)
	}
	if r.Verdict() != nil || r.Trouble() == nil {
		t.Errorf("verdict %v, trouble %v", r.Verdict(), r.Trouble())
	}
}

func TestCanceledBefore(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	o := only(t, hooks(t, "exit 0").Run(ctx, Invocation{}))
	canceledBy(t, o.Err, context.DeadlineExceeded)
	if o.Pid != 0 {
		t.Errorf("%+v", o)
	}
}

// Neither a timeout nor a cancellation after a script's end touches what it left
// behind.
func TestDaemonKeepsItsPeace(t *testing.T) {
	pid, goOn := newFifo(t), newFifo(t)
	h := hooks(t, "(read x <"+goOn.path+"; read x <"+goOn.path+") & echo $! >"+pid.path)
	h.Timeout = 5 * time.Second
	ctx, cancel := context.WithCancel(context.Background())
	o := only(t, h.Run(ctx, Invocation{}))
	cancel()
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	daemon := pid.line()
	if !alive(daemon) {
		t.Error("the daemon was ended")
	}
	goOn.send("\n")
	gone(t, daemon)
}

// A script that had ended before its time limit was noticed: its children live on.
func TestAwaitPhotoFinish(t *testing.T) {
	pid, goOn := newFifo(t), newFifo(t)
	h := hooks(t, "(read x <"+goOn.path+") >/dev/null 2>&1 & echo $! >"+pid.path)
	a, c, o := begin(t, h, nil)
	awaitExit(o.Pid)
	if !hasEnded(o.Pid) {
		t.Fatal("not ended")
	}
	if err := a.attend(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // as ready as the exit: either may be seen first
	for range 20 {
		a.ended = false
		if ended := h.await(ctx, &o, a); ended != nil {
			t.Fatal(ended)
		}
	}
	if _, err := reap(o.Pid); err != nil {
		t.Error(err)
	}
	daemon := pid.line()
	if !alive(daemon) {
		t.Error("the daemon was ended")
	}
	goOn.send("")
	gone(t, daemon)
}
