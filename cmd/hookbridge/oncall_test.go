package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hookbridge/agent"
	"hookbridge/agent/book"
)

// awaits runs a command until it prints what matches: awaits PATTERN COMMAND […]
func awaits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: awaits PATTERN COMMAND [ARGUMENT…]")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q does not print %q", args[1:], args[0])
		}
	}
}

// What scripts and guests say cannot do things to a terminal, and nothing is wider than
// 80 columns, whatever the names.
func TestSheetIsHarmlessAndNarrow(t *testing.T) {
	long := strings.Repeat("a-very-long-name-", 8)
	now := time.Now()
	call := &book.CallResult{CallRef: book.CallRef{Network: long, Op: "plugged", Domain: long, MAC: "52:54:00:00:00:01"}, Result: "exit 3", Failed: true, Stderr: "\x1b[2J" + long + "\a\u009b31m", UndoText: long, Time: now}
	s := agent.Status{
		Version: "1", Now: now, Started: now.Add(-50 * time.Hour), HookDir: "/" + long,
		Connections: []agent.ConnectionStatus{{URI: "qemu:///system", LastError: long, Reconnects: 1}},
		Networks: []agent.NetworkStatus{{Name: long, LastCall: call, Interfaces: []agent.InterfaceStatus{
			{Guest: long, MAC: "52:54:00:00:00:01", Target: "vnet0", LastCall: call, Since: now}, {Guest: "g", MAC: "52:54:00:00:00:02", Refused: true},
		}}},
		Running:  []book.RunningCall{{CallRef: call.CallRef, Since: now.Add(-2 * time.Minute)}},
		Failures: []book.CallResult{*call},
	}
	p := &sheet{unicode: true}
	p.status(&s)
	for line := range strings.Lines(p.String()) {
		line = strings.TrimSuffix(line, "\n")
		if n := len([]rune(line)); n > sheetWidth {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("control characters in %q", line)
		}
	}
	for _, want := range []string{"  ! no connection to qemu:///system\n", "is down, and 2 interfaces are plugged", "was refused and is still there", "has been running for 2m 0s"} {
		if !strings.Contains(strings.ReplaceAll(p.String(), "\n    ", " "), want) {
			t.Errorf("no %q in\n%s", want, p)
		}
	}
}

// On a terminal there are colours, unless NO_COLOR is set.
func TestStatusOnATerminal(t *testing.T) {
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no script(1), which gives a command a terminal")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "hookbridge") // the name makes it the command
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	run := func(noColor string, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, script, "-qec", strings.Join(append([]string{program}, args...), " "), "/dev/null")
		cmd.Env = append(os.Environ(), "NO_COLOR="+noColor)
		var out bytes.Buffer
		cmd.Stdout = &out
		_ = cmd.Run() // no agent runs: exit status 3
		return out.String()
	}
	if out := run("", "status", "--state-dir", t.TempDir()); !strings.Contains(out, bad+"the agent cannot be reached") {
		t.Errorf("no colours in %q", out)
	}
	if out := run("1", "status", "--state-dir", t.TempDir()); strings.Contains(out, "\x1b") || !strings.Contains(out, "cannot be reached") {
		t.Errorf("colours with NO_COLOR in %q", out)
	}
}
