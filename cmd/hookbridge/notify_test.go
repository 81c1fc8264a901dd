package main

import (
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// seat is systemd's, for one test script.
type seat struct {
	conn *net.UnixConn
	told []string // what nobody has waited for yet
}

type seatKey struct{}

func setUpSeat(env *testscript.Env) error {
	s := &seat{}
	env.Values[seatKey{}] = s
	env.Defer(func() {
		if s.conn != nil {
			s.conn.Close()
		}
	})
	return nil
}

// systemd sits down where commands of the script notify: systemd
func systemd(ts *testscript.TestScript, _ bool, _ []string) {
	path := filepath.Join(ts.Getenv("WORK"), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	ts.Check(err)
	ts.Value(seatKey{}).(*seat).conn = conn
	ts.Setenv("NOTIFY_SOCKET", path)
}

// notified waits for a message to systemd: notified PATTERN. Each message is waited
// for once, those before it are kept.
func notified(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: notified PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	s := ts.Value(seatKey{}).(*seat)
	ts.Check(s.conn.SetReadDeadline(time.Now().Add(30 * time.Second)))
	buffer := make([]byte, 4096)
	for {
		if i := slices.IndexFunc(s.told, pattern.MatchString); i >= 0 {
			s.told = slices.Delete(s.told, i, i+1)
			return
		}
		n, err := s.conn.Read(buffer)
		if err != nil {
			ts.Fatalf("systemd was not told %q, but %q: %v", args[0], s.told, err)
		}
		s.told = append(s.told, string(buffer[:n]))
	}
}

// hangup sends SIGHUP to all background commands: hangup
func hangup(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGHUP))
	}
}
