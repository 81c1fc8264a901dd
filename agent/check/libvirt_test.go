package check

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hookbridge/agent"
	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// What old and half-broken libvirts answer. Those that can be had for real are
// tested end to end.
func TestAnswersOfLibvirt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer agent.Answer
		err    error
		says   string
	}{
		{name: "hangs", err: context.DeadlineExceeded, says: "did not answer in 5 s"},
		{name: "before 0.5.0", answer: agent.Answer{Stage: agent.StageLibrary, Failed: "undefined symbol: virEventRegisterImpl", Code: 1}, says: "cannot be used"},
		{name: "before 0.8.0", answer: agent.Answer{Stage: agent.StageEvents, Failed: "no domain lifecycle events", Code: 3}, says: "older than 0.8.0"},
		{name: "no network driver", answer: agent.Answer{Stage: agent.StageNetworks, Failed: "Failed to connect socket to '/run/libvirt/virtnetworkd-sock'", Code: 38}, says: "the networks cannot be listed"},
		{name: "no driver", answer: agent.Answer{Stage: agent.StageConnect, Failed: "no connection driver available for xen:///", Code: 5}, says: "has no driver for it"},
		{name: "other program", answer: agent.Answer{Stage: agent.StageConnect, Failed: "Cannot find program 536903814 version 1", Code: 39}, says: "speaks another protocol"},
		{name: "not libvirt", answer: agent.Answer{Stage: agent.StageConnect, Failed: "packet 1213486156 bytes received from server too large, want 33554432", Code: 39}, says: "speaks another protocol"},
		{name: "SASL", answer: agent.Answer{Stage: agent.StageConnect, Failed: "authentication failed", Code: 45}, says: "refuses the connection"},
		{name: "polkit", answer: agent.Answer{Stage: agent.StageConnect, Failed: "no agent is available to authenticate", Code: 80}, says: "refuses the connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := libvirtHost{patience: 5 * time.Second, daemonErr: libvirtd.ErrNone, asked: []asked{{"qemu:///system", tt.answer, tt.err}}}
			f := mustFind(t, Libvirtd, Problem, h.checkAnswers())
			if !strings.Contains(f.Text, tt.says) || f.Subject == "" {
				t.Errorf("%q does not say %q", f.Text, tt.says)
			}
			h.asked[0] = asked{uri: "qemu:///system", answer: agent.Answer{Version: 1001001}}
			mustNotFind(t, Libvirtd, Problem, h.checkAnswers())
		})
	}
}

// A host need not have both qemu and lxc, unless somebody says so.
func TestConnectionsThatNobodyNamed(t *testing.T) {
	lacks := agent.Answer{Stage: agent.StageConnect, Failed: "no connection driver available for lxc:///", Code: errNoConnect}
	h := libvirtHost{daemonErr: libvirtd.ErrNone, optional: true, asked: []asked{{uri: "qemu:///system", answer: agent.Answer{Version: 1001001}}, {uri: "lxc:///", answer: lacks}}}
	mustNotFind(t, Libvirtd, Problem, h.checkAnswers())
	h.asked[0].answer = lacks
	if all := h.checkAnswers(); len(all) != 1 || all[0].Level != Problem {
		t.Errorf("%+v", all)
	}
	h.optional = false
	mustFind(t, Libvirtd, Problem, h.checkAnswers())
}

func TestVerdicts(t *testing.T) {
	source := "the running libvirtd (pid 1)"
	for _, tt := range []struct {
		name    string
		marks   translate.Marks
		version uint32
		level   Level
		says    []string
	}{
		{"1.1.1", translate.Marks{Source: source}, 1001001, OK, []string{"has no network hook", "hookbridge makes start, started, stopped, plugged, unplugged"}},
		{"RHEL 6.6", translate.Marks{Source: source, HookData: true, Unplugged: true}, 10002, OK, []string{"though libvirt 0.10.2 has none: a vendor's backport", "hookbridge stands by"}},
		{"1.2.2", translate.Marks{Source: source, HookData: true, Unplugged: true}, 1002002, OK, []string{"libvirtd makes start, started, stopped, plugged, unplugged", "stands by"}},
		{"9.0", translate.Marks{Source: source, HookData: true, PortCreated: true}, 9000000, OK, []string{"port-created", "hookbridge makes plugged, unplugged"}},
		{"upgraded", translate.Marks{Source: source + ", upgraded on disk but not restarted,"}, 1001001, Warning, []string{"not restarted"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := libvirtHost{daemon: libvirtd.Daemon{PID: 1, Program: "libvirtd", Marks: tt.marks},
				asked: []asked{{uri: "qemu:///system", answer: agent.Answer{Version: tt.version}}}}
			f := mustFind(t, NativeHooks, tt.level, h.checkVerdict())
			for _, text := range tt.says {
				if !strings.Contains(f.Text, text) {
					t.Errorf("%q does not say %q", f.Text, text)
				}
			}
			if strings.Contains(f.Text, "backport") != (tt.name == "RHEL 6.6") {
				t.Errorf("backport or not? %q", f.Text)
			}
		})
	}
}

func TestNamesBoth(t *testing.T) {
	for text, both := range map[string]bool{
		"case $2 in plugged|port-created) :;; esac":     true,
		"#!/bin/sh\n# plugged was once port-created\n:": false,
		"[ $2 = plugged ]\n[ $2 = unplugged ]":          false,
		"[ $2 = unplugged ]\n[ $2 = port-created ]":     false,
		"if op in ('plugged', 'port-created'):":         true,
		"plugged_in=1\nport-created":                    false,
	} {
		path := filepath.Join(t.TempDir(), "network")
		write(t, path, text, 0o755)
		if got := namesBoth(path); got != both {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestSymbols(t *testing.T) {
	lacks := func(names ...string) func(string) bool {
		return func(name string) bool { return !slices.Contains(names, name) }
	}
	mustFind(t, Symbols, OK, checkSymbols(exported))
	f := mustFind(t, Symbols, OK, checkSymbols(lacks("virConnectNetworkEventRegisterAny")))
	if want := "no virConnectNetworkEventRegisterAny (libvirt 1.2.1): instead libvirtd's status files"; !strings.Contains(f.Text, want) {
		t.Errorf("%q does not say %q", f.Text, want)
	}
	mustFind(t, Symbols, Problem, checkSymbols(lacks("virConnectDomainEventRegisterAny")))
	if exported("virNoSuchFunction") {
		t.Error("a function that does not exist is told to")
	}
}

func TestOnlyTheTestDriver(t *testing.T) {
	o := Options{
		Connect: []string{"test:///default"}, HookDir: filepath.Join(trustedDir(t), "hooks"), StateDir: filepath.Join(trustedDir(t), "state"),
		Ask: func(_ context.Context, uri string) (agent.Answer, error) { return agent.Ask(uri), nil },
	}
	r := Run(t.Context(), o)
	if !r.OK {
		t.Errorf("%+v", r)
	}
	f := mustFind(t, Libvirtd, OK, r.Findings)
	if !strings.Contains(f.Text, "test:///default answers") {
		t.Errorf("%+v", f)
	}
}
