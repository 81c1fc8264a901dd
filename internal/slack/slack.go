package slack

/*
#include <sys/prctl.h>

static int before;

__attribute__((constructor)) static void relax(void)
{
	before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 1000000, 0, 0, 0);
}

static int slack_before(void) { return before; }
*/
import "C"

import "time"

// Before is the timer slack that this process was started with; the kernel's default is
// 50 µs. It is 0 before Linux 2.6.28.
func Before() time.Duration { return max(0, time.Duration(C.slack_before())) }
