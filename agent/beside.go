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
	ended   bool
	opening sync.WaitGroup // not begun any more once it has ended
}

func (b *beside) slots() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken == nil {
		b.taken = make(chan struct{}, mostBeside)
	}
	return b.taken
}

// begin has one opened, and reports false after the end.
func (b *beside) begin(open func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.opening.Go(open)
	}
	return !b.ended
}

// end returns when nothing is being opened, and nothing will be.
func (b *beside) end() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.opening.Wait()
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
	free := func() { <-taken }
	got, late := make(chan dialed), make(chan struct{})
	if !b.begin(func() { dial(uri, got, late, free) }) {
		free()
		return nil, nil, ErrNoConnection
	}
	patience := time.NewTimer(openWithin)
	defer patience.Stop()
	select {
	case d := <-got:
		if d.err != nil {
			d.close()
			return nil, nil, d.err
		}
		return d.conn, d.close, nil
	case <-patience.C:
		close(late)
		return nil, nil, errNotOpened
	case <-ctx.Done():
		close(late)
		return nil, nil, ctx.Err()
	}
}

// dialed is what came of opening a connection.
type dialed struct {
	conn *libvirt.Connect
	err  error
	free func() // gives its place back
}

func (d dialed) close() {
	if d.err == nil {
		_, _ = d.conn.Close()
	}
	d.free()
}

// dial opens a connection and hands it over, or closes it if it is late.
func dial(uri string, got chan<- dialed, late <-chan struct{}, free func()) {
	conn, err := libvirt.NewConnect(uri)
	if err == nil {
		_ = conn.SetKeepAlive(keepaliveInterval, keepaliveCount)
	}
	d := dialed{conn, err, free}
	select {
	case got <- d:
	case <-late:
		d.close()
	}
}

// inProcess reports whether a connection is to libvirt's test driver in this process,
// which has no requests that could be under way, and a state for each connection.
func inProcess(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "test" && u.Host == ""
}
