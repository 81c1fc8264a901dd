package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// logger logs to a journal that is a socket of the test's.
func logger(t *testing.T) (*logrus.Logger, *net.UnixConn, *bytes.Buffer) {
	path := filepath.Join(t.TempDir(), "journal")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var stderr bytes.Buffer
	hook, err := NewHook(path, "hookbridge", &stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hook.conn.Close() })
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.AddHook(hook)
	return log, conn, &stderr
}

func TestEntry(t *testing.T) {
	log, conn, stderr := logger(t)
	log.WithError(errors.New("two\nlines")).WithFields(logrus.Fields{
		"network": "default", "op": "plugged", "domain": "web server", "mac": "52:54:00:00:00:01", "run": "00ff",
		"dé-tail": 1, "_x": 2, "priority": 9, "éé": 3,
	}).Warn("hook script")
	buffer := make([]byte, 4096)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	want := `MESSAGE=hook script _x=2 domain="web server" dé-tail=1 error="two\nlines" mac=52:54:00:00:00:01 network=default op=plugged priority=9 run=00ff éé=3
PRIORITY=4
SYSLOG_IDENTIFIER=hookbridge
X=2
DOMAIN=web server
D__TAIL=1
ERROR
` + "\x09\x00\x00\x00\x00\x00\x00\x00" + `two
lines
MAC=52:54:00:00:00:01
NETWORK=default
OP=plugged
RUN=00ff
`
	if got := string(buffer[:n]); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if stderr.Len() > 0 {
		t.Error(stderr.String())
	}
}

func TestWithoutJournal(t *testing.T) {
	log, conn, stderr := logger(t)
	log.Error(strings.Repeat("x", 1<<20)) // more than a datagram holds
	if got := stderr.String(); !strings.HasPrefix(got, "<3>xxx") || len(got) < 1<<20 {
		t.Errorf("%.100q", got)
	}
	stderr.Reset()
	conn.Close()
	log.WithField("network", "default").Info("gone\nby")
	if got := stderr.String(); got != "<6>gone by network=default\n" {
		t.Errorf("%q", got)
	}
}

func TestIsStream(t *testing.T) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(ours.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{
		"":                                     false,
		"journal":                              false,
		fmt.Sprintf("%d:%d", st.Dev, st.Ino):   true,
		fmt.Sprintf("%d:%d", st.Dev, st.Ino+1): false,
	} {
		t.Setenv("JOURNAL_STREAM", value)
		if got := IsStream(ours); got != want {
			t.Errorf("JOURNAL_STREAM=%s: %v", value, got)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "/x")
	if MayBeStream(ours) {
		t.Error("a pipe is taken for a socket")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket, other := os.NewFile(uintptr(fds[0]), "stderr"), os.NewFile(uintptr(fds[1]), "journal")
	defer socket.Close()
	defer other.Close()
	if !MayBeStream(socket) {
		t.Error("a socket is not seen")
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if MayBeStream(socket) {
		t.Error("a socket without systemd is taken for the journal's")
	}
}
