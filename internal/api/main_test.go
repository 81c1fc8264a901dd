package api

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	// A child of the test that asks the socket under another user.
	if socket := os.Getenv("API_TEST_ASK"); socket != "" {
		fmt.Print(askRaw(socket))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// askRaw asks for the health by plain system calls and returns the answer.
func askRaw(path string) string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err.Error()
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return "connect: " + err.Error()
	}
	_, _ = unix.Write(fd, []byte("GET /healthz HTTP/1.0\r\n\r\n"))
	var answer []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 || err != nil {
			return string(answer)
		}
		answer = append(answer, buf[:n]...)
	}
}
