package eventloop_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"hookbridge/internal/eventloop"
)

// connection returns a descriptor of a connection, and the other side of it.
func connection(t *testing.T) (fd int, peer net.Conn) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(pair[1]), "peer")
	defer f.Close()
	if peer, err = net.FileConn(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return pair[0], peer
}

// A connection ends if it is old enough, and who waits for it is told.
func TestHangUp(t *testing.T) {
	run(t)
	fd, peer := connection(t)
	defer unix.Close(fd)
	told := make(chan libvirt.EventHandleType, 1)
	h := watch(t, fd, libvirt.EVENT_HANDLE_READABLE, func(watch, _ int, events libvirt.EventHandleType) {
		libvirt.EventUpdateHandle(watch, 0)
		told <- events
	})
	if n := eventloop.HangUp(time.Hour); n != 0 {
		t.Errorf("%d connections are that old, want none", n)
	}
	if n := eventloop.HangUp(0); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	select {
	case events := <-told:
		if events&libvirt.EVENT_HANDLE_HANGUP == 0 {
			t.Errorf("%d is told, and no end", events)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody is told")
	}
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other side sees %v, want the end", err)
	}
	if err := libvirt.EventRemoveHandle(h); err != nil {
		t.Error(err)
	}
	if n := eventloop.HangUp(0); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}
