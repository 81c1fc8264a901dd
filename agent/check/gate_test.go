package check

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"hookbridge/internal/gate"
	"hookbridge/internal/gate/ask"
)

// gated is a host with a gate of which the agent does not run.
func gated(t *testing.T, policy ask.Policy) Options {
	t.Helper()
	dir := ownMemory(t, "mode=755")
	o := Options{HookDir: filepath.Join(dir, "hooks"), Socket: filepath.Join(dir, "hookbridge.sock")}
	write(t, filepath.Join(dir, "hookbridge"), "#!/bin/sh\n", 0o755)
	_, err := gate.Install(o.HookDir, []string{"qemu"}, gate.Options{Binary: filepath.Join(dir, "hookbridge"), Socket: o.Socket, Unavailable: policy})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// answer lets an agent answer on a socket until the test ends.
func answer(t *testing.T, socket string) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
}

func TestGateWithoutAgent(t *testing.T) {
	for policy, level := range map[ask.Policy]Level{ask.Allow: Warning, ask.Deny: Problem} {
		t.Run(string(policy), func(t *testing.T) {
			o := gated(t, policy)
			mustFind(t, Gate, level, checkGate(o))
			answer(t, o.Socket)
			mustNotFind(t, Gate, level, checkGate(o))
		})
	}
}

func TestGateFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		make  func(t *testing.T, o Options)
		level Level
		says  string
	}{
		{"not executable", func(t *testing.T, o Options) { chmod(t, filepath.Join(o.HookDir, "qemu"), 0o644) }, Problem, "not executable"},
		{"no program", func(t *testing.T, o Options) { run(t, "rm "+filepath.Join(filepath.Dir(o.HookDir), "hookbridge")) }, Warning, "cannot run"},
		{"changed", func(t *testing.T, o Options) { run(t, "echo : >> "+filepath.Join(o.HookDir, "qemu")) }, Warning, "somebody has changed it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := gated(t, ask.Allow)
			answer(t, o.Socket)
			mustNotFind(t, Gate, tt.level, checkGate(o))
			tt.make(t, o)
			f := mustFind(t, Gate, tt.level, checkGate(o))
			if tt.name == "not executable" {
				run(t, f.Remedy)
			} else {
				run(t, "rm -f "+filepath.Join(o.HookDir, "qemu"))
				write(t, filepath.Join(filepath.Dir(o.HookDir), "hookbridge"), "#!/bin/sh\n", 0o755)
				if _, err := gate.Install(o.HookDir, []string{"qemu"}, gate.Options{Binary: filepath.Join(filepath.Dir(o.HookDir), "hookbridge"), Socket: o.Socket}); err != nil {
					t.Fatal(err)
				}
			}
			mustNotFind(t, Gate, tt.level, checkGate(o))
		})
	}
}

// The shim was deleted, and the administrator's script with it as it seems.
func TestGateGoneWithAScriptKept(t *testing.T) {
	dir := ownMemory(t, "mode=755")
	o := Options{HookDir: filepath.Join(dir, "hooks")}
	script := filepath.Join(o.HookDir, "qemu")
	write(t, script, "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "hookbridge"), "#!/bin/sh\n", 0o755)
	if _, err := gate.Install(o.HookDir, []string{"qemu"}, gate.Options{Binary: filepath.Join(dir, "hookbridge")}); err != nil {
		t.Fatal(err)
	}
	run(t, "rm "+script)
	mustFind(t, Gate, Problem, checkGate(o))
	if _, err := gate.Remove(o.HookDir, []string{"qemu"}); err != nil { // what the remedy runs
		t.Fatal(err)
	}
	mustNotFind(t, Gate, Problem, checkGate(o))
	if !isFile(script) {
		t.Error("the script is not back")
	}
}

func TestGateOnAnotherSocket(t *testing.T) {
	o := gated(t, ask.Allow)
	answer(t, o.Socket)
	there := o.Socket
	o.Socket += ".other"
	mustFind(t, Gate, Warning, checkGate(o))
	o.Socket = there
	mustNotFind(t, Gate, Warning, checkGate(o))
}

// An agent that holds the state and does not answer hangs.
func TestAgent(t *testing.T) {
	socket := filepath.Join(trustedDir(t), "s")
	look := func(held int) []Finding { return checkAgent(socket, ask.Healthz(socket), held, false) }
	mustFind(t, Agent, Warning, look(0))
	mustFind(t, Agent, Problem, look(os.Getpid()))
	answer(t, socket)
	mustFind(t, Agent, OK, look(os.Getpid()))
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
