package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lastWords is how long output is waited for after a script's end if a process that
// it left behind has it open.
const lastWords = 100 * time.Millisecond

// An Invocation is what the scripts of a hook are called with.
type Invocation struct {
	// Args are the arguments after the script's path: the network's name, the
	// operation, the sub-operation and the extra argument. They are passed as they
	// are; an argument with a NUL byte cannot be passed.
	Args []string

	// Stdin is the document on stdin. If it is empty, stdin is /dev/null.
	Stdin []byte

	// Env are additions to the environment, as NAME=value.
	Env []string
}

// Run calls the hook: it runs all scripts, one after the other, and returns when the
// last has ended. No scripts is success.
//
// When ctx ends, the running script's process group is ended as at a timeout, and the
// scripts after it are not started. When a script times out, those after it run.
func (h *Hooks) Run(ctx context.Context, inv Invocation) Report {
	r := Report{Started: time.Now()}
	paths, findings, err := h.Scripts()
	r.Findings = findings
	if err != nil {
		r.Scripts = []Outcome{{Path: h.Dir, Started: r.Started, ExitCode: -1, Err: err}}
	} else if len(paths) > 0 {
		argv := append([]string{""}, inv.Args...)
		env := environment(inv.Env)
		r.Scripts = make([]Outcome, 0, len(paths))
		for _, path := range paths {
			argv[0] = path
			r.Scripts = append(r.Scripts, h.runScript(ctx, argv, env, inv.Stdin))
		}
	}
	r.Duration = time.Since(r.Started)
	return r
}

// runScript runs the script argv[0].
func (h *Hooks) runScript(ctx context.Context, argv, env []string, stdin []byte) Outcome {
	path := argv[0]
	o := Outcome{Path: path, Started: time.Now(), ExitCode: -1}
	if ctx.Err() != nil {
		o.Err = canceled(ctx, path, "before its start")
		return o
	}
	if refusal := trust(path, os.Geteuid()); refusal != nil {
		o.Err = refusal
		return o
	}
	if e := unpassable(argv, env); e != nil {
		o.Err = e
		return o
	}
	failed := func(what string, err error) Outcome {
		o.Err = &RunError{Path: path, Kind: NotStarted, Reason: what + ": " + err.Error(), Err: err}
		return o
	}
	a, err := engage(stdin, h.outputLimit())
	if err != nil {
		return failed("cannot make its pipes", err)
	}
	defer a.release()
	c, started, err := h.start(ctx, path, argv, env, &a.pipes)
	o.Started = started
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			o.Err = canceled(ctx, path, "before its start")
		} else {
			o.Err = startFailure(path, err)
		}
		return o
	}
	o.Pid = c.pid
	if err := a.attend(c); err != nil {
		unix.Kill(-c.pid, unix.SIGKILL)
		reap(c.pid)
		return failed("it was ended at once, since it cannot be attended", err)
	}
	h.accompany(ctx, &o, a)
	return o
}

// accompany attends to a started script to its end and completes its outcome.
func (h *Hooks) accompany(ctx context.Context, o *Outcome, a *attendant) {
	a.pipes.closeStdin()
	ended := h.await(ctx, o, a)
	o.Duration = time.Since(o.Started)
	status, err := reap(o.Pid)
	a.lastWords(lastWords) // all that the script itself wrote is in the pipes by now
	o.Stdout, o.Stderr = a.out.Output, a.err.Output
	o.LeftBehind = !a.out.closed || !a.err.closed

	switch {
	case err != nil:
		ended = &RunError{
			Path: o.Path, Kind: Lost, Err: err,
			Reason: "its exit status was taken by another part of this process",
		}
	case status.Signaled():
		o.Signal = status.Signal()
	default:
		o.ExitCode = status.ExitStatus()
	}
	switch {
	case ended != nil:
		o.Err = ended
	case o.ExitCode != 0:
		o.Err = &ScriptError{
			Path: o.Path, ExitCode: o.ExitCode, Signal: o.Signal,
			Stderr: o.Stderr.FirstLine(), Hint: hint(o.Path),
		}
	}
}

// await returns when the script has ended, by itself or by the time limit or the
// context, which are then the error. The script is not reaped.
func (h *Hooks) await(ctx context.Context, o *Outcome, a *attendant) *RunError {
	var limit time.Time
	if h.Timeout > 0 {
		limit = o.Started.Add(h.Timeout)
	}
	a.until = limit
	stop := a.untilDone(ctx)
	ended := a.serveOn(a.hasEnded)
	stop()
	if ended || hasEnded(o.Pid) {
		// In the second case it was quicker by a hair. Its background processes have a
		// right to live.
		return nil
	}
	why := &RunError{
		Path: o.Path, Kind: TimedOut,
		Reason: fmt.Sprintf("still running after %s, so its process group was ended", h.Timeout),
		Remedy: "find out what it waits for, or raise the timeout",
	}
	if ctx.Err() != nil { // not if it ends during the grace period
		why = canceled(ctx, o.Path, "during its run, so its process group was ended")
	}
	a.endGroup(h.grace())
	return why
}

func canceled(ctx context.Context, path, when string) *RunError {
	cause := context.Cause(ctx)
	return &RunError{Path: path, Kind: Canceled, Reason: fmt.Sprintf("%s (%v)", when, cause), Err: cause}
}

// unpassable finds what cannot be passed to any process: strings with a NUL byte.
func unpassable(argv, env []string) *RunError {
	for i, arg := range argv {
		if strings.IndexByte(arg, 0) >= 0 {
			return &RunError{
				Path: argv[0], Kind: NotStarted, Err: syscall.EINVAL,
				Reason: fmt.Sprintf("argument %d, %q, contains a NUL byte", i, arg),
			}
		}
	}
	for _, variable := range env {
		if strings.IndexByte(variable, 0) >= 0 {
			return &RunError{
				Path: argv[0], Kind: NotStarted, Err: syscall.EINVAL,
				Reason: fmt.Sprintf("environment variable %q contains a NUL byte", variable),
			}
		}
	}
	return nil
}
