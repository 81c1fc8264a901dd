package wakeups

/*
#cgo LDFLAGS: -ldl
#include <signal.h>

static void without_sigchld(void) { signal(SIGCHLD, SIG_DFL); }
*/
import "C"

// WithoutSIGCHLD gives SIGCHLD its default action, which is none: children can be waited
// for as before, and no thread is woken up when one ends. From then on nobody in this
// process can be notified of that signal (signal.Notify takes the runtime's handler to be
// in place).
func WithoutSIGCHLD() { C.without_sigchld() }
