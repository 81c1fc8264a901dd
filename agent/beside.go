package agent

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"libvirt.org/go/libvirt"
)

const (
	// mostBeside is how many connections a watcher has at most besides its own. Old
	// libvirtds serve 20 clients (max_clients).
	mostBeside = 4

	// openWithin is how long opening one may take. keepalive does not watch yet.
	openWithin = 30 * time.Second
)

var errNotOpened = errors.New("libvirtd does not answer: no further connection to it could be opened")

// beside opens connections for who works beside a watcher: each has one of its own, so
// that who waits on it for long keeps nobody waiting, and because of [watcher.asking].
type beside struct {
	mu      sync.Mutex
	taken   chan struct{} // holds a token for each connection
	opening sync.WaitGroup
}

func (b *beside) slots() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken == nil {
		b.taken = make(chan struct{}, mostBeside)
	}
	return b.taken
}

// open returns a connection, to be closed with the function. The error is that of ctx,
// or says why there is none.
func (b *beside) open(ctx context.Context, uri string) (*libvirt.Connect, func(), error) {
	taken := b.slots()
	select {
	case taken <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	type result struct {
		conn *libvirt.Connect
		err  error
	}
	opened, late := make(chan result), make(chan struct{})
	b.opening.Go(func() {
		conn, err := libvirt.NewConnect(uri)
		if err != nil {
			<-taken
		} else {
			_ = conn.SetKeepAlive(keepaliveInterval, keepaliveCount)
		}
		select {
		case opened <- result{conn, err}:
			return
		case <-late:
		}
		if err == nil {
			_, _ = conn.Close()
			<-taken
		}
	})
	patience := time.NewTimer(openWithin)
	defer patience.Stop()
	select {
	case r := <-opened:
		return r.conn, func() { _, _ = r.conn.Close(); <-taken }, r.err
	case <-patience.C:
		close(late)
		return nil, nil, errNotOpened
	case <-ctx.Done():
		close(late)
		return nil, nil, ctx.Err()
	}
}

// inProcess reports whether a connection is to libvirt's test driver in this process,
// which has no requests that could be under way, and a state for each connection.
func inProcess(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "test" && u.Host == ""
}
