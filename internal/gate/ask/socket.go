package ask

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dial connects to the agent. Only root may stand behind the socket, or the user
// that this process runs as: whoever answers decides about guests, and is told
// their documents.
func dial(path string, deadline time.Time) (*stream, error) {
	if err := checkOwner(path); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := connect(fd, path, deadline); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &stream{fd: fd, deadline: deadline}, nil
}

func connect(fd int, path string, deadline time.Time) error {
	// An agent that accepts nothing lets the kernel's queue run full, and connect
	// wait. The time for sending bounds that wait, too.
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("%s: the agent accepts no connection", path)
		}
		limit := unix.NsecToTimeval(left.Nanoseconds())
		if limit.Sec == 0 && limit.Usec == 0 {
			limit.Usec = 1 // 0 would mean no limit
		}
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
			return err
		}
		switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); {
		case err == nil:
			peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
			if err != nil {
				return err
			}
			if !trusted(peer.Uid) {
				return fmt.Errorf("%s: uid %d answers there, not root", path, peer.Uid)
			}
			return nil
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
		case errors.Is(err, unix.ECONNREFUSED):
			return fmt.Errorf("%s: no agent listens there", path)
		default:
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}

// checkOwner makes sure that nobody else can have put the socket there.
func checkOwner(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s: no agent runs", path)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s is not a socket", path)
	}
	if !trusted(st.Uid) {
		return fmt.Errorf("%s belongs to uid %d, not to root", path, st.Uid)
	}
	dir := "/" // path/filepath is not for here; see package early
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		dir = path[:i]
	}
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if !trusted(st.Uid) {
		return fmt.Errorf("%s belongs to uid %d, not to root", dir, st.Uid)
	}
	open := st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != 0
	if open && st.Mode&unix.S_ISVTX == 0 {
		return fmt.Errorf("%s may be written to by others than root", dir)
	}
	return nil
}

func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }
