//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/testhost"
)

// kill ends hookbridge as kill -9 does.
func (b *bridge) kill(t testing.TB) {
	t.Helper()
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-b.ended
	_ = b.cmd.Wait()
	b.killed = true
}

// kill settles and then ends hookbridge as kill -9 does: no call is under way.
func (s *scene) kill() {
	s.t.Helper()
	s.settle()
	s.b.awaitLines(s.t, `msg="done with"`, len(s.ours.MustCalls(s.t))-s.before)
	s.b.kill(s.t)
}

// again starts hookbridge once more, with what it kept.
func (s *scene) again() {
	s.t.Helper()
	s.before = len(s.ours.MustCalls(s.t))
	s.b = startBridge(s.t, s.Host, "--ops", everything)
}

// summary returns the calls in short, with RETRY where it was said.
func summary(t *testing.T, calls []testhost.Call) []string {
	t.Helper()
	all := []string{}
	for _, c := range calls {
		s := entryOf(t, c).String()
		if strings.Contains(strings.Join(c.Env, "\n"), "HOOKBRIDGE_RETRY=1") {
			s += " RETRY"
		}
		all = append(all, s)
	}
	return all
}

// The agent was killed and nothing happened meanwhile: nothing is said twice.
func TestAgentRestartSaysNothingTwice(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.kill()
	s.again()
	s.virsh(cmdline("destroy", "g"), cmdline("net-destroy", "front"))
	s.end()
}

// What ended while the agent was away is told with the last live documents, what
// began with the new ones.
func TestChangesWhileTheAgentWasAway(t *testing.T) {
	s := newScene(t)
	s.AddBridge(t, "hostbr0")
	s.DefineAndStart(t, testhost.NAT("gone", 81))
	s.DefineAndStart(t, testhost.NAT("restarted", 82))
	s.DefineAndStart(t, testhost.HostBridge("over", "hostbr0"))
	s.CreateGuest(t, testhost.Guest{Name: "ended", NICs: nics("gone", "gone")})
	s.StartGuest(t, testhost.Guest{Name: "again", NICs: []testhost.NIC{{Network: "restarted", MAC: testhost.MAC(11)}}})
	s.StartGuest(t, testhost.Guest{Name: "changed", NICs: []testhost.NIC{{Network: "restarted", MAC: testhost.MAC(12)}}})
	s.kill()
	before := len(s.ours.MustCalls(t))

	s.Virsh(t, "destroy", "ended")
	s.Virsh(t, "net-destroy", "gone")
	s.Virsh(t, "destroy", "again")
	s.Virsh(t, "start", "again")
	s.Attach(t, "changed", testhost.NIC{Network: "over", MAC: testhost.MAC(13)})
	s.Virsh(t, "net-destroy", "over")
	s.Virsh(t, "net-start", "over")
	s.Virsh(t, "net-destroy", "restarted")
	s.Virsh(t, "net-start", "restarted")
	s.again()
	calls := s.ours.WaitN(t, before+12)[before:]
	s.b.stop(t)
	want := []string{
		// Guests that are gone, networks, guests that run.
		"over stopped", "over start", "over started",
		"restarted stopped", "restarted start", "restarted started",
		"gone unplugged ended " + testhost.MAC(1), "gone unplugged ended " + testhost.MAC(2),
		"gone stopped",
		"over plugged changed " + testhost.MAC(13),
		"restarted unplugged again " + testhost.MAC(11), "restarted plugged again " + testhost.MAC(11),
	}
	got := summary(t, calls)
	for _, lane := range []string{"gone ", "over ", "restarted "} {
		want, got := keep(want, lane), keep(got, lane)
		if lane == "gone " {
			// The guest and the network are looked at through two connections when
			// that to LXC was there first: which of them went first nobody can tell.
			slices.Sort(want)
			slices.Sort(got)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls of %s(-want +got):\n%s", lane, diff)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d calls, want %d: %q", len(got), len(want), got)
	}
	for _, c := range calls {
		e := entryOf(t, c)
		if e.Guest == "ended" && !strings.Contains(string(c.Stdin), "<alias name='net0'/>") {
			t.Errorf("%s does not carry the last live document:\n%s", e, c.Stdin)
		}
		if !strings.Contains(strings.Join(c.Env, "\n"), "HOOKBRIDGE_CAUSE=reconcile") {
			t.Errorf("%s: environment %q", e, c.Env)
		}
	}
}

func keep(lines []string, prefix string) []string {
	var kept []string
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			kept = append(kept, l)
		}
	}
	return kept
}

// Killed in the midst of a call: it runs again and is marked; what was planned
// behind it is not lost.
func TestKilledInTheMidstOfACall(t *testing.T) {
	s := newScene(t)
	held := s.ours.Set(t, "front", "started", testhost.Rule{Hold: true})
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.ours.WaitFor(t, "front", "started")
	s.b.awaitLines(t, "network=front op=plugged", 2) // planned, so they are kept
	s.b.kill(t)
	held.Remove(t)
	s.again()
	calls := s.ours.WaitN(t, 5)
	s.b.stop(t)
	want := []string{
		"front start", "front started", "front started RETRY",
		"front plugged g " + testhost.MAC(1) + " RETRY", "front plugged g " + testhost.MAC(2) + " RETRY",
	}
	if diff := cmp.Diff(want, summary(t, calls)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// libvirtd is restarted while the agent is away.
func TestDaemonRestartWhileTheAgentWasAway(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.kill()
	s.RestartDaemon(t, syscall.SIGKILL)
	s.Native().WaitN(t, 4)
	s.again()
	s.settle()
	s.virsh(cmdline("destroy", "g"))
	s.end()
	if diff := cmp.Diff([]string{"event", "restart"}, s.causes("plugged")); lacking() == nil && diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
}

// A connection that breaks is no restart: libvirtd stands still longer than
// keepalive allows, and goes on.
func TestHangingLibvirtd(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.settle()
	s.SignalDaemon(t, syscall.SIGSTOP)
	s.b.awaitLines(t, "trying again", 2) // both connections
	s.SignalDaemon(t, syscall.SIGCONT)
	s.b.awaitLines(t, "watching", 4)
	s.virsh(cmdline("destroy", "g"), cmdline("net-destroy", "front"))
	s.end()
}

// The first start on a running host announces what is there; the option makes it
// remember only.
func TestAdoption(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t)
	h.DefineAndStart(t, testhost.NAT("front", 81))
	h.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	announce, record := h.InstallRecorder(t, "/etc/announce"), h.InstallRecorder(t, "/etc/record")
	a := startBridge(t, h, "--ops", everything, "--hook-dir", "/etc/announce", "--state-dir", "/run/announce")
	r := startBridge(t, h, "--ops", everything, "--hook-dir", "/etc/record", "--state-dir", "/run/record", "--adopt", "record")
	announce.WaitN(t, 3)
	h.Virsh(t, "destroy", "g")
	record.WaitFor(t, "front", "unplugged")
	announce.WaitN(t, 4)
	a.stop(t)
	r.stop(t)
	mac := testhost.MAC(1)
	if diff := cmp.Diff([]string{"front start", "front started", "front plugged g " + mac, "front unplugged g " + mac}, summary(t, announce.MustCalls(t))); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"front unplugged g " + mac}, summary(t, record.MustCalls(t))); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestSecondAgentOnOneState(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t)
	startBridge(t, h)
	for says, args := range map[string][]string{
		"another agent answers on ":        {"run"},
		"is in use by the agent with pid ": {"run", "--socket", "/run/other.sock"},
	} {
		out, err := h.Command(t.Context(), binary(t), args...).CombinedOutput()
		if err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(string(out), says) {
			t.Errorf("%v: %s", err, out)
		}
	}
}
