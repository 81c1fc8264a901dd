package wakeups

/*
#include <signal.h>
#include <sys/prctl.h>

static int before;

__attribute__((constructor)) static void relax(void)
{
	before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 10000000, 0, 0, 0);
}

static int slack_before(void) { return before; }

static void without_sigchld(void) { signal(SIGCHLD, SIG_DFL); }
*/
import "C"

import "time"

// Before is the timer slack that this process was started with; the kernel's default is
// 50 µs. It is 0 before Linux 2.6.28.
func Before() time.Duration { return max(0, time.Duration(C.slack_before())) }

// WithoutSIGCHLD gives SIGCHLD its default action, which is none: children can be waited
// for as before, and no thread is woken up when one ends. From then on nobody in this
// process can be notified of that signal (signal.Notify takes the runtime's handler to be
// in place).
func WithoutSIGCHLD() { C.without_sigchld() }
