package exec

import (
	"context"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// An attendant accompanies a started script: it feeds its stdin, reads its outputs and
// notices its end, all from the goroutine that runs the script. What it waits for is
// gathered in an epoll, and it waits in that system call, not in the Go scheduler: the
// end of a script wakes up this one thread. Where nothing else is going on, that took 7 %
// off hookbridge's part in a call, and to attend to one script after the other 3 %.
type attendant struct {
	poll int // the epoll

	interrupt   int  // an eventfd in it: there is no more time
	interrupted bool // it has been used

	pipes    plumbing
	out, err capture
	buf      *[64 << 10]byte // to read them through

	until time.Time // when there is no more time; zero: there always is
	ready [5]unix.EpollEvent

	pid   int
	end   int           // becomes readable when the script has ended
	ended bool          // it has
	awake chan struct{} // closed when the thread that waits for the end is through; nil without one
}

// wait adds a descriptor to what is waited for; -1 is none.
func (a *attendant) wait(fd int, events uint32) error {
	if fd < 0 {
		return nil
	}
	return unix.EpollCtl(a.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// forget takes a descriptor out again.
func (a *attendant) forget(fd int) { unix.EpollCtl(a.poll, unix.EPOLL_CTL_DEL, fd, nil) }

// attend begins to wait for the end of the script.
func (a *attendant) attend(c child) (err error) {
	a.pid, a.end = c.pid, c.pidfd
	if a.end < 0 { // before Linux 5.3 the kernel has no descriptor for a process
		if a.end, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
			return err
		}
		a.awake = make(chan struct{})
		go func() {
			defer close(a.awake)
			awaitExit(a.pid)
			signal(a.end)
		}()
	}
	return a.wait(a.end, unix.EPOLLIN|unix.EPOLLONESHOT)
}

// signal makes an eventfd readable.
func signal(eventfd int) { unix.Write(eventfd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// serve attends to the script until done or until a time, zero for none. It reports
// whether it is done.
func (a *attendant) serve(until time.Time, done func() bool) bool {
	a.until = until
	return a.serveOn(done)
}

// serveOn is serve until the time that is set.
func (a *attendant) serveOn(done func() bool) bool {
	for !done() {
		patience := -1
		if !a.until.IsZero() {
			left := time.Until(a.until)
			if left <= 0 {
				return false
			}
			// Rounded up: what is early would turn in circles.
			patience = int(min((left+time.Millisecond-1)/time.Millisecond, math.MaxInt32))
		}
		n, _ := unix.EpollWait(a.poll, a.ready[:], patience) // -1 at EINTR
		for _, r := range a.ready[:max(0, n)] {
			a.handle(int(r.Fd))
		}
	}
	return true
}

func (a *attendant) handle(fd int) {
	switch fd {
	case a.end:
		a.ended = true
	case a.interrupt:
		a.forget(fd)
		a.until = time.Unix(1, 0)
	case a.pipes.feed:
		a.pipes.write()
	case a.out.fd:
		a.out.read(a.buf)
		a.unwatch(&a.out)
	case a.err.fd:
		a.err.read(a.buf)
		a.unwatch(&a.err)
	}
}

// watch waits for an output.
func (a *attendant) watch(c *capture) (err error) {
	if !c.watched {
		err = a.wait(c.fd, unix.EPOLLIN)
		c.watched = err == nil
	}
	return err
}

// unwatch waits no longer for an output that has come to its end: it would be ready for
// ever.
func (a *attendant) unwatch(c *capture) {
	if c.watched && c.closed {
		a.forget(c.fd)
		c.watched = false
	}
}

func (a *attendant) hasEnded() bool { return a.ended }

// allSaid reports that nobody has an output of the script open any more, and that its
// document has been read or never will be.
func (a *attendant) allSaid() bool { return a.out.closed && a.err.closed && a.pipes.feed < 0 }

// lastWords reads what the outputs of an ended script still hold, and what others who
// have them open write within this time.
func (a *attendant) lastWords(patience time.Duration) {
	a.pipes.letGo()
	a.out.read(a.buf) // mostly this is all
	a.err.read(a.buf)
	if a.allSaid() {
		return
	}
	a.unwatch(&a.out)
	a.unwatch(&a.err)
	if a.serve(time.Now().Add(patience), a.allSaid) {
		return
	}
	// At its end nothing was read any more; on a busy host that can be much.
	a.out.readRest(a.buf)
	a.err.readRest(a.buf)
}

// untilDone makes the end of the context, too, a time until which to serve; stop ends
// that.
func (a *attendant) untilDone(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	fired := make(chan struct{})
	unfired := context.AfterFunc(ctx, func() {
		defer close(fired)
		signal(a.interrupt)
	})
	return func() {
		if !unfired() {
			<-fired
			a.interrupted = true
			a.forget(a.interrupt) // what is waited for from now on has its own time
		}
	}
}
