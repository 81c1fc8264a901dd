package exec

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A script that is being written, or whose writer's descriptor was inherited by a
// process just forked, cannot be executed for a moment (ETXTBSY).
const (
	busyFirst = time.Millisecond // wait after the first attempt, doubled each time
	busyTotal = time.Second
)

// start starts a script as the leader of a new process group. It returns when the
// script's image runs, with the time just before the fork. The error is a
// syscall.Errno, or the context's if that ended while the script was busy.
func (h *Hooks) start(ctx context.Context, path string, argv, env []string, pipes *plumbing) (c child, started time.Time, err error) {
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir:   "/",
		Env:   env,
		Files: []uintptr{uintptr(pipes.stdin), uintptr(pipes.stdout), uintptr(pipes.stderr)},
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd},
	}
	closeOnExec()
	for wait, waited := busyFirst, time.Duration(0); ; wait *= 2 {
		started = time.Now()
		c.pid, err = forkExec(path, argv, attr)
		c.pidfd = pidfd
		if !errors.Is(err, syscall.ETXTBSY) || waited >= busyTotal {
			return c, started, err
		}
		if h.busy != nil {
			h.busy()
		}
		wait = min(wait, busyTotal-waited)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			waited += wait
		case <-ctx.Done():
			timer.Stop()
			return c, started, ctx.Err()
		}
	}
}

// forkExec is syscall.ForkExec with no signal blocked in the child. It would inherit that
// from the calling thread, which has it from whoever started this process.
func forkExec(path string, argv []string, attr *syscall.ProcAttr) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, before unix.Sigset_t
	if unix.PthreadSigmask(unix.SIG_SETMASK, &none, &before) == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	}
	return syscall.ForkExec(path, argv, attr)
}

// child is a started script.
type child struct {
	pid   int
	pidfd int // becomes readable when it has ended; -1 before Linux 5.3
}

// awaitExit returns when the child has ended. It does not reap it: as long as the
// zombie is there, its number cannot be given to another process or group.
func awaitExit(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

// hasEnded tells whether the child, not yet reaped, has ended.
func hasEnded(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err != nil || info.Signo != 0
}

// reap takes the status of a child that has ended.
func reap(pid int) (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err != syscall.EINTR {
			return status, err
		}
	}
}

// endGroup ends a script's whole process group: SIGTERM, and SIGKILL to what is left
// of it after the grace period. It returns when the script itself has ended, which must
// not be reaped before. Only processes that left the group (setsid) escape.
func (a *attendant) endGroup(grace time.Duration) {
	unix.Kill(-a.pid, unix.SIGTERM)
	over := time.Now().Add(grace)
	// The script may be gone; those that it started have their grace, too.
	if a.serve(over, a.hasEnded) && a.groupGone(over) {
		return
	}
	unix.Kill(-a.pid, unix.SIGKILL)
	// A process in an uninterruptible system call can be ended by nobody. We wait for
	// the script, since its work is not over, but for others only a moment.
	a.serve(time.Time{}, a.hasEnded)
	a.groupGone(time.Now().Add(time.Second))
}

// groupGone waits until no process of the group is alive, and tells whether this came
// about before the given end. There is no event for it, hence it looks repeatedly.
func (a *attendant) groupGone(end time.Time) bool {
	wait := time.Millisecond
	for groupAlive(a.pid) {
		next := time.Now().Add(wait)
		if next.After(end) {
			return false
		}
		a.serve(next, func() bool { return false })
		wait = min(wait*2, 50*time.Millisecond)
	}
	return true
}

// groupAlive tells whether a process of the group is alive. kill(-pgid, 0) is no
// answer, because it counts zombies: the unreaped leader, and orphans in a container
// whose init reaps none.
func groupAlive(pgid int) bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return true
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return true
	}
	for _, name := range names {
		if strings.Trim(name, "0123456789") != "" {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", name, "stat"))
		if err != nil {
			continue // ended meanwhile
		}
		// PID (COMMAND) STATE PPID PGRP …; the command may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 3 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
			continue
		}
		if n, err := strconv.Atoi(string(fields[2])); err == nil && n == pgid {
			return true
		}
	}
	return false
}
