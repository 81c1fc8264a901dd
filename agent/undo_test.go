package agent

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hookbridge/exec"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

// refuses is a script that says no to an operation on network n, where the
// interface's document or, without one, the network's holds a text.
func refuses(op, text string) string {
	return `#!/bin/sh
about=$(sed -n '2,/^  <\/[a-z]*>/p')
case "$1 $2 $about" in "n ` + op + ` "*'` + text + `'*) echo 'no address left' >&2; exit 3;; esac
`
}

func TestRefusedNetworkIsTakenDown(t *testing.T) {
	for op, calls := range map[string][]string{
		"start":   {"n start begin -"},
		"started": {"n start begin -", "n started begin -", "n stopped end -"},
	} {
		t.Run(op, func(t *testing.T) {
			conn := connect(t)
			r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, refuses(op, "<name>"))})
			r.expect(adopted...)
			r.awaitReady()
			network, err := conn.NetworkCreateXML(netXML)
			if err != nil {
				t.Fatal(err)
			}
			_ = network.Free()
			r.expect(calls...)
			r.log.await(t, "exit status 3: no address left; undone: the network was destroyed")
			if n, err := conn.LookupNetworkByName("n"); err == nil {
				_ = n.Free()
				t.Error("the network is still there")
			}
			r.stop()
			if len(r.finished) > 0 {
				t.Errorf("more calls: %q", r.calls(len(r.finished)))
			}
		})
	}
}

func TestRefusedGuestIsDestroyed(t *testing.T) {
	conn := connect(t)
	dir := t.TempDir()
	const refused = "52:54:00:00:00:02"
	r := startAgent(t, Config{Connect: []string{testURI}, HistoryDir: dir, HookDir: hookDir(t, refuses("plugged", refused))})
	r.expect(adopted...)
	r.awaitReady()
	network, err := conn.NetworkCreateXML(netXML)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = network.Destroy()
		_ = network.Free()
	}()
	r.expect("n start begin -", "n started begin -")
	domain, err := conn.DomainCreateXML(domainXML("52:54:00:00:00:01", refused, "52:54:00:00:00:03"), 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = domain.Free()
	r.expect("n plugged begin - g 52:54:00:00:00:01", "n plugged begin - g "+refused, "n unplugged begin - g 52:54:00:00:00:01")
	if d, err := conn.LookupDomainByName("g"); err == nil {
		_ = d.Free()
		t.Error("the guest is still there")
	}
	r.stop()
	if len(r.finished) > 0 {
		t.Errorf("more calls: %q", r.calls(len(r.finished)))
	}

	var told []history.Entry
	for e, err := range history.Read(dir, history.Filter{Domain: "g"}) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e)
	}
	if len(told) != 3 {
		t.Fatalf("%d entries in the history", len(told))
	}
	e := told[1]
	if e.MAC != refused || !e.Failed || *e.Exit != 3 || e.Result != "exit 3" || e.Undo != "done" || !strings.Contains(e.UndoText, "the guest was destroyed") ||
		e.Output != "no address left\n" || e.Duration <= 0 || e.Latency <= 0 || e.Cause != "event" || !strings.HasSuffix(e.Script, "/network") {
		t.Errorf("history: %+v", e)
	}
}

func TestConsider(t *testing.T) {
	verdict := &exec.ScriptError{Path: "/x", ExitCode: 1}
	call := translate.Call{Op: translate.OpStart, Conn: "qemu:///system", Undo: translate.Undo{Kind: translate.UndoNetwork}}
	for name, c := range map[string]struct {
		task    task
		verdict *exec.ScriptError
		policy  OnFailure
		undo    bool
		not     string
	}{
		"refused":            {task{call: call}, verdict, OnFailureUndo, true, ""},
		"no verdict":         {task{call: call}, nil, OnFailureUndo, false, ""},
		"log":                {task{call: call}, verdict, OnFailureLog, false, "not undone: on_failure is log"},
		"repeated":           {task{call: call, retry: true}, verdict, OnFailureUndo, false, "not undone: the agent was restarted before the call had ended"},
		"unplugged, stopped": {task{call: translate.Call{Op: translate.OpStopped}}, verdict, OnFailureUndo, false, ""},
		"told by translate": {
			task{call: translate.Call{Op: translate.OpStart, Undo: translate.Undo{Not: "because"}}}, verdict, OnFailureUndo, false, "not undone: because",
		},
		"remote": {
			task{call: translate.Call{Op: translate.OpStart, Conn: "qemu+ssh://other/system", Undo: call.Undo}}, verdict, OnFailureUndo, false,
			"not undone: the connection is one to another host",
		},
	} {
		var set atomic.Pointer[settings]
		set.Store(&settings{onFailure: c.policy})
		u := &undoer{settings: &set}
		undo, not := u.consider(c.task, c.verdict)
		if undo != c.undo || not.Text != c.not {
			t.Errorf("%s: %v, %q", name, undo, not.Text)
		}
		want := 0
		if c.not != "" {
			want = 1
		}
		if got := u.counts.snapshot().Not; got != want {
			t.Errorf("%s: counted %d, want %d", name, got, want)
		}
	}
}

func TestUndoable(t *testing.T) {
	for uri, want := range map[string]bool{
		"qemu:///system": true, "lxc:///system": true, "qemu+unix:///system": true, testURI: true, "test:///" + filepath.Join("tmp", "x.xml"): true,
		"qemu+ssh://other/system": false, "test+ssh://other/default": false, "esx://other/": false,
	} {
		if undoable(uri) != want {
			t.Errorf("%s: %v", uri, !want)
		}
	}
}

// TestSplit: which of the calls behind a refused one are not made.
func TestSplit(t *testing.T) {
	call := func(op translate.Op, network, mac string) task {
		return task{call: translate.Call{Op: op, Network: network, NIC: &translate.NICRef{MAC: mac}}}
	}
	ops := func(tasks []task) (all []string) {
		for _, t := range tasks {
			all = append(all, string(t.call.Op)+" "+t.call.Network+" "+t.call.NIC.MAC)
		}
		return all
	}
	rest := []task{call("unplugged", "a", "1"), call("unplugged", "a", "2"), call("plugged", "b", "3")}
	for kind, want := range map[translate.UndoKind][]string{
		translate.UndoDomain: {"unplugged a 1", "unplugged a 2", "plugged b 3"},
		translate.UndoPlug:   nil,
		translate.UndoUpdate: {"unplugged a 1"},
	} {
		_, cut := split(translate.Call{Undo: translate.Undo{Kind: kind, Interface: translate.Interface{Network: "a", MAC: "1"}}}, rest)
		if d := cmp.Diff(want, ops(cut)); d != "" {
			t.Errorf("%s: %s", kind, d)
		}
	}
}

func TestNewRefusesAnUnknownConsequence(t *testing.T) {
	if _, err := New(Config{OnFailure: "panic"}); err == nil {
		t.Error("accepted")
	}
}
