package exec

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOutputLimit(t *testing.T) {
	tests := []struct {
		limit   int
		head    string
		dropped int64
	}{
		{0, "0123456789", 0},
		{10, "0123456789", 0},
		{4, "0123", 6},
		{-1, "", 10},
	}
	for _, tt := range tests {
		h := hooks(t, "printf 01234; printf 56789; printf 0123456789 >&2")
		h.OutputLimit = tt.limit
		o := run(t, h, Invocation{})
		for name, out := range map[string]Output{"stdout": o.Stdout, "stderr": o.Stderr} {
			if string(out.Head) != tt.head || out.Dropped != tt.dropped {
				t.Errorf("limit %d: %s is %q and %d dropped", tt.limit, name, out.Head, out.Dropped)
			}
		}
	}
}

func TestFirstLine(t *testing.T) {
	for head, want := range map[string]string{
		"":                       "",
		"\n \n":                  "",
		"one":                    "one",
		"\n\t one \r\ntwo":       "one",
		"a\x00b\x1b[0m \xff\n":   "a?b?[0m ?",
		strings.Repeat("x", 999): strings.Repeat("x", 397) + "…",
		"ä€\u2028x":              "ä€?x",
	} {
		if got := (Output{Head: []byte(head)}).FirstLine(); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}

// Gigabytes on stdout and stderr neither stall the script nor cost memory.
func TestOutputFlood(t *testing.T) {
	size := int64(3 << 30)
	if testing.Short() {
		size = 300 << 20
	}
	h := hooks(t, `head -c "$1" /dev/zero >&2 & head -c "$2" /dev/zero; wait; exit 0`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o := run(t, h, Invocation{Args: []string{fmt.Sprint(size / 2), fmt.Sprint(size - size/2)}})
	runtime.ReadMemStats(&after)
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	for name, out := range map[string]Output{"stdout": o.Stdout, "stderr": o.Stderr} {
		if len(out.Head) != DefaultOutputLimit || int64(len(out.Head))+out.Dropped != size/2 {
			t.Errorf("%s: %d bytes kept, %d dropped", name, len(out.Head), out.Dropped)
		}
	}
	// All that was ever allocated meanwhile, not only what was held at some moment.
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// A daemon that holds stdout and stderr open does not hold up the call, and lives on.
func TestLeftBehind(t *testing.T) {
	pid, goOn, report := newFifo(t), newFifo(t), newFifo(t)
	h := hooks(t, `(
	read x <`+goOn.path+`
	echo some words; echo and more >&2
	echo alive >`+report.path+`
	read x <`+goOn.path+`
) </dev/null &
echo $! >`+pid.path+`
echo started`)
	o := run(t, h, Invocation{Stdin: make([]byte, 1<<20)})
	if o.Err != nil || !o.LeftBehind || string(o.Stdout.Head) != "started\n" {
		t.Fatalf("%+v", o)
	}
	if o.Duration >= patience {
		t.Errorf("took %v", o.Duration)
	}
	daemon := pid.line()
	if !alive(daemon) {
		t.Fatal("the daemon has ended")
	}
	goOn.send("")
	if got := report.line(); got != "alive" {
		t.Errorf("%q", got)
	}
	goOn.send("")
	gone(t, daemon)
}

// A daemon that sent its output elsewhere is not waited for at all.
func TestLeftBehindSilent(t *testing.T) {
	pid, goOn := newFifo(t), newFifo(t)
	h := hooks(t, `(read x <`+goOn.path+`) </dev/null >/dev/null 2>&1 & echo $! >`+pid.path)
	o := run(t, h, Invocation{})
	if o.Err != nil || o.LeftBehind {
		t.Errorf("%+v", o)
	}
	daemon := pid.line()
	if !alive(daemon) {
		t.Error("the daemon has ended")
	}
	goOn.send("")
	gone(t, daemon)
}

// A daemon that writes more than a pipe holds neither blocks nor is killed.
func TestLeftBehindChatty(t *testing.T) {
	goOn, report := newFifo(t), newFifo(t)
	h := hooks(t, `(
	read x <`+goOn.path+`
	head -c 1000000 /dev/zero 2>/dev/null
	echo head: $? >`+report.path+`
	head -c 1000000 /dev/zero >&2 2>/dev/null
	echo one more; echo one more >&2
	echo alive >`+report.path+`
) &`)
	if o := run(t, h, Invocation{}); o.Err != nil || !o.LeftBehind {
		t.Fatalf("%+v", o)
	}
	goOn.send("")
	// An exit status of head's own, not 128 + SIGPIPE.
	if got := report.line(); got != "head: 1" {
		t.Errorf("%q", got)
	}
	if got := report.line(); got != "alive" {
		t.Errorf("%q", got)
	}
}

// The same when the process that ran the script is gone.
func TestLeftBehindOutlivesRunner(t *testing.T) {
	pid, goOn, report := newFifo(t), newFifo(t), newFifo(t)
	h := hooks(t, `(
	read x <`+goOn.path+`
	echo word; echo word >&2
	head -c 1000000 /dev/zero 2>/dev/null
	echo head: $? >`+report.path+`
	echo alive >`+report.path+`
	read x <`+goOn.path+`
) &
echo $! >`+pid.path)
	runner := osexec.Command(self(t))
	runner.Env = append(os.Environ(), as(t, "run and die", h.Dir)...)
	runner.Stderr = os.Stderr
	err := runner.Run()
	if status, ok := runner.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the runner: %v", err)
	}
	daemon := pid.line()
	goOn.send("")
	if got := report.line(); got != "head: 1" {
		t.Errorf("%q", got)
	}
	if got := report.line(); got != "alive" {
		t.Errorf("%q", got)
	}
	goOn.send("")
	gone(t, daemon)
}

// What a background process writes just after the script's end is still captured.
func TestLastWords(t *testing.T) {
	pid := newFifo(t)
	h := hooks(t, `parent=$$
(
	while kill -0 $parent 2>/dev/null && ! grep -q '(.*) Z' /proc/$parent/stat 2>/dev/null; do :; done
	echo last words
) &
echo first words; echo $! >`+pid.path)
	o := run(t, h, Invocation{})
	gone(t, pid.line())
	if got := string(o.Stdout.Head); got != "first words\nlast words\n" && !o.LeftBehind {
		t.Errorf("%q, %+v", got, o)
	}
}

// A script that reopens its stdout or stderr by name, as many do.
func TestOutputReopened(t *testing.T) {
	o := run(t, hooks(t, "echo a >/dev/stdout; echo b >/dev/stderr; echo c >>/dev/stdout"), Invocation{})
	if string(o.Stdout.Head) != "a\nc\n" || string(o.Stderr.Head) != "b\n" {
		t.Errorf("%q, %q, %v", o.Stdout.Head, o.Stderr.Head, o.Err)
	}
}

// A child with stdin open that reads nothing does not hold up the call.
func TestStdinHeldOpen(t *testing.T) {
	pid, goOn := newFifo(t), newFifo(t)
	h := hooks(t, `exec 3<&0; (read x <`+goOn.path+`) <&3 >/dev/null 2>&1 & echo $! >`+pid.path)
	start := time.Now()
	r := h.Run(context.Background(), Invocation{Stdin: make([]byte, 10<<20)})
	if err := r.Err(); err != nil || time.Since(start) >= patience {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	goOn.send("")
	gone(t, pid.line())
}

// What the script wrote is captured also by a reader that had no chance to run before
// the deadline, and the end of the file is told from a writer that is still there.
func TestCaptureLate(t *testing.T) {
	for name, held := range map[string]bool{"closed": false, "held open": true} {
		t.Run(name, func(t *testing.T) {
			a, err := engage(nil, 40_000)
			if err != nil {
				t.Fatal(err)
			}
			defer a.release()
			if _, err := syscall.Write(a.pipes.stdout, make([]byte, 50_000)); err != nil {
				t.Fatal(err)
			}
			if held {
				fd, err := syscall.Dup(a.pipes.stdout)
				if err != nil {
					t.Fatal(err)
				}
				defer syscall.Close(fd)
			}
			a.lastWords(-time.Hour)
			if c := a.out; len(c.Head) != 40_000 || c.Dropped != 10_000 || c.closed == held {
				t.Errorf("%d bytes kept, %d dropped, closed: %v", len(c.Head), c.Dropped, c.closed)
			}
		})
	}
}
