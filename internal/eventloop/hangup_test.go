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

// A connection ends if a request has been under way for long enough, which is when
// libvirt wants no events; who wants some afterwards is told.
func TestHangUp(t *testing.T) {
	run(t)
	fd, peer := connection(t)
	defer unix.Close(fd)
	told := make(chan libvirt.EventHandleType, 1)
	h := watch(t, fd, libvirt.EVENT_HANDLE_READABLE, func(watch, _ int, events libvirt.EventHandleType) {
		libvirt.EventUpdateHandle(watch, 0)
		told <- events
	})
	hangUp := func(age time.Duration, want int) {
		t.Helper()
		if n := eventloop.HangUp(age); n != want {
			t.Errorf("%d connections, want %d", n, want)
		}
	}
	hangUp(0, 0)
	libvirt.EventUpdateHandle(h, 0)
	hangUp(time.Hour, 0)
	hangUp(0, 1)
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other side sees %v, want the end", err)
	}
	libvirt.EventUpdateHandle(h, libvirt.EVENT_HANDLE_READABLE)
	select {
	case events := <-told:
		if events&libvirt.EVENT_HANDLE_HANGUP == 0 {
			t.Errorf("%d is told, and no end", events)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody is told")
	}
	if err := libvirt.EventRemoveHandle(h); err != nil {
		t.Error(err)
	}
	hangUp(0, 0)
}
