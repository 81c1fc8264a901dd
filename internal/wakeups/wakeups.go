package wakeups

/*
#cgo LDFLAGS: -ldl
#include <signal.h>

static void without_sigchld(void) { signal(SIGCHLD, SIG_DFL); }
*/
import "C"

import "runtime"

// The bounds of [BoundProcessors].
const fewest, most = 2, 4

// BoundProcessors bounds how many threads run Go code at a time. A single one has to
// wait for sysmon whenever it waits for libvirt: on a host with one processor a script
// would begin milliseconds later. And each more looks for work when there is some: with 64
// a call takes 0.60 of a bare shell's processor time instead of 0.46, and an idle
// hookbridge 7.7 MiB instead of 4.9.
func BoundProcessors() { runtime.GOMAXPROCS(min(max(runtime.GOMAXPROCS(0), fewest), most)) }

// WithoutSIGCHLD gives SIGCHLD its default action, which is none: children can be waited
// for as before, and no thread is woken up when one ends. From then on nobody in this
// process can be notified of that signal (signal.Notify takes the runtime's handler to be
// in place).
func WithoutSIGCHLD() { C.without_sigchld() }
