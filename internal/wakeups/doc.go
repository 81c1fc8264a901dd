// Package wakeups spares this process wake-ups that do nothing. A hook call is a few
// milliseconds of little work and much waiting, and a virtual machine needs about 20 µs
// of processor time to wake a thread up: of what hookbridge used for a call, a third was
// that.
//
// The Go runtime has a thread, sysmon, that looks after the others every 20 µs for as
// long as any of them is busy, in a system call too. Importing this package gives the
// process a timer slack of 10 ms: the kernel then wakes up a thread that waits for a time
// up to that much late. What sysmon looks after (a goroutine that runs for more than
// 10 ms, a processor that a thread keeps in a system call) bears it; so do time limits,
// and nothing that anybody waits for is waited for by time. A thread inherits its slack
// from the one that starts it, and sysmon is started before any Go code runs: hence a
// constructor in C. What is started from here should not inherit it, see [Before].
//
// The end of each script sends SIGCHLD, for which the runtime wakes up a thread, also if
// nobody is notified: [WithoutSIGCHLD].
package wakeups
