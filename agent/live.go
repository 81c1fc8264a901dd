package agent

import (
	"context"
	"sync"

	"libvirt.org/go/libvirt"

	"hookbridge/internal/libvirtd"
)

// liveSession is a watcher's present session, for those who work beside the
// watcher's own goroutine. It comes and goes with the connection.
type liveSession struct {
	mu    sync.Mutex
	conn  *libvirt.Connect // nil: there is none
	queue *hintQueue
	dirs  libvirtd.StatusDirs // stay, to be used between two sessions

	beside beside
}

// begin publishes a session.
func (l *liveSession) begin(conn *libvirt.Connect, queue *hintQueue, dirs libvirtd.StatusDirs) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.queue, l.dirs = conn, queue, dirs
}

// end takes the session back and closes its connection. If it is one that can be
// borrowed it stays open until the last has given it back.
func (l *liveSession) end(conn *libvirt.Connect) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = conn.Close()
	l.conn, l.queue = nil, nil
}

// statusDirs are where libvirtd keeps its files.
func (l *liveSession) statusDirs() libvirtd.StatusDirs {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dirs
}

func (l *liveSession) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
}

// borrow returns a connection for who works beside the watcher, to be given back with
// the function: a further one, see [beside], or the session's own to the test driver in
// this process. The error is that of ctx, or says why there is none to be had.
func (l *liveSession) borrow(ctx context.Context, uri string) (*libvirt.Connect, func(), error) {
	if !inProcess(uri) {
		return l.beside.open(ctx, uri)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	conn := l.conn
	if conn == nil {
		own, err := libvirt.NewConnect(uri)
		if err != nil {
			return nil, nil, err
		}
		return own, func() { _, _ = own.Close() }, nil
	}
	if err := conn.Ref(); err != nil {
		return nil, nil, err
	}
	return conn, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, _ = conn.Close() // the binding forgets its pointer with the last one
	}, nil
}

// look makes the watcher look at an object again. Between two sessions it does
// nothing: the next one begins with a look at everything.
func (l *liveSession) look(h hint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue != nil {
		l.queue.put(h)
	}
}
