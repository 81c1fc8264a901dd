package ask

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stream reads and writes a descriptor with a deadline, by plain system calls.
// Package os would take further threads and a poller for that, which costs about
// as much time as everything else here.
type stream struct {
	fd       int
	deadline time.Time
}

// await waits until the descriptor is ready. The error is os.ErrDeadlineExceeded
// when the time is over.
func (s *stream) await(events int16) error {
	for {
		left := time.Until(s.deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		ready := []unix.PollFd{{Fd: int32(s.fd), Events: events}}
		n, err := unix.Poll(ready, int(left/time.Millisecond)+1)
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		case n > 0:
			return nil
		}
	}
}

// Read is for an io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := s.await(unix.POLLIN); err != nil {
			return 0, err
		}
		n, err := unix.Read(s.fd, p)
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write is for an io.Writer. The descriptor must be a socket's.
func (s *stream) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		if err := s.await(unix.POLLOUT); err != nil {
			return written, err
		}
		n, err := unix.SendmsgN(s.fd, p[written:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
		case err != nil:
			return written, err
		default:
			written += n
		}
	}
	return written, nil
}

// Close closes the socket. Nobody could do anything about an error.
func (s *stream) Close() { _ = unix.Close(s.fd) }
