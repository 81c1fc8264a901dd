package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// pathLimit is how long the path of a unix socket may be (sun_path in unix(7)).
const pathLimit = 107

// TakenError says that somebody answers on the socket.
type TakenError struct{ Path string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("another agent answers on %s; stop that one, or give this one a --socket of its own", e.Path)
}

// socket is a unix socket that listens, under a name.
type socket struct {
	*net.UnixListener
	path     string
	dev, ino uint64 // of the file
}

// listen makes the socket, and its directory if it is not there. A socket on which
// nobody answers is replaced. The error is a *TakenError, or says what is wrong with the
// place.
func listen(path string) (*socket, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if len(path) > pathLimit {
		return nil, fmt.Errorf("socket %s: the path is longer than %d bytes, which is all that unix sockets can have", path, pathLimit)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the socket's directory: %w; run as root, or name another place with --socket or --state-dir", err)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := checkFree(path); err != nil {
		return nil, err
	}

	// Made where nobody else can look, and moved: so it never has another mode.
	private, err := os.MkdirTemp(dir, ".s")
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	defer func() { _ = os.RemoveAll(private) }()
	made := filepath.Join(private, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	listener.SetUnlinkOnClose(false)
	s := &socket{UnixListener: listener, path: path}
	var st unix.Stat_t
	err = errors.Join(os.Chmod(made, 0o600), unix.Lstat(made, &st))
	if err == nil {
		s.dev, s.ino = st.Dev, st.Ino
		err = os.Rename(made, path)
	}
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return s, nil
}

// lockDir lets agents that begin or end at the same time do so one after the other. It
// makes sure that nobody else can put a socket there: the gate's shim would not trust it.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("the socket's directory: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(d.Fd()), &st); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("the socket's directory %s: %w", dir, err)
	}
	if st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0 {
		_ = d.Close()
		return nil, fmt.Errorf("others may write to the socket's directory %s; remedy: chmod go-w %s", dir, dir)
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("the socket's directory %s: %w", dir, err)
	}
	return func() { _ = d.Close() }, nil
}

// checkFree makes sure that the path is nobody's: nothing is there, or a socket that
// nobody listens on any more.
func checkFree(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there already, and is not a socket", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return &TakenError{path}
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
		return nil
	}
	return &TakenError{path} // it is listened on, and does not come to answer
}

// remove removes the socket's name, unless it is somebody else's by now.
func (s *socket) remove() {
	unlock, err := lockDir(filepath.Dir(s.path))
	if err != nil {
		return
	}
	defer unlock()
	var st unix.Stat_t
	if unix.Lstat(s.path, &st) == nil && st.Dev == s.dev && st.Ino == s.ino {
		_ = os.Remove(s.path)
	}
}
