package api

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/agent"
	"hookbridge/internal/history"
)

// Agent is what the server asks; *agent.Agent is one.
type Agent interface {
	Healthy() error
	Status(context.Context) (agent.Status, error)
	History(context.Context, history.Filter) (iter.Seq2[history.Entry, error], error)
	Follow(context.Context, history.Filter, int) (iter.Seq2[history.Entry, error], error)
	Fire(context.Context, agent.FireRequest) (agent.FireReport, error)
	Gate(context.Context, agent.GateCall) agent.GateAnswer
	StartNetwork(ctx context.Context, uri, name string) error
}

// Options say what to serve. All but Agent and Socket may be zero.
type Options struct {
	Socket  string // its path
	Agent   Agent
	Version string       // of hookbridge, for the status
	Metrics http.Handler // for /metrics; nil: there are none
	Log     logrus.FieldLogger

	// Grace is how long requests that are under way may go on when the server ends.
	// Default 25 s: a little more than a guest's start is held up at the gate.
	Grace time.Duration
}

// Limits of a request.
const (
	headerSize  = 16 << 10
	headerLimit = 5 * time.Second  // for the header to arrive
	bodyLimit   = 10 * time.Second // for the body to arrive
	replyLimit  = 30 * time.Second // for each part of an answer to be taken
	idleLimit   = time.Minute
	readyLimit  = 5 * time.Second // for an agent that is just starting

	defaultGrace = 25 * time.Second
)

// Server serves an agent's socket.
type Server struct {
	Options
	socket *socket
	http   *http.Server
	ending chan struct{} // closed when no more is to begin

	requests sync.WaitGroup
	prepares sync.Map // of the guest hooks that are known to have prepare
}

// Listen takes the socket: from now on clients can connect, and wait. The error is a
// *TakenError, or says what is wrong with the place.
func Listen(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = logrus.StandardLogger()
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	s := &Server{Options: o, ending: make(chan struct{})}
	var err error
	if s.socket, err = listen(o.Socket); err != nil {
		return nil, err
	}
	refusals := &refusals{log: o.Log}
	s.http = &http.Server{
		Handler:           s.counted(refusals.guard(s.routes())),
		ReadHeaderTimeout: headerLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    headerSize,
		ConnContext:       withPeer,
		ErrorLog:          quietLog(o.Log),
	}
	return s, nil
}

// Close gives the socket back without having served it.
func (s *Server) Close() error {
	s.socket.remove()
	return s.socket.Close()
}

// Serve answers until ctx ends. Then it takes no more requests, lets those under way
// go on for the time of grace, and returns nil. Requests that only watch end at once.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.socket) }()
	select {
	case err := <-failed:
		s.socket.remove()
		return err
	case <-ctx.Done():
	}
	s.socket.remove()
	close(s.ending)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		s.Log.Warn("requests at the socket were cut off, since they did not come to an end")
		_ = s.http.Close() // ends their contexts
		s.awaitRequests()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// awaitRequests gives requests that were cut off a moment to notice. One that hangs in
// libvirt does not.
func (s *Server) awaitRequests() {
	ended := make(chan struct{})
	go func() {
		s.requests.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
}

// route is one thing that can be asked for.
type route struct {
	method, path string
	serve        http.HandlerFunc
}

func (s *Server) routes() http.Handler {
	metrics := s.Metrics
	if metrics == nil {
		metrics = http.NotFoundHandler()
	}
	all := []route{
		{"GET", "/v1/status", s.status},
		{"GET", "/v1/history", s.history},
		{"POST", "/v1/fire", s.fire},
		{"POST", "/v1/network/start", s.startNetwork},
		{"POST", "/v1/gate", s.gate},
		{"GET", "/healthz", s.healthz},
		{"GET", "/metrics", metrics.ServeHTTP},
	}
	mux := http.NewServeMux()
	var known []string
	methods := map[string]string{}
	for _, r := range all {
		mux.HandleFunc(r.method+" "+r.path, r.serve)
		known = append(known, r.method+" "+r.path)
		methods[r.path] = r.method
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		if method := methods[req.URL.Path]; method != "" {
			w.Header().Set("Allow", method)
			fail(w, http.StatusMethodNotAllowed, req.URL.Path+" takes "+method)
			return
		}
		fail(w, http.StatusNotFound, "nothing is there; there are "+strings.Join(known, ", "))
	})
	return mux
}

// counted keeps count of the requests under way, and survives one that panics.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.requests.Add(1)
		defer s.requests.Done()
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			if r != http.ErrAbortHandler { //nolint:errorlint // what net/http documents
				s.Log.WithField("path", req.URL.Path).Errorf("%v (a bug in hookbridge: please report it)\n%s", r, debug.Stack())
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, req)
	})
}
