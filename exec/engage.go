package exec

import (
	"errors"

	"golang.org/x/sys/unix"
)

// spare is for an attendant that waits for the next script, with the pipes for its
// outputs. Nobody else has these open: of the script before, the end of both was read. One
// is enough where calls come one at a time, and leaves as many descriptors open behind
// many scripts as behind one.
var spare = make(chan *attendant, 1)

// engage returns an attendant for a script with this document on its stdin and this much
// to be kept of each output. What can be lacking, descriptors above all, is lacking
// here, before the script starts.
func engage(document []byte, limit int) (*attendant, error) {
	select {
	case a := <-spare:
		if a.reopen() == nil && a.prepare(document, limit) == nil {
			return a, nil
		}
		a.close()
	default:
	}
	a, err := newAttendant()
	if err == nil {
		err = a.prepare(document, limit)
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// newAttendant makes an attendant, which is to be closed after an error, too.
func newAttendant() (a *attendant, err error) {
	a = &attendant{poll: -1, interrupt: -1, end: -1, pipes: noPlumbing, out: capture{fd: -1}, err: capture{fd: -1}}
	if a.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return a, err
	}
	if a.interrupt, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return a, err
	}
	if a.out.fd, a.pipes.stdout, err = outputPipe(); err != nil {
		return a, err
	}
	if a.err.fd, a.pipes.stderr, err = outputPipe(); err != nil {
		return a, err
	}
	return a, a.wait(a.interrupt, unix.EPOLLIN)
}

// reopen opens the script's ends of the pipes anew.
func (a *attendant) reopen() (err error) {
	if a.pipes.stdout, err = scriptsEnd(a.out.fd); err == nil {
		a.pipes.stderr, err = scriptsEnd(a.err.fd)
	}
	return err
}

// prepare prepares for a script.
func (a *attendant) prepare(document []byte, limit int) error {
	a.buf = readBuffers.Get().(*[64 << 10]byte)
	a.out.begin(limit)
	a.err.begin(limit)
	if err := a.pipes.openStdin(document); err != nil {
		return err
	}
	if a.pipes.feed >= 0 {
		a.pipes.poll = a.poll
	}
	return errors.Join(a.watch(&a.out), a.watch(&a.err), a.wait(a.pipes.feed, unix.EPOLLOUT))
}

// release ends the attendance; the script, if one was started, must have ended.
func (a *attendant) release() {
	if a.awake != nil {
		<-a.awake
		a.awake = nil
	}
	if a.end >= 0 {
		if !a.ended {
			a.forget(a.end) // a process just forked may have it for a moment
		}
		unix.Close(a.end)
		a.end, a.ended = -1, false
	}
	if !a.interrupted && a.out.closed && a.err.closed {
		a.pipes.close()
		readBuffers.Put(a.buf)
		a.buf = nil
		select {
		case spare <- a:
			return
		default:
		}
	}
	a.close()
}

// close gives back everything.
func (a *attendant) close() {
	a.pipes.close()
	if a.buf != nil {
		readBuffers.Put(a.buf)
	}
	for _, fd := range []int{a.poll, a.interrupt, a.out.fd, a.err.fd} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
