//go:build e2e

package e2e

import (
	"regexp"
	"strings"
	"testing"

	"hookbridge/internal/testhost"
)

// oncall is the person who was woken.
type oncall struct {
	*scene
	t *testing.T
}

// ask runs a hookbridge command on the host, shows it, and returns what it printed.
func (o *oncall) ask(status int, args ...string) string {
	o.t.Helper()
	cmd := o.Command(o.t.Context(), binary(o.t), args...)
	out, err := cmd.CombinedOutput()
	got := 0
	if err != nil {
		got = cmd.ProcessState.ExitCode()
	}
	o.t.Logf("# hookbridge %s\n%s", strings.Join(args, " "), out)
	if got != status {
		o.t.Errorf("hookbridge %s: exit status %d, want %d", strings.Join(args, " "), got, status)
	}
	return string(out)
}

func (o *oncall) reads(text string, patterns ...string) {
	o.t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(text) {
			o.t.Errorf("no %q in\n%s", p, text)
		}
	}
}

// A guest has no network: the script fails for one of two networks. The one on call
// finds out which with status, why with history, what is called with fire --dry-run,
// mends the script, makes the call again, and sees that all is well. Libvirt has nothing
// to do with any of it.
func TestOnCall(t *testing.T) {
	s := undoScene(t, nil, "--connect", "qemu:///system", "--on-failure", "log", "--metrics-listen", "127.0.0.1:9177")
	o := &oncall{s, t}
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.Isolated("back", 82))
	s.ours.WaitN(t, 4)
	o.reads(o.ask(0, "status"), `^  all is well$`, `^qemu:///system  connected since`, `^front  up since [0-9:]+, started: exit 0 in`)

	rule := s.ours.Set(t, "front", "plugged", refusal)
	s.StartGuest(t, testhost.Guest{Name: "web1", NICs: nics("front", "back")})
	s.ours.WaitN(t, 6)
	s.b.awaitLine(t, "no address left; not undone: on_failure is log")
	s.b.awaitLines(t, "op=plugged", 2)

	text := o.ask(0, "status")
	o.reads(text, `^  ! network front: plugged of web1 `+mac(1)+` failed: exit 3$`,
		"`- web1  "+mac(1)+"  vnet0  since [0-9:]+, plugged: exit 3$", `^            no address left$`)
	if strings.Contains(text, "! network back") {
		t.Error("the other network is blamed, too")
	}
	o.reads(o.ask(0, "history", "--network", "front", "--failed"),
		`front plugged web1 `+mac(1)+`: exit 3 in [0-9]+ms$`, `^          \| no address left$`)
	dry := o.ask(0, "fire", "front", "plugged", "--domain", "web1", "--dry-run")
	o.reads(dry, "^"+hookDir+"/network front plugged begin -$", `^HOOKBRIDGE_CAUSE=manual$`, `^    <mac address='`+mac(1)+`'/>$`, `^  <network connections='1'>$`)
	if n := len(s.ours.MustCalls(t)); n != 6 {
		t.Errorf("%d calls after the dry run, want 6", n)
	}

	rule.Remove(t)
	o.reads(o.ask(0, "fire", "front", "plugged", "--domain", "web1"), `^front plugged web1 `+mac(1)+`, by hand`, `exit 0 in`)
	calls := s.ours.WaitN(t, 7)
	if got, announced := string(calls[6].Stdin), documentOf(t, calls, "front", "plugged"); got != announced {
		t.Errorf("the call by hand has another document than the one that was announced:\n%s", got)
	}
	o.reads(o.ask(0, "status"), `^  all is well$`, `plugged: exit 0 in [0-9]+ms, by hand$`)
	o.reads(o.ask(0, "history", "--limit", "1"), `\(by hand\)$`)

	// Scrapers see the same.
	out, err := s.Command(t.Context(), "curl", "-sf", "http://127.0.0.1:9177/metrics").Output()
	if err != nil {
		t.Fatalf("metrics: %v", err)
	}
	o.reads(string(out), `^hookbridge_calls_total{op="plugged",result="failed"} 1$`, `^hookbridge_calls_total{op="plugged",result="ok"} 2$`,
		`^hookbridge_interfaces_plugged{connection="qemu:///system",network="front"} 1$`)

	// Nothing that is announced has changed: the guest's end is told as ever.
	s.Virsh(t, "destroy", "web1")
	s.ours.WaitN(t, 9)
	s.b.stop(t)
	o.reads(o.ask(3, "status"), `^the agent cannot be reached: no agent runs$`, `^  state     2 networks and 0 guests are announced`)
}

// documentOf returns the stdin of the first call of an operation for a network.
func documentOf(t *testing.T, calls []testhost.Call, network, op string) string {
	t.Helper()
	for _, c := range calls {
		if c.Object() == network && c.Op() == op {
			return string(c.Stdin)
		}
	}
	t.Fatalf("no %s for %s", op, network)
	return ""
}
