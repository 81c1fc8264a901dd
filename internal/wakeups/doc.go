// Package wakeups spares this process wake-ups that do nothing. A hook call is a few
// milliseconds of little work and much waiting, and a virtual machine needs about 20 µs
// of processor time to wake a thread up: of what hookbridge used for a call, a third was
// that.
//
// The Go runtime has a thread, sysmon, that looks after the others every 20 µs for as
// long as any of them is busy, in a system call too. Importing this package lets the
// kernel wake that thread up later, by its timer slack. What sysmon looks after (a
// goroutine that runs for more than 10 ms, a processor that a thread keeps in a system
// call) bears it. The other threads keep the slack that the process was started with: the
// scheduler itself sleeps for 3 µs before it takes over work from another thread.
//
// The end of each script sends SIGCHLD, for which the runtime wakes up a thread, also if
// nobody is notified: [WithoutSIGCHLD]. And work for one thread makes others look for
// some: [BoundProcessors].
package wakeups
