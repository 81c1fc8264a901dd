package journal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Socket is where the journal takes entries.
const Socket = "/run/systemd/journal/socket"

// IsStream reports whether a file is the journal's: systemd (231 and newer) names
// device and inode of what it gave a service as stderr.
func IsStream(f *os.File) bool {
	var device, inode uint64
	if _, err := fmt.Sscanf(os.Getenv("JOURNAL_STREAM"), "%d:%d", &device, &inode); err != nil {
		return false
	}
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Dev == device && st.Ino == inode
}

// MayBeStream reports whether a file may be the journal's under a systemd that
// names nothing: a connected stream socket, and a service manager that listens.
func MayBeStream(f *os.File) bool {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return false
	}
	kind, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_STREAM
}
