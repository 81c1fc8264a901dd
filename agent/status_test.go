package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hookbridge/translate"
)

// status returns the status of a running agent.
func (r *rig) status() Status {
	r.t.Helper()
	s, err := r.agent.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func stateDir(t *testing.T) string { return filepath.Join(t.TempDir(), "state") }

func TestStatus(t *testing.T) {
	cfg := Config{
		Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\n[ \"$2\" = plugged ] || exit 0\necho 'no address left' >&2\nexit 3\n"),
		StateDir: stateDir(t), HistoryDir: filepath.Join(t.TempDir(), "history"), OnFailure: OnFailureLog,
	}
	r := startAgent(t, cfg)
	r.expect(adopted...)
	r.awaitReady()
	s := r.status()

	c := s.Connections[0]
	if !c.Connected || c.Since.IsZero() || c.LibvirtDaemon == "" || !c.FollowsNetworks || c.Reconnects != 0 || c.LastError != "" {
		t.Errorf("connection: %+v", c)
	}
	var ops []string
	for _, o := range c.Ops {
		ops = append(ops, fmt.Sprintf("%s %s", o.Op, o.State))
	}
	if diff := cmp.Diff([]string{
		"start replayed", "started replayed", "stopped replayed", "plugged replayed", "unplugged replayed",
		"updated off", "port-created off", "port-deleted off",
	}, ops); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	sources := map[string]Source{}
	for _, source := range c.Sources {
		sources[source.Change] = source.Source
	}
	if diff := cmp.Diff(map[string]Source{
		"guests": SourceEvent, "networks": SourceEvent, "interfaces-added": SourceEvent, "interfaces-removed": SourceEvent,
		"interfaces-moved": SourceOff, "connection-lost": SourceEvent,
	}, sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}

	if len(s.Networks) != 1 || len(s.Networks[0].Interfaces) != 1 {
		t.Fatalf("networks: %+v", s.Networks)
	}
	n := s.Networks[0]
	if n.Name != "default" || !n.Up || n.Since.IsZero() || n.LastCall == nil || n.LastCall.Op != translate.OpStarted || n.LastCall.Result != "exit 0" || n.LastCall.Failed {
		t.Errorf("network: %+v, %+v", n, n.LastCall)
	}
	i := n.Interfaces[0]
	if i.Guest != "test" || i.MAC != "aa:bb:cc:dd:ee:ff" || i.Target == "" || i.Since.IsZero() || i.LastCall == nil ||
		!i.LastCall.Failed || i.LastCall.Result != "exit 3" || i.LastCall.Stderr != "no address left" {
		t.Errorf("interface: %+v, %+v", i, i.LastCall)
	}
	if len(s.Failures) != 1 || s.Failures[0].Undo != translate.UndoNotDone || !strings.Contains(s.Failures[0].UndoText, "on_failure is log") {
		t.Errorf("failures: %+v", s.Failures)
	}
	if s.Calls.Made != 3 || s.Undo.NotDone != 1 || s.Reconciles.Made[ComparedAtConnect] != 1 || s.Reconciles.Found[translate.OpPlugged] != 1 || len(s.Running) != 0 {
		t.Errorf("counters: %+v", s)
	}

	// An agent that is started again knows what the history tells.
	r.stop()
	if _, err := r.agent.Status(t.Context()); !errors.Is(err, errEnded) {
		t.Errorf("after the end: %v", err)
	}
	again := startAgent(t, cfg)
	again.awaitReady()
	n2 := again.status().Networks[0]
	i2 := n2.Interfaces[0]
	if n2.LastCall == nil || n2.LastCall.Run != n.LastCall.Run || n2.Since.IsZero() || i2.LastCall == nil || i2.LastCall.Run != i.LastCall.Run || !i2.LastCall.Failed || i2.Since.IsZero() {
		t.Errorf("after a restart: %+v, %+v", n2, i2)
	}
}

// Lists are lists, whatever there is.
func TestStatusOfAnAgentWithoutLibvirt(t *testing.T) {
	r := startAgent(t, Config{Connect: []string{"qemu+unix:///system?socket=" + filepath.Join(t.TempDir(), "none")}, HookDir: t.TempDir()})
	r.log.await(t, "trying again")
	s := r.status()
	if c := s.Connections[0]; c.Connected || c.LastError == "" || c.LastErrorTime.IsZero() || c.Ops[0].State != OpUnknown {
		t.Errorf("connection: %+v", c)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("null in %s", text)
	}
}

func TestStatusWaitsForAnAgentThatStarts(t *testing.T) {
	a, err := New(Config{Connect: []string{testURI}, HookDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Healthy(); !errors.Is(err, errNotYet) {
		t.Errorf("healthy: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("status: %v", err)
	}
}

// The status answers while a script hangs, and names it.
func TestStatusWhileAScriptRuns(t *testing.T) {
	first := newPause(t)
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: first.hookDir})
	r.awaitReady()
	first.await()
	s := r.status()
	if len(s.Running) != 1 || s.Running[0].Op != translate.OpStart || s.Running[0].Network != "default" || s.Queues.CallsPlanned != 3 || s.Networks[0].Planned != 3 {
		t.Errorf("running %+v, queues %+v", s.Running, s.Queues)
	}
	first.end()
	r.expect(adopted...)
}
