package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"hookbridge/agent"
)

// AskArgs are the arguments, but for the URI that follows them, of a process of
// this program that asks libvirt: it must call [Answer]. They are no part of the
// command line for people.
var AskArgs = []string{"check", "--ask-libvirt"}

// Answer asks libvirt and writes down what it says for the process that started
// this one.
func Answer(w io.Writer, uri string) error {
	return json.NewEncoder(w).Encode(agent.Ask(uri))
}

// askInChild asks in a process of its own: a call of libvirt's that waits for a
// libvirtd that hangs cannot be called off, a process can be killed. ssh, which
// remote connections start, goes with it, and has no terminal to ask for a
// password.
func askInChild(ctx context.Context, uri string) (agent.Answer, error) {
	child := exec.CommandContext(ctx, "/proc/self/exe", append(slices.Clone(AskArgs), uri)...)
	child.Args[0] = os.Args[0]
	// A user's own libvirtd would be started by the library if it does not run.
	child.Env = append(os.Environ(), "LIBVIRT_AUTOSTART=0")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	child.Cancel = func() error { return syscall.Kill(-child.Process.Pid, syscall.SIGKILL) }
	child.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	child.Stdout, child.Stderr = &stdout, &stderr
	err := child.Run()
	if ctx.Err() != nil {
		return agent.Answer{}, ctx.Err()
	}
	var answer agent.Answer
	if jsonErr := json.Unmarshal(stdout.Bytes(), &answer); jsonErr != nil {
		if err == nil {
			err = jsonErr
		}
		return answer, fmt.Errorf("libvirt could not be asked: %w: %s", err, firstLine(stderr.String()))
	}
	return answer, nil
}
