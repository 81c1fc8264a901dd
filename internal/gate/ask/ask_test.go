package ask

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const document = "<domain>\n  <name>a&b é</name>\n</domain>\n"

// serve lets a handler be the agent.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return socket
}

// did is what a call did.
type did struct {
	status         int
	stdout, stderr string
	took           time.Duration
}

func run(op string, args ...string) did {
	var stdout, stderr bytes.Buffer
	args = append([]string{"--guest", "qemu"}, args...)
	args = append(args, "--", "-odd guest\n", op, "begin", "-")
	began := time.Now()
	status := Main(args, strings.NewReader(document), &stdout, &stderr)
	return did{status, stdout.String(), stderr.String(), time.Since(began)}
}

func TestAgentHearsTheCall(t *testing.T) {
	heard := make(chan Call, 8)
	socket := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var c Call
		if r.URL.Path != "/v1/gate" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			t.Error(err)
		}
		heard <- c
		fmt.Fprint(w, `{"allow":true,"message":""}`)
	})
	for _, op := range []string{"prepare", "start", "stopped", "release", "reconnect", "started", "attach"} {
		d := run(op, "--socket", socket, "--pid", "77")
		if d.status != 0 || d.stdout != "" || d.stderr != "" {
			t.Errorf("%s: %+v", op, d)
		}
	}
	if len(heard) != 5 {
		t.Fatalf("%d calls", len(heard))
	}
	want := Call{Guest: "qemu", Object: "-odd guest\n", Op: "prepare", SubOp: "begin", Extra: "-", PID: 77, Document: document, Timeout: 20000, Unavailable: Allow}
	if got := <-heard; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEcho(t *testing.T) {
	for _, op := range []string{"migrate", "restore"} {
		if d := run(op, "--socket", "/nowhere"); d.status != 0 || d.stdout != document || d.stderr != "" {
			t.Errorf("%s: %+v", op, d)
		}
	}
}

func TestRefusal(t *testing.T) {
	socket := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		fmt.Fprint(w, `{"allow":false,"message":"network front is full\nreally"}`)
	})
	for op, status := range map[string]int{"prepare": 1, "start": 1, "reconnect": 0, "stopped": 0, "release": 0} {
		// What is unavailable says nothing about an agent that answers.
		if d := run(op, "--socket", socket, "--unavailable", "allow"); d.status != status || d.stderr != "network front is full\nreally\n" {
			t.Errorf("%s: %+v", op, d)
		}
	}
}

// Acceptance and answer have limits of their own.
func TestSlowAgentThatHasAccepted(t *testing.T) {
	answer := make(chan struct{})
	socket := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.(http.Flusher).Flush()
		select {
		case <-answer:
		case <-time.After(AcceptLimit + 200*time.Millisecond):
			fmt.Fprint(w, `{"allow":true,"message":""}`)
		}
	})
	defer close(answer)
	if d := run("prepare", "--socket", socket, "--unavailable", "deny"); d.status != 0 || d.stderr != "" {
		t.Errorf("%+v", d)
	}
	d := run("prepare", "--socket", socket, "--unavailable", "deny", "--timeout", "100ms")
	if d.status != 1 || !strings.Contains(d.stderr, "no answer from the agent in 100ms") || d.took > AcceptLimit {
		t.Errorf("%+v", d)
	}
	// libvirtd's event loop may stand still: not for as long as scripts may run.
	if d := run("stopped", "--socket", socket); d.status != 0 || d.took > 5*AcceptLimit || !strings.Contains(d.stderr, "in 1s") {
		t.Errorf("%+v", d)
	}
}

// Each way in which the agent can fail, under both policies.
func TestUnavailable(t *testing.T) {
	raw := func(answer string) func(*testing.T) string {
		return func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			})
		}
	}
	for _, tt := range []struct {
		name   string
		socket func(*testing.T) string
		says   string
	}{
		{"no socket", func(t *testing.T) string { return filepath.Join(t.TempDir(), "s") }, "no agent runs"},
		{"nobody listens", func(t *testing.T) string { return listenAndLeave(t) }, "no agent listens"},
		{"never accepts", func(t *testing.T) string { return backlog(t, false) }, "did not accept the call in 1s"},
		{"full queue", func(t *testing.T) string { return backlog(t, true) }, "accepts no connection"},
		{"not a socket", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "s")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, "not a socket"},
		{"path too long", func(t *testing.T) string { return longSocket(t) }, "invalid argument"},
		{"status 503", func(t *testing.T) string {
			return serve(t, func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "the queue is full\nmore", http.StatusServiceUnavailable)
			})
		}, "503: the queue is full\n"},
		{"not HTTP", raw("hello\r\n"), "not HTTP"},
		{"nothing", raw(""), "went away"},
		{"header cut", raw("HTTP/1.0 200 OK\r\n"), "went away"},
		{"body cut", raw("HTTP/1.0 200 OK\r\n\r\n{\"allow\":tr"), "went away"},
		{"no body", raw("HTTP/1.0 200 OK\r\n\r\n"), "went away"},
		{"not JSON", raw("HTTP/1.0 200 OK\r\n\r\n<html>"), "cannot be read"},
		{"no verdict", raw("HTTP/1.0 200 OK\r\n\r\n{}"), "neither yes nor no"},
		{"endless header", raw("HTTP/1.0 200 OK\r\n" + strings.Repeat("x", 2*answerSize)), "went away"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			socket := tt.socket(t)
			for op, statuses := range map[string][2]int{"prepare": {0, 1}, "start": {0, 1}, "stopped": {0, 0}, "reconnect": {0, 0}} {
				for i, policy := range []string{"allow", "deny"} {
					d := run(op, "--socket", socket, "--unavailable", policy)
					if d.status != statuses[i] || d.stdout != "" || !strings.Contains(d.stderr, tt.says) ||
						strings.Count(d.stderr, "\n") != 1 || !strings.HasPrefix(d.stderr, "hookbridge: ") {
						t.Errorf("%s %s: %+v", op, policy, d)
					}
					if d.took > 10*AcceptLimit {
						t.Errorf("%s %s took %v", op, policy, d.took)
					}
				}
			}
		})
	}
}

func listenAndLeave(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	return path
}

// backlog returns a socket whose listener accepts nothing. The kernel accepts for
// it until the queue is full.
func backlog(t *testing.T, full bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	size := 16
	if full {
		size = 0
	}
	if err := syscall.Listen(fd, size); err != nil {
		t.Fatal(err)
	}
	if full {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return path
}

func longSocket(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(filepath.Dir(dir), "s")
	l, err := net.Listen("unix", short)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := os.Rename(short, filepath.Join(dir, "s")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "s")
}

// A stopped agent is one that never accepts.
func TestStoppedAgent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	agent := exec.Command(os.Args[0], "-test.run=^TestAgentProcess$")
	agent.Env = append(os.Environ(), "ASK_TEST_SOCKET="+socket)
	listening(t, agent)
	if d := run("prepare", "--socket", socket, "--unavailable", "deny"); d.status != 0 {
		t.Fatalf("before: %+v", d)
	}
	if err := agent.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var state syscall.WaitStatus
	if _, err := syscall.Wait4(agent.Process.Pid, &state, syscall.WUNTRACED, nil); err != nil || !state.Stopped() {
		t.Fatalf("it did not stop: %v %v", state, err)
	}
	for policy, status := range map[string]int{"allow": 0, "deny": 1} {
		d := run("prepare", "--socket", socket, "--unavailable", policy)
		if d.status != status || d.took > 5*AcceptLimit || !strings.Contains(d.stderr, "did not accept") {
			t.Errorf("%s: %+v", policy, d)
		}
	}
}

// listening starts a process that runs TestAgentProcess, and waits until it listens.
func listening(t *testing.T, agent *exec.Cmd) {
	t.Helper()
	ready, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
	})
	if _, err := io.ReadFull(ready, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// TestAgentProcess is the agent of other tests, in a process of its own.
func TestAgentProcess(t *testing.T) {
	socket := os.Getenv("ASK_TEST_SOCKET")
	if socket == "" {
		return
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Print("!")
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"allow":true}`)
	}))
}

// Nobody but root, or this process's own user, may stand behind the socket.
func TestOtherUsersSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	asked := func(t *testing.T) string {
		return serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	}
	for name, spoil := range map[string]func(socket string) error{
		"belongs to uid 12345": func(s string) error { return os.Chown(s, 12345, 0) },
		"belongs to uid 12346": func(s string) error { return os.Chown(filepath.Dir(s), 12346, 0) },
		"may be written to by": func(s string) error { return os.Chmod(filepath.Dir(s), 0o777) },
		"by others than root": func(s string) error {
			return errors.Join(os.Chown(filepath.Dir(s), 0, 7), os.Chmod(filepath.Dir(s), 0o775))
		},
		"s is not a socket":       func(s string) error { return errors.Join(os.Rename(s, s+"2"), os.Symlink(s+"2", s)) },
		"uid 12347 answers there": nil,
	} {
		t.Run(name, func(t *testing.T) {
			var socket string
			if spoil == nil {
				socket = foreignListener(t, 12347)
			} else {
				socket = asked(t)
				if err := spoil(socket); err != nil {
					t.Fatal(err)
				}
			}
			if d := run("prepare", "--socket", socket, "--unavailable", "deny"); d.status != 1 || !strings.Contains(d.stderr, name) {
				t.Errorf("%+v", d)
			}
		})
	}
}

// foreignListener lets another user listen on a socket that root then takes over,
// as far as the file goes.
func foreignListener(t *testing.T, uid uint32) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	exe := filepath.Join("/tmp", fmt.Sprintf("hookbridge-ask-test-%d", os.Getpid()))
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(exe) })
	for dir := filepath.Dir(socket); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Dir(socket), int(uid), 0); err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(exe, "-test.run=^TestAgentProcess$")
	agent.Env = []string{"ASK_TEST_SOCKET=" + socket, "TMPDIR=/tmp"}
	agent.Dir = "/"
	agent.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	listening(t, agent)
	if err := errors.Join(os.Chown(socket, 0, 0), os.Chown(filepath.Dir(socket), 0, 0)); err != nil {
		t.Fatal(err)
	}
	return socket
}

func TestDocumentThatNeverEnds(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	defer read.Close()
	if _, err := readDocument(read, 10*time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not come to an end") {
		t.Errorf("%v", err)
	}
	if _, err := readDocument(zeros{}, time.Minute); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("%v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestWrongCall(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--guest", "qemu"},
		{"--guest", "qemu", "--", "g"},
		{"--", "g", "prepare", "begin", "-"},
		{"--guest", "qemu", "--", "g", "prepare", "begin", "-", "surplus"},
		{"--guest", "qemu", "--timeout", "0s", "--", "g", "prepare", "begin", "-"},
		{"--guest", "qemu", "--unavailable", "maybe", "--", "g", "prepare", "begin", "-"},
		{"--nonsense"},
	} {
		if status := Main(args, strings.NewReader(""), io.Discard, io.Discard); status != 2 {
			t.Errorf("%q: %d", args, status)
		}
	}
	if status := Main([]string{"--help"}, strings.NewReader(""), io.Discard, io.Discard); status != 0 {
		t.Errorf("--help: %d", status)
	}
}

func TestHealthz(t *testing.T) {
	agent := func(status int) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				t.Error(r.URL)
			}
			w.WriteHeader(status)
			fmt.Fprintln(w, "words")
		})
	}
	if err := Healthz(agent(http.StatusOK)); err != nil {
		t.Error(err)
	}
	if err := Healthz(agent(http.StatusServiceUnavailable)); err == nil || !strings.Contains(err.Error(), "503: words") {
		t.Error(err)
	}
	if err := Healthz(filepath.Join(t.TempDir(), "s")); err == nil {
		t.Error("no agent, no error")
	}
}
