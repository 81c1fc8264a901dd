// Package slack lets the kernel wake up the threads of this process up to a millisecond
// late when they wait for a time, if another wake-up is near. Importing it does that.
//
// The Go runtime has a thread, sysmon, that looks after the others every 20 µs for as
// long as any of them is busy, in a system call too. A hook call is a few milliseconds of
// little work and much waiting, and a wake-up costs a virtual machine about as long as
// the interval: a quarter of all processor time was sysmon's. With the slack it is a
// tenth. What it looks after (a goroutine that runs for more than 10 ms, a processor
// that a thread keeps in a system call) bears the millisecond; so do time limits.
//
// A thread inherits its slack from the one that starts it, and sysmon is started before
// any Go code runs: hence a constructor in C. What is started from here should not
// inherit it, see [Before].
package slack
