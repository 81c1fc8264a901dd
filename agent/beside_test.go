package agent

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
)

// hangingLibvirtd is a socket where clients are let in and not answered. Each is told.
func hangingLibvirtd(t *testing.T) (uri string, clients <-chan net.Conn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	all, ended := make(chan net.Conn, 100), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all <- c
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return "test+unix:///default?socket=" + path, all
}

// Who waits for a libvirtd that hangs goes when it wants to. Its place is free again when
// libvirtd is through with it; until then there are not more and more.
func TestBesideALibvirtdThatHangs(t *testing.T) {
	stop, err := runEventLoop(func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	uri, clients := hangingLibvirtd(t)
	var b beside
	var hung []net.Conn
	for range mostBeside {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, _, err := b.open(ctx, uri)
			failed <- err
		}()
		hung = append(hung, <-clients)
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who asked has gone: %v", err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.open(gone, uri); !errors.Is(err, context.Canceled) {
		t.Errorf("no place is free: %v", err)
	}
	if len(clients) > 0 {
		t.Error("there are more connections than places")
	}
	for _, c := range hung {
		c.Close()
	}
	failed := make(chan error)
	go func() {
		_, _, err := b.open(t.Context(), uri)
		failed <- err
	}()
	(<-clients).Close()
	if err := <-failed; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("libvirtd has ended the connection: %v", err)
	}
	b.end()
	if _, _, err := b.open(t.Context(), uri); !errors.Is(err, ErrNoConnection) {
		t.Errorf("after the end: %v", err)
	}
}

// A connection is the session's own only where libvirt has no requests: in this process.
func TestInProcess(t *testing.T) {
	for uri, want := range map[string]bool{
		"test:///default": true, "test:///etc/some.xml": true,
		"test+unix:///default": false, "test://host/default": false, "qemu:///system": false, "::": false,
	} {
		if got := inProcess(uri); got != want {
			t.Errorf("%s: %v", uri, got)
		}
	}
}
