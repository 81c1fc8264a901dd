package testhost

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The recorder is a script for any host, so its tests need no libvirt.

// newRecorder returns a log and the path of a recorder that writes to it, in a
// directory whose name a careless script would trip over.
func newRecorder(t *testing.T, name string) (*Log, string) {
	t.Helper()
	l := NewLog(t, "it's a log")
	dir := filepath.Join(t.TempDir(), "hook dir")
	l.Install(t, dir, name)
	return l, filepath.Join(dir, name)
}

func call(script, stdin string, args ...string) *exec.Cmd {
	c := exec.Command(script, args...)
	c.Dir = "/"
	c.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "ODD=a\nb c"}
	c.Stdin = strings.NewReader(stdin)
	return c
}

func TestRecorderKeepsEveryByte(t *testing.T) {
	l, script := newRecorder(t, "network")
	stdin := "<hookData>\n\x00\xff\\n%s\r\n</hookData>"
	args := []string{"odd 'name'\n\\n%s", "plugged", "begin", "-"}
	if out, err := call(script, stdin, args...).CombinedOutput(); err != nil || len(out) != 0 {
		t.Fatalf("recorder: %v, output %q", err, out)
	}
	calls := l.MustCalls(t)
	if len(calls) != 1 {
		t.Fatalf("%d calls, want 1", len(calls))
	}
	c := calls[0]
	if diff := cmp.Diff(append([]string{script}, args...), c.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"LC_ALL=C", "PATH=/usr/bin:/bin", "ODD=a\nb c"}, c.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if c.Cwd != "/" || string(c.Stdin) != stdin || c.Time.IsZero() {
		t.Errorf("cwd %q, stdin %q, time %v", c.Cwd, c.Stdin, c.Time)
	}
	if c.Hook() != "network" || c.Op() != "plugged" || c.SubOp() != "begin" {
		t.Errorf("call is %s", c)
	}
}

func TestRecorderEchoesWhatLibvirtReadsBack(t *testing.T) {
	l, script := newRecorder(t, "qemu")
	for _, op := range []string{"migrate", "restore"} {
		out, err := call(script, "<domain/>\n", "guest", op, "begin", "-").Output()
		if err != nil || string(out) != "<domain/>\n" {
			t.Errorf("%s: %v, stdout %q", op, err, out)
		}
	}
	for _, c := range l.WaitN(t, 2) {
		if string(c.Stdin) != "<domain/>\n" {
			t.Errorf("%s: recorded stdin %q", c, c.Stdin)
		}
	}
}

func TestMostExactRuleWins(t *testing.T) {
	l, script := newRecorder(t, "network")
	l.Set(t, "", "", Rule{Exit: 1})
	l.Set(t, "", "start", Rule{Exit: 2})
	l.Set(t, "net '1'", "", Rule{Exit: 3})
	exact := l.Set(t, "net '1'", "start", Rule{Exit: 4, Stdout: "o%s'", Stderr: "e\\n\n"})
	for _, tt := range []struct {
		network, op string
		want        int
	}{
		{"net '1'", "start", 4},
		{"net '1'", "stopped", 3},
		{"net2", "start", 2},
		{"net2", "stopped", 1},
	} {
		c := call(script, "", tt.network, tt.op, "begin", "-")
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != tt.want {
			t.Errorf("%s %s: %v, want exit status %d", tt.network, tt.op, err, tt.want)
		}
		if tt.want == 4 && (string(out) != "o%s'" || stderr.String() != "e\\n\n") {
			t.Errorf("stdout %q, stderr %q", out, stderr.String())
		}
	}
	exact.Remove(t)
	err := call(script, "", "net '1'", "start", "begin", "-").Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("after removing the rule: %v, want exit status 3", err)
	}
}

func TestRuleHoldsUntilReleased(t *testing.T) {
	l, script := newRecorder(t, "network")
	rule := l.Set(t, "n", "start", Rule{Hold: true, Exit: 7})
	ends := make(chan error, 2)
	for range 2 {
		go func() { ends <- call(script, "x", "n", "start", "begin", "-").Run() }()
	}
	l.WaitN(t, 2)
	select {
	case err := <-ends:
		t.Fatalf("the script did not wait: %v", err)
	default:
	}
	rule.Release(t)
	for range 2 {
		var exit *exec.ExitError
		if err := <-ends; !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("held script: %v, want exit status 7", err)
		}
	}
	// Released, the rule holds nobody any more.
	if err := call(script, "x", "n", "start", "begin", "-").Run(); err == nil {
		t.Error("the rest of the rule is gone with its release")
	}
}

func TestRuleKillsItself(t *testing.T) {
	l, script := newRecorder(t, "network")
	l.Set(t, "", "", Rule{Signal: 9})
	c := call(script, "", "n", "start", "begin", "-")
	err := c.Run()
	if err == nil || c.ProcessState.String() != "signal: killed" {
		t.Errorf("%v, want death by signal 9", err)
	}
}

func TestClearForgets(t *testing.T) {
	l, script := newRecorder(t, "network")
	if err := call(script, "", "n", "start", "begin", "-").Run(); err != nil {
		t.Fatal(err)
	}
	l.Clear(t)
	if calls := l.MustCalls(t); len(calls) != 0 {
		t.Errorf("%d calls left", len(calls))
	}
}

func TestBrokenRecordIsAnError(t *testing.T) {
	for _, record := range []string{"", "1\n/\n", "x\n/\n0\n\x00", "1\n/\nx\n\x00", "1\n/\n2\na\x00", "1\n/\n1\na\x00B=1\x00"} {
		if c, err := parseCall([]byte(record)); err == nil {
			t.Errorf("record %q was read as %+v", record, c)
		}
	}
	l := NewLog(t, "log")
	if err := os.WriteFile(filepath.Join(l.callDir(), "broken"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Calls(); err == nil {
		t.Error("a broken record was passed over in silence")
	}
}
