package exec

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An attendant accompanies a started script: it feeds its stdin, reads its outputs and
// notices its end, all from the goroutine that runs the script. What it waits for is
// gathered in an epoll, which the Go runtime watches like any other descriptor: one
// thing to wait for, where there would be four with a goroutine each.
type attendant struct {
	pipes    *plumbing
	out, err capture
	buf      *[64 << 10]byte // to read them through

	poll  *os.File // the epoll
	raw   syscall.RawConn
	look  func(poll uintptr) bool // whether anything is ready
	ready []unix.EpollEvent       // what is

	pid   int
	end   int           // becomes readable when the script has ended
	ended bool          // it has
	awake chan struct{} // closed when the thread that waits for the end is through; nil without one
}

// newAttendant prepares for a script with these pipes, so that what can be lacking,
// descriptors above all, is lacking before the script starts.
func newAttendant(pipes *plumbing, limit int) (*attendant, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // what blocks is not watched by the runtime
		unix.Close(fd)
		return nil, err
	}
	a := &attendant{pipes: pipes, end: -1, buf: readBuffers.Get().(*[64 << 10]byte), poll: os.NewFile(uintptr(fd), "epoll")}
	a.out, a.err = capture{fd: pipes.out, limit: limit}, capture{fd: pipes.err, limit: limit}
	events := make([]unix.EpollEvent, 4)
	a.look = func(poll uintptr) bool {
		n, err := unix.EpollWait(int(poll), events, 0)
		a.ready = events[:max(0, n)] // none at EINTR
		return n > 0 || err != nil
	}
	if a.raw, err = a.poll.SyscallConn(); err == nil {
		// It has a deadline only if the runtime watches it, which takes memory of the
		// kernel's: without, the script would seem to be late at once.
		err = errors.Join(a.poll.SetReadDeadline(time.Time{}), a.wait(pipes.out, unix.EPOLLIN), a.wait(pipes.err, unix.EPOLLIN), a.wait(pipes.feed, unix.EPOLLOUT))
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// wait adds a descriptor to what is waited for; -1 is none.
func (a *attendant) wait(fd int, events uint32) (err error) {
	if fd >= 0 {
		event := unix.EpollEvent{Events: events, Fd: int32(fd)}
		failed := a.raw.Control(func(poll uintptr) { err = unix.EpollCtl(int(poll), unix.EPOLL_CTL_ADD, fd, &event) })
		err = errors.Join(err, failed)
	}
	return err
}

// forget takes a descriptor out again.
func (a *attendant) forget(fd int) {
	a.raw.Control(func(poll uintptr) { unix.EpollCtl(int(poll), unix.EPOLL_CTL_DEL, fd, nil) })
}

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
			unix.Write(a.end, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		}()
	}
	return a.wait(a.end, unix.EPOLLIN)
}

// serve attends to the script until done or until a time, zero for none. It reports
// whether it is done.
func (a *attendant) serve(until time.Time, done func() bool) bool {
	a.poll.SetReadDeadline(until)
	return a.serveOn(done)
}

// serveOn is serve until the time that is set.
func (a *attendant) serveOn(done func() bool) bool {
	for !done() {
		if a.raw.Read(a.look) != nil {
			return done() // the time is over
		}
		for _, r := range a.ready {
			a.handle(int(r.Fd))
		}
	}
	return true
}

func (a *attendant) handle(fd int) {
	switch fd {
	case a.end:
		a.ended = true
		a.forget(fd)
	case a.pipes.feed:
		a.pipes.write()
	case a.out.fd:
		a.read(&a.out)
	case a.err.fd:
		a.read(&a.err)
	}
}

func (a *attendant) read(c *capture) {
	if c.read(a.buf); c.closed {
		a.forget(c.fd)
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
	a.read(&a.out) // mostly this is all
	a.read(&a.err)
	if a.allSaid() || a.serve(time.Now().Add(patience), a.allSaid) {
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
		a.poll.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !unfired() {
			<-fired
		}
	}
}

// close ends the waiting; the script, if one was started, must have ended.
func (a *attendant) close() {
	readBuffers.Put(a.buf)
	a.poll.Close()
	if a.awake != nil {
		<-a.awake
	}
	if a.end >= 0 {
		unix.Close(a.end)
	}
}
