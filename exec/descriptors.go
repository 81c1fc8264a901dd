package exec

import (
	"errors"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// plumbing is the script's ends of the pipes between it and this process, and our end
// of its stdin.
type plumbing struct {
	stdin, stdout, stderr int // -1 when closed; copies stay here until the script has ended

	feed int    // our end of stdin; -1 if there is nothing left to write
	rest []byte // what is left to write
	poll int    // the epoll in which feed is, -1 if in none
}

var noPlumbing = plumbing{stdin: -1, stdout: -1, stderr: -1, feed: -1, poll: -1}

// openStdin makes the script's stdin. As much of the document as fits is written at
// once: mostly all of it, and then nobody has to attend to it any more.
func (p *plumbing) openStdin(document []byte) (err error) {
	if len(document) == 0 {
		// As virCommand does for a command without input.
		p.stdin, err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	p.stdin, p.feed, p.rest = fds[0], fds[1], document
	if err := nonblocking(p.feed); err != nil {
		return err
	}
	p.write()
	return nil
}

// write writes as much of the document as there is room for. It closes stdin, so that
// the script sees the end, when all is written or nobody is left to read it: no error.
func (p *plumbing) write() {
	for len(p.rest) > 0 {
		n, err := unix.Write(p.feed, p.rest)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			p.rest = nil
		default:
			p.rest = p.rest[n:]
		}
	}
	p.closeFeed()
}

// closeFeed closes our end of stdin. A process just forked may have it until it is the
// script that it is to be: the epoll would go on telling of it, under a number that by
// then may be another's.
func (p *plumbing) closeFeed() {
	if p.poll >= 0 {
		unix.EpollCtl(p.poll, unix.EPOLL_CTL_DEL, p.feed, nil)
	}
	if p.feed >= 0 {
		unix.Close(p.feed)
	}
	p.feed, p.poll = -1, -1
}

// outputPipe makes a pipe for a script to write to. The script's end is open for
// reading too: whoever holds it can never get SIGPIPE, see the package comment.
// Our end is non-blocking, the script's is not.
func outputPipe() (ours, script int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, -1, err
	}
	if script, err = scriptsEnd(fds[0]); err == nil {
		unix.Close(fds[1])
		return fds[0], script, nil
	}
	// Without /proc, left-behind writers lose their protection, nothing else.
	if err := unix.SetNonblock(fds[1], false); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return -1, -1, err
	}
	return fds[0], fds[1], nil
}

// scriptsEnd opens an end for a script of a pipe of which this is ours. Opened anew, it
// has flags of its own.
func scriptsEnd(ours int) (int, error) {
	return unix.Open("/proc/self/fd/"+strconv.Itoa(ours), unix.O_RDWR|unix.O_CLOEXEC, 0)
}

// nonblocking makes an end of a pipe non-blocking. A pipe has no other flags that matter,
// and so they are not asked for first, as unix.SetNonblock does.
func nonblocking(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK)
	return err
}

// closeStdin closes our copy of the script's stdin, so that writing to it fails
// once nobody is left to read it.
func (p *plumbing) closeStdin() {
	if p.stdin >= 0 {
		unix.Close(p.stdin)
		p.stdin = -1
	}
}

// letGo prepares the outputs for nobody reading them: who still writes shall fail
// rather than block. The flag belongs to the open file, which our copies share with
// all heirs of the script. With our copies closed, reading comes to an end when the
// last heir has gone.
func (p *plumbing) letGo() {
	for _, fd := range []*int{&p.stdout, &p.stderr} {
		nonblocking(*fd)
		unix.Close(*fd)
		*fd = -1
	}
}

func (p *plumbing) close() {
	p.closeFeed()
	for _, fd := range []int{p.stdin, p.stdout, p.stderr} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	*p = noPlumbing
}

// closeOnExec keeps our descriptors from the script. Go opens all of its own with
// that flag, but not so C libraries, nor those who started this process.
func closeOnExec() {
	const first = 3
	if unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) != nil { // before Linux 5.11
		closeOnExecEach(first)
	}
}

func closeOnExecEach(first int) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
}
