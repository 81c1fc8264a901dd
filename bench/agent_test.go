//go:build bench

package bench

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hookbridge/internal/history"
	"hookbridge/internal/testhost"
)

const classic = "start,started,stopped,plugged,unplugged"

// process is a running hookbridge.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	stateDir string
	began    time.Time
	watching chan time.Time // when a connection is watched
	ready    time.Time      // when all were
	ended    chan struct{}  // closed when it has closed its stderr
	stopped  bool
}

// runAgent starts hookbridge with a state directory of its own and waits until it
// watches its connection. Its log is read, as the journal would, and
// dropped but for errors.
func runAgent(t *testing.T, args ...string) *process {
	t.Helper()
	return runAgentIn(t, nil, 1, args...)
}

// runAgentIn is runAgent inside a host, if that is not nil, with that many connections.
func runAgentIn(t *testing.T, h *testhost.Host, connections int, args ...string) *process {
	t.Helper()
	binary := os.Getenv("HOOKBRIDGE_BINARY")
	if binary == "" {
		t.Fatal("HOOKBRIDGE_BINARY must name the binary to measure: use make bench")
	}
	p := &process{t: t, stateDir: memoryDir(t), watching: make(chan time.Time, connections), ended: make(chan struct{})}
	args = slices.Concat([]string{"run", "--log-format", "text", "--ops", classic}, args)
	start := func(cmd *exec.Cmd, begin func() error) {
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.cmd, p.began = cmd, time.Now()
		if err := begin(); err != nil {
			t.Fatal(err)
		}
		go p.read(stderr)
	}
	if h == nil {
		cmd := exec.Command(binary, append(args, "--state-dir", p.stateDir)...)
		start(cmd, cmd.Start)
	} else {
		// /run is a tmpfs inside; the state is read from outside.
		inside := "/run/hookbridge-bench/" + filepath.Base(p.stateDir)
		p.stateDir = h.Path(inside)
		cmd := h.Command(context.Background(), binary, append(args, "--state-dir", inside)...)
		start(cmd.Cmd, cmd.Start)
	}
	t.Cleanup(p.stop)
	profile(t, p.cmd.Process.Pid)
	for range connections {
		select {
		case p.ready = <-p.watching:
		case <-p.ended:
			t.Fatal("hookbridge ended at its start")
		case <-time.After(4 * time.Minute):
			t.Fatal("hookbridge does not watch")
		}
	}
	return p
}

func (p *process) read(stderr io.Reader) {
	defer close(p.ended)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.Contains(line, "msg=watching"):
			p.watching <- time.Now()
		case strings.Contains(line, "level=error") || strings.Contains(line, "level=warning"):
			p.t.Log(line)
		}
	}
}

// stop ends it as systemd would. It may be called twice.
func (p *process) stop() {
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
	_ = p.cmd.Wait()
}

// arrivals returns, by the id of the run, when the event that led to the call came
// in. Only an agent that was stopped has written all of them.
func (p *process) arrivals() map[string]time.Time {
	p.t.Helper()
	all := map[string]time.Time{}
	for e, err := range history.Read(filepath.Join(p.stateDir, "history"), history.Filter{}) {
		if err != nil {
			p.t.Fatal(err)
		}
		all[e.Run] = e.Time.Add(-time.Duration(e.Latency))
	}
	return all
}

// memoryDir makes a directory on a tmpfs, which goes with the test.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "hookbridge-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
