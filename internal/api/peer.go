package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// peerKey is the context's key of who is at the other end of the connection.
type peerKey struct{}

// peer is a process that has connected, or why it cannot be told.
type peer struct {
	uid uint32
	pid int32
	err error
}

var errNotUnix = errors.New("not a unix socket")

func peerOf(conn net.Conn) peer {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return peer{err: errNotUnix}
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	var p peer
	err = raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, p.err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); p.err == nil {
			p.uid, p.pid = cred.Uid, cred.Pid
		}
	})
	p.err = errors.Join(p.err, err)
	return p
}

func (p peer) trusted() bool {
	return p.err == nil && (p.uid == 0 || int(p.uid) == os.Geteuid())
}

// refusals tells of those who were refused, but not of each: anybody could fill the log.
type refusals struct {
	log logrus.FieldLogger

	mu     sync.Mutex
	told   time.Time
	untold int
}

// refusalInterval is the least time between two lines.
const refusalInterval = 10 * time.Second

func (r *refusals) tell(p peer, path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.told) < refusalInterval {
		r.untold++
		return
	}
	log := r.log.WithFields(logrus.Fields{"uid": p.uid, "pid": p.pid, "path": path})
	if p.err != nil {
		log = log.WithError(p.err)
	}
	if r.untold > 0 {
		log = log.WithField("refused_before", r.untold)
	}
	log.Warn("a process that is not root's was refused at the socket")
	r.told, r.untold = time.Now(), 0
}

// guard lets only trusted processes through.
func (r *refusals) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p, _ := req.Context().Value(peerKey{}).(peer)
		if !p.trusted() {
			r.tell(p, req.URL.Path)
			w.Header().Set("Connection", "close")
			fail(w, http.StatusForbidden, "only root may ask the agent")
			return
		}
		next.ServeHTTP(w, req)
	})
}

// withPeer is for http.Server.ConnContext.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerOf(conn))
}
