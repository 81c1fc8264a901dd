package exec

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// A Report is what became of one call of the hook.
type Report struct {
	// Scripts holds the outcome of each script, in the order of the calls. It is
	// empty when there are no scripts. When the hook directory could not be looked
	// into, it holds one outcome with the directory's path and no process.
	Scripts []Outcome

	// Findings are the files that look like scripts and were not run.
	Findings []Finding

	Started  time.Time
	Duration time.Duration
}

// Verdict is the first script's own failure, or nil. Every script runs, and one
// that fails makes the whole call fail, as in libvirt 6.5 and newer.
func (r Report) Verdict() *ScriptError {
	for i := range r.Scripts {
		if e, ok := errors.AsType[*ScriptError](r.Scripts[i].Err); ok {
			return e
		}
	}
	return nil
}

// Trouble is the first failure that was not a script's own, or nil. It may stand
// beside a Verdict, of another script.
func (r Report) Trouble() *RunError {
	for i := range r.Scripts {
		if e, ok := errors.AsType[*RunError](r.Scripts[i].Err); ok {
			return e
		}
	}
	return nil
}

// Err is the worst of the scripts' errors: a *ScriptError if there is one, else a
// *RunError if there is one, else nil.
func (r Report) Err() error {
	if e := r.Verdict(); e != nil {
		return e
	}
	if e := r.Trouble(); e != nil {
		return e
	}
	return nil
}

// FirstStart is when the first process was started, zero if none was. From an
// event's arrival to here is the latency of the call.
func (r Report) FirstStart() time.Time {
	for i := range r.Scripts {
		if r.Scripts[i].Pid != 0 {
			return r.Scripts[i].Started
		}
	}
	return time.Time{}
}

// An Outcome is what became of one script.
type Outcome struct {
	Path string
	Pid  int // 0 if no process was started

	// Started is the moment just before the process was forked, or, without a
	// process, when the attempt began.
	Started time.Time

	// Duration is the time from Started to the script's end.
	Duration time.Duration

	// ExitCode is the exit status, -1 if there is none.
	ExitCode int

	// Signal is the signal that ended the script, 0 if none did. Whether it was
	// the script's own affair or sent from here is told by Err.
	Signal syscall.Signal

	Stdout, Stderr Output

	// LeftBehind tells that the script ended, and a process that it had started
	// still had its stdout or stderr open.
	LeftBehind bool

	// Err is nil, a *ScriptError or a *RunError.
	Err error
}

// A ScriptError is a script's own verdict: it exited with a status other than 0 or
// died by a signal that was not sent from here.
type ScriptError struct {
	Path     string
	ExitCode int            // -1 if it died by a signal
	Signal   syscall.Signal // 0 if it exited
	Stderr   string         // the first line of its stderr, may be empty
	Hint     string         // what is probably wrong with the file, and the remedy; mostly empty
}

func (e *ScriptError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "hook script %s: ", show(e.Path))
	if e.Signal != 0 {
		fmt.Fprintf(&b, "killed by signal %d (%s)", int(e.Signal), e.Signal)
	} else {
		fmt.Fprintf(&b, "exit status %d", e.ExitCode)
	}
	if e.Stderr != "" {
		b.WriteString(": ")
		b.WriteString(e.Stderr)
	}
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteString(")")
	}
	return b.String()
}

// A RunError is a failure to run a script to its own end. It is no verdict of the
// script's.
type RunError struct {
	Path   string // the script
	Kind   Kind
	Reason string // one line
	Remedy string // the command that mends it, or advice; may be empty
	Err    error  // the cause, such as a syscall.Errno or the context's; may be nil
}

// Kind says in what way a script did not run to its own end.
type Kind int

const (
	// Refused means that others than root could replace the script.
	Refused Kind = iota + 1
	// NotStarted means that there is no process: the kernel would not start it.
	NotStarted
	// TimedOut means that the time limit was reached and the process group was ended.
	TimedOut
	// Canceled means that the caller's context ended, before the start or during the run.
	Canceled
	// Lost means that the script ended by itself, but another part of this process
	// has waited for all children and so took its exit status.
	Lost
)

func (k Kind) String() string {
	switch k {
	case Refused:
		return "refused"
	case NotStarted:
		return "not started"
	case TimedOut:
		return "timed out"
	case Canceled:
		return "canceled"
	case Lost:
		return "lost"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

func (e *RunError) Error() string {
	text := fmt.Sprintf("hook script %s %s: %s", show(e.Path), e.Kind, e.Reason)
	if e.Remedy != "" {
		text += "; remedy: " + e.Remedy
	}
	return text
}

// Unwrap gives the cause, so that errors.Is(err, syscall.ENOENT) and the like work.
func (e *RunError) Unwrap() error { return e.Err }
