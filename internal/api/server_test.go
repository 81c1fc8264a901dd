package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"hookbridge/agent"
	"hookbridge/internal/gate/ask"
	"hookbridge/internal/history"
)

// fake is an agent that does what a test says.
type fake struct {
	health  error
	status  func(context.Context) (agent.Status, error)
	fire    func(context.Context, agent.FireRequest) (agent.FireReport, error)
	gate    func(context.Context, agent.GateCall) agent.GateAnswer
	start   func(ctx context.Context, uri, name string) error
	entries []history.Entry
	live    chan history.Entry
}

func (f *fake) Healthy() error { return f.health }

func (f *fake) Status(ctx context.Context) (agent.Status, error) {
	if f.status == nil {
		return agent.Status{PID: 1}, nil
	}
	return f.status(ctx)
}

func (f *fake) History(_ context.Context, filter history.Filter) (iter.Seq2[history.Entry, error], error) {
	if f.entries == nil {
		return nil, agent.ErrNoHistory
	}
	return func(yield func(history.Entry, error) bool) {
		for _, e := range f.entries {
			if (filter.Network == "" || e.Network == filter.Network) && !yield(e, nil) {
				return
			}
		}
	}, nil
}

func (f *fake) Follow(ctx context.Context, filter history.Filter, last int) (iter.Seq2[history.Entry, error], error) {
	past, err := f.History(ctx, filter)
	return func(yield func(history.Entry, error) bool) {
		for e, err := range history.Last(past, last) {
			if !yield(e, err) {
				return
			}
		}
		for {
			select {
			case e := <-f.live:
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}, err
}

func (f *fake) Fire(ctx context.Context, req agent.FireRequest) (agent.FireReport, error) {
	return f.fire(ctx, req)
}

func (f *fake) Gate(ctx context.Context, call agent.GateCall) agent.GateAnswer {
	return f.gate(ctx, call)
}

func (f *fake) StartNetwork(ctx context.Context, uri, name string) error {
	return f.start(ctx, uri, name)
}

// seat is a server that runs.
type seat struct {
	path string
	log  *lines
	end  func()
}

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func serveFake(t *testing.T, a Agent, amend func(*Options)) *seat {
	t.Helper()
	s := &seat{path: filepath.Join(t.TempDir(), "run", "a.sock"), log: &lines{}}
	log := logrus.New()
	log.SetOutput(s.log)
	log.SetLevel(logrus.DebugLevel)
	o := Options{Socket: s.path, Agent: a, Log: log, Version: "9"}
	if amend != nil {
		amend(&o)
	}
	server, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	s.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(s.end)
	return s
}

// say sends bytes and returns the whole answer.
func (s *seat) say(t *testing.T, request string) string {
	t.Helper()
	conn := s.dial(t)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Logf("write: %v", err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
	return string(answer)
}

func (s *seat) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func TestSocketIsPrivateFromTheFirstMoment(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	s := serveFake(t, &fake{}, nil)
	for path, want := range map[string]os.FileMode{s.path: os.ModeSocket | 0o600, filepath.Dir(s.path): os.ModeDir | 0o700} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %s, want %s", path, info.Mode(), want)
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(s.path))
	if len(entries) != 1 {
		t.Errorf("besides the socket something is left: %v", entries)
	}
	if err := ask.Healthz(s.path); err != nil {
		t.Errorf("the gate's client: %v", err)
	}
	s.end()
	if _, err := os.Lstat(s.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

func TestSocketOfAnother(t *testing.T) {
	s := serveFake(t, &fake{}, nil)
	var taken *TakenError
	if _, err := Listen(Options{Socket: s.path, Agent: &fake{}}); !errors.As(err, &taken) {
		t.Errorf("a second agent on the same socket: %v", err)
	}
	if err := ask.Healthz(s.path); err != nil {
		t.Errorf("the first agent does not answer any more: %v", err)
	}

	// One that nobody answers on is replaced; what is no socket is not.
	stale := filepath.Join(t.TempDir(), "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	again, err := Listen(Options{Socket: stale, Agent: &fake{}})
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Options{Socket: file, Agent: &fake{}}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("in the place of a file: %v", err)
	}

	// At the end only the own one is removed.
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	s.end()
	if _, err := os.Lstat(s.path); err != nil {
		t.Errorf("the other's socket: %v", err)
	}
}

func TestPlacesThatDoNotDo(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(open, "a.sock"):                              "chmod go-w",
		filepath.Join(t.TempDir(), strings.Repeat("long", 40)):     "longer than 107 bytes",
		filepath.Join(t.TempDir(), "file", "below", "a.sock") + "": "",
	} {
		if want == "" {
			if err := os.WriteFile(filepath.Dir(filepath.Dir(path)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			want = "not a directory"
		}
		if _, err := Listen(Options{Socket: path, Agent: &fake{}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestOnlyRootIsServed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("takes root to become somebody else")
	}
	s := serveFake(t, &fake{}, nil)
	// Even one who gets at the socket is not served.
	for dir := filepath.Dir(s.path); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.path, 0o666); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(t.TempDir(), "self")
	if err := copyFile("/proc/self/exe", self); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(self); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var pids []string
	for range 3 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "API_TEST_ASK="+s.path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if !strings.HasPrefix(string(out), "HTTP/1.0 403 ") || !strings.Contains(string(out), `{"error":"only root may ask the agent"}`) {
			t.Errorf("uid 65534 got %s", out)
		}
		pids = append(pids, fmt.Sprint(cmd.Process.Pid))
	}
	if n := strings.Count(s.log.String(), "was refused"); n != 1 {
		t.Errorf("told %d times:\n%s", n, s.log)
	}
	if want := "pid=" + pids[0]; !strings.Contains(s.log.String(), want) || !strings.Contains(s.log.String(), "uid=65534") {
		t.Errorf("no %s and uid in:\n%s", want, s.log)
	}
	if err := ask.Healthz(s.path); err != nil {
		t.Errorf("root: %v", err)
	}
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}

func TestMalformedRequests(t *testing.T) {
	s := serveFake(t, &fake{
		fire: func(context.Context, agent.FireRequest) (agent.FireReport, error) {
			return agent.FireReport{}, &agent.NotFoundError{Reason: "there is no network none"}
		},
		start: func(_ context.Context, _, name string) error {
			return errors.New("network " + name + " is not started")
		},
	}, nil)
	for request, want := range map[string]string{
		post("/v1/fire", "{"):                                        "400 |the body is not the JSON that was expected",
		post("/v1/fire", ""):                                         "400 |there is no body",
		post("/v1/fire", `{"network":1}`):                            "400 |cannot unmarshal number",
		post("/v1/fire", `{"netwerk":"n"}`):                          "400 |unknown field",
		post("/v1/fire", `{} {}`):                                    "400 |not the JSON",
		post("/v1/fire", `{"network":"none"}`):                       "404 |there is no network none",
		post("/v1/fire", `"`+strings.Repeat("x", requestBody)+`"`):   "413 |larger than 65536 bytes",
		post("/v1/network/start", `{"network":""}`):                  "400 |no network named",
		post("/v1/network/start", `{"network":"n"}`):                 "409 |network n is not started",
		post("/v1/gate", `{"guest":"qemu"}`):                         "400 |at least guest, object and op",
		post("/v1/gate", `[]`):                                       "400 |not the JSON",
		post("/v1/status", `{}`):                                     "405 |takes GET",
		"GET /v1/gate HTTP/1.0\r\n\r\n":                              "405 |takes POST",
		"GET /v2 HTTP/1.0\r\n\r\n":                                   "404 |nothing is there",
		"GET /v1/history HTTP/1.0\r\n\r\n":                           "404 |keeps no history",
		"GET /v1/history?op=pluged HTTP/1.0\r\n\r\n":                 "400 |the operations are start,",
		"GET /v1/history?since=yesterday HTTP/1.0\r\n\r\n":           "400 |not a time",
		"GET /v1/history?limit=-1 HTTP/1.0\r\n\r\n":                  "400 |not a number",
		"GET /v1/history?failed=maybe HTTP/1.0\r\n\r\n":              "400 |neither true nor false",
		"GET /v1/history?nic=1 HTTP/1.0\r\n\r\n":                     "400 |unknown",
		"GET /healthz HTTP/1.0\r\nX: " + strings.Repeat("x", 32<<10): "431 |",
		"rubbish\r\n\r\n":                                            "400 |",
	} {
		status, text, _ := strings.Cut(want, "|")
		got := s.say(t, request)
		line, _, _ := strings.Cut(got, "\n")
		if !strings.Contains(line, status) || !strings.Contains(got, text) || text != "" && !strings.Contains(got, `{"error":"`) {
			t.Errorf("%.60q\ngot  %.300q\nwant %s%q", request, got, status, text)
		}
	}
}

func TestHealth(t *testing.T) {
	a := &fake{health: errors.New("the agent does not run yet")}
	s := serveFake(t, a, nil)
	if err := ask.Healthz(s.path); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("before it runs: %v", err)
	}
}

// A header that never comes to its end, and a body that does not, are given up.
func TestSlowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the limits")
	}
	s := serveFake(t, &fake{}, nil)
	var clients sync.WaitGroup
	for request, limit := range map[string]time.Duration{
		"GET /healthz HTT": headerLimit,
		"POST /v1/gate HTTP/1.0\r\nContent-Length: 100\r\n\r\n{": bodyLimit,
	} {
		clients.Go(func() {
			began := time.Now()
			answer := s.say(t, request)
			if d := time.Since(began); d > limit+5*time.Second {
				t.Errorf("%.20q was given up after %s", request, d)
			}
			if limit == bodyLimit && !strings.Contains(answer, "408 ") {
				t.Errorf("%.20q: %q", request, answer)
			}
		})
	}
	clients.Wait()
}

// The gate accepts at once and answers while everything else hangs, and while its own
// answer is being thought about.
func TestGateComesFirst(t *testing.T) {
	hang := make(chan struct{})
	asked := make(chan agent.GateCall, 1)
	answer := make(chan agent.GateAnswer)
	s := serveFake(t, &fake{
		status: func(ctx context.Context) (agent.Status, error) { <-hang; return agent.Status{}, ctx.Err() },
		gate: func(_ context.Context, call agent.GateCall) agent.GateAnswer {
			asked <- call
			return <-answer
		},
	}, nil)
	for range 50 {
		_, _ = io.WriteString(s.dial(t), "GET /v1/status HTTP/1.0\r\n\r\n")
	}

	document := "<domain>" + strings.Repeat("<x a='&amp;\"'/>\n", documentSize/20) + "</domain>"
	type result struct {
		answer *ask.Answer
		err    error
	}
	results := make(chan result, 1)
	go func() {
		a, err := ask.Gate(s.path, &ask.Call{Guest: "qemu", Object: "g", Op: "prepare", SubOp: "begin", Extra: "-", PID: 7, Document: document, Timeout: 20000, Unavailable: ask.Deny}, 20*time.Second)
		results <- result{a, err}
	}()
	var call agent.GateCall
	select {
	case call = <-asked:
	case r := <-results:
		close(hang)
		t.Fatalf("not accepted: %v", r.err)
	}
	defer close(hang)
	want := agent.GateCall{Guest: "qemu", Object: "g", Op: "prepare", SubOp: "begin", Extra: "-", PID: 7, Document: document, Timeout: 20000, Unavailable: "deny"}
	if diff := cmp.Diff(want, call); diff != "" {
		t.Errorf("the agent was asked (-want +got):\n%.500s", diff)
	}
	answer <- agent.GateAnswer{Allow: false, Message: "no address left & <gone>\n"}
	r := <-results
	if r.err != nil || *r.answer.Allow || r.answer.Message != "no address left & <gone>\n" {
		t.Errorf("answer %+v, %v", r.answer, r.err)
	}
}

func TestGateHeaderGoesOutBeforeTheAnswer(t *testing.T) {
	answer := make(chan struct{})
	s := serveFake(t, &fake{gate: func(context.Context, agent.GateCall) agent.GateAnswer {
		<-answer
		return agent.GateAnswer{Allow: true}
	}}, nil)
	conn := s.dial(t)
	_, _ = io.WriteString(conn, post("/v1/gate", `{"guest":"qemu","object":"g","op":"prepare","of_a_newer_shim":1}`))
	reader := bufio.NewReader(conn)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			break
		}
	}
	close(answer)
	body, _ := io.ReadAll(reader)
	if string(body) != "{\"allow\":true}\n" {
		t.Errorf("body %q", body)
	}
}

// Who goes away ends what was done for it.
func TestClientThatLeaves(t *testing.T) {
	began, left := make(chan struct{}), make(chan struct{})
	wait := func(ctx context.Context) {
		began <- struct{}{}
		<-ctx.Done()
		left <- struct{}{}
	}
	s := serveFake(t, &fake{
		gate: func(ctx context.Context, _ agent.GateCall) agent.GateAnswer { wait(ctx); return agent.GateAnswer{} },
		fire: func(ctx context.Context, _ agent.FireRequest) (agent.FireReport, error) {
			wait(ctx)
			return agent.FireReport{}, ctx.Err()
		},
	}, nil)
	for _, request := range []string{post("/v1/gate", `{"guest":"qemu","object":"g","op":"prepare"}`), post("/v1/fire", `{}`)} {
		conn := s.dial(t)
		_, _ = io.WriteString(conn, request)
		<-began
		_ = conn.Close()
		select {
		case <-left:
		case <-time.After(30 * time.Second):
			t.Fatalf("%.20q went on", request)
		}
	}
}

// At the end guests that are being started get their answer; who only watches does not
// hold up the end.
func TestGracefulEnd(t *testing.T) {
	began, answer := make(chan struct{}), make(chan struct{})
	s := serveFake(t, &fake{
		entries: []history.Entry{{Run: "1"}}, live: make(chan history.Entry),
		gate: func(context.Context, agent.GateCall) agent.GateAnswer {
			close(began)
			<-answer
			return agent.GateAnswer{Allow: true, Message: "at the last moment"}
		},
	}, nil)
	watching := make(chan struct{})
	watched := make(chan error, 1)
	go func() {
		watched <- NewClient(s.path).History(t.Context(), HistoryQuery{Follow: true}, func(history.Entry) error { close(watching); return nil })
	}()
	<-watching
	said := make(chan *ask.Answer, 1)
	go func() {
		a, err := ask.Gate(s.path, &ask.Call{Guest: "qemu", Object: "g", Op: "prepare"}, 20*time.Second)
		if err != nil {
			t.Error(err)
		}
		said <- a
	}()
	<-began
	ended := make(chan struct{})
	go func() { s.end(); close(ended) }()
	if err := <-watched; err != nil {
		t.Errorf("who follows: %v", err)
	}
	close(answer)
	if a := <-said; a == nil || a.Message != "at the last moment" {
		t.Errorf("answer %+v", a)
	}
	<-ended
}

func TestEndCutsOffWhatDoesNotEnd(t *testing.T) {
	began := make(chan struct{})
	s := serveFake(t, &fake{fire: func(ctx context.Context, _ agent.FireRequest) (agent.FireReport, error) {
		close(began)
		<-ctx.Done()
		return agent.FireReport{}, ctx.Err()
	}}, func(o *Options) { o.Grace = 50 * time.Millisecond })
	conn := s.dial(t)
	_, _ = io.WriteString(conn, post("/v1/fire", `{}`))
	<-began
	s.end()
	if !strings.Contains(s.log.String(), "cut off") {
		t.Errorf("not told:\n%s", s.log)
	}
}

func TestPanicIsToldAndSurvived(t *testing.T) {
	s := serveFake(t, &fake{start: func(context.Context, string, string) error { panic("a bug") }}, nil)
	if got := s.say(t, post("/v1/network/start", `{"network":"n"}`)); got != "" {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(s.log.String(), "a bug (a bug in hookbridge: please report it)") {
		t.Errorf("not told:\n%s", s.log)
	}
	if err := ask.Healthz(s.path); err != nil {
		t.Error(err)
	}
}

func TestMetricsRoute(t *testing.T) {
	s := serveFake(t, &fake{}, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "m 1\n") })
	})
	if got := s.say(t, "GET /metrics HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "m 1\n") {
		t.Errorf("got %q", got)
	}
}
