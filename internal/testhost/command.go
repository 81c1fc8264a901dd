package testhost

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"sync"
)

// insidePath is the PATH of what runs inside.
const insidePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// insideEnv is the environment of what runs inside.
func insideEnv() []string {
	return []string{"PATH=" + insidePath, "HOME=/root", "USER=root", "LOGNAME=root"}
}

// errHostGone is the answer to commands for a host that was stopped.
var errHostGone = errors.New("the private host is stopped")

// Cmd is a command that runs inside a host. It is a child of the test process
// itself: Process.Pid, signals and the exit status are those of the program,
// which has another pid inside. Dir is a path inside.
type Cmd struct {
	*exec.Cmd
	host *Host

	once    sync.Once // guards the one real wait
	waitErr error
}

// Command prepares a command to run inside the host, in the directory / and
// with PATH, HOME, USER and LOGNAME as its environment. The end of ctx kills
// it, and so does the end of the host.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	if p, err := lookPath(name); err == nil {
		name = p
	}
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = "/"
	c.Env = insideEnv()
	return &Cmd{Cmd: c, host: h}
}

// Start starts the command inside and does not wait for its end.
func (c *Cmd) Start() error {
	h := c.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return errHostGone
	}
	if err := h.Inside(c.Cmd.Start); err != nil {
		return err
	}
	h.started = append(h.started, c)
	return nil
}

// Wait waits for the end of the command that Start started. Unlike that of
// [exec.Cmd], it may be called more than once, and from several goroutines.
func (c *Cmd) Wait() error {
	if c.Process == nil {
		return errors.New("the command was not started")
	}
	c.once.Do(func() { c.waitErr = c.Cmd.Wait() })
	return c.waitErr
}

// Run starts the command and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns its standard output.
func (c *Cmd) Output() ([]byte, error) {
	var b bytes.Buffer
	c.Stdout = &b
	err := c.Run()
	return b.Bytes(), err
}

// CombinedOutput runs the command and returns its standard output and standard
// error together.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var b bytes.Buffer
	c.Stdout, c.Stderr = &b, &b
	err := c.Run()
	return b.Bytes(), err
}
