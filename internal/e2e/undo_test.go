//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/testhost"
)

// refusal is what hookbridge's script says no with.
var refusal = testhost.Rule{Exit: 3, Stderr: "no address left\n"}

// undoScene is a scene whose hookbridge has other arguments.
func undoScene(t *testing.T, opts []testhost.Option, args ...string) *scene {
	t.Helper()
	t.Parallel()
	h := testhost.Start(t, opts...)
	s := &scene{Host: h, t: t, ours: h.InstallRecorder(t, hookDir)}
	s.b = startBridge(t, h, append([]string{"--ops", everything}, args...)...)
	return s
}

// errorLine waits for the one error line about a call and checks that it holds
// everything an administrator needs.
func (s *scene) errorLine(want ...string) {
	s.t.Helper()
	s.b.awaitLine(s.t, "level=error")
	s.b.awaitLine(s.t, want[len(want)-1])
	lines := s.errors()
	if len(lines) != 1 {
		s.t.Errorf("%d error lines, want one:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, w := range append(want, "script="+hookDir+"/network", "exit status 3: no address left", `result="exit 3"`) {
		if !strings.Contains(lines[0], w) {
			s.t.Errorf("no %q in the error line", w)
		}
	}
	for _, l := range lines {
		s.t.Logf("told: %s", l)
	}
}

func (s *scene) errors() (lines []string) {
	for l := range strings.Lines(s.b.text()) {
		if strings.Contains(l, "level=error") {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return lines
}

// idle makes hookbridge handle everything that libvirt has said so far: a
// network's life is told behind it.
func (s *scene) idle() {
	s.t.Helper()
	s.CreateNetwork(s.t, testhost.Network{Name: "marker"})
	s.ours.WaitFor(s.t, "marker", "started")
	s.Virsh(s.t, "net-destroy", "marker")
	s.ours.WaitFor(s.t, "marker", "stopped")
}

// calls returns the calls that are not the marker's.
func (s *scene) calls() (calls []string) {
	for _, c := range summary(s.t, s.ours.MustCalls(s.t)) {
		if !strings.HasPrefix(c, "marker ") {
			calls = append(calls, c)
		}
	}
	return calls
}

// madeInAll ends the scene: these were all calls.
func (s *scene) madeInAll(want ...string) {
	s.t.Helper()
	s.idle()
	s.b.stop(s.t)
	if diff := cmp.Diff(want, s.calls()); diff != "" {
		s.t.Errorf("calls in all (-want +got):\n%s", diff)
	}
}

func (s *scene) listed(what string, args ...string) bool {
	s.t.Helper()
	for _, name := range strings.Fields(s.Virsh(s.t, args...)) {
		if name == what {
			return true
		}
	}
	return false
}

func (s *scene) activeNetwork(name string) bool { return s.listed(name, "net-list", "--name") }
func (s *scene) guestRuns() bool                { return s.listed("g", "list", "--name") }

// guestInFront starts network front and guest g with an interface in it: three calls.
func (s *scene) guestInFront() {
	s.t.Helper()
	s.DefineAndStart(s.t, testhost.NAT("front", 81))
	s.StartGuest(s.t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.ours.WaitN(s.t, 3)
}

// dnsmasqs returns the command lines of the host's dnsmasq processes.
func (s *scene) dnsmasqs() string {
	out, _ := s.Command(s.t.Context(), "pgrep", "-a", "dnsmasq").CombinedOutput()
	return strings.TrimSpace(string(out))
}

func mac(n int) string { return testhost.MAC(n) }

// A refused start: the network is down again, as if it had never been up.
func TestUndoStart(t *testing.T) {
	s := undoScene(t, nil)
	rule := s.ours.Set(t, "front", "start", refusal)
	s.DefineAndStart(t, testhost.Network{Name: "front", Forward: "nat", Bridge: "virbr7", Subnet: 81, DHCP: true})
	s.errorLine("network=front", "op=start", "undo=done", "undone: the network was destroyed")
	if s.activeNetwork("front") {
		t.Error("the network is still up")
	}
	s.idle()
	rule.Remove(t)
	s.Virsh(t, "net-start", "front")
	s.ours.WaitFor(t, "front", "started")
	s.Virsh(t, "net-destroy", "front")
	s.ours.WaitFor(t, "front", "stopped")
	s.madeInAll("front start", "front start", "front started", "front stopped")
}

// A refused started: down again without a trace, where libvirt's own hook leaves
// bridge and dnsmasq behind, and then stopped.
func TestUndoStarted(t *testing.T) {
	s := undoScene(t, nil)
	s.ours.Set(t, "front", "started", refusal)
	s.DefineAndStart(t, testhost.Network{Name: "front", Forward: "nat", Bridge: "virbr7", Subnet: 81, DHCP: true})
	s.errorLine("network=front", "op=started", "undo=done", "undone: the network was destroyed")
	s.ours.WaitFor(t, "front", "stopped")
	if s.activeNetwork("front") {
		t.Error("the network is still up")
	}
	if err := s.Command(t.Context(), "ip", "link", "show", "virbr7").Run(); err == nil {
		t.Error("its bridge is still there")
	}
	if left := s.dnsmasqs(); left != "" {
		t.Errorf("its dnsmasq is still there: %s", left)
	}
	s.madeInAll("front start", "front started", "front stopped")
}

// The second interface of a fresh guest is refused: the first is unplugged, the
// third never mentioned, the guest gone. The counter is rolled back.
func TestUndoPluggedOfAFreshGuest(t *testing.T) {
	s := undoScene(t, nil)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.NAT("back", 82))
	s.ours.WaitN(t, 4)
	rule := s.ours.Set(t, "back", "plugged", refusal)
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back", "front")})
	s.errorLine("network=back", "op=plugged", "domain=g", mac(2), "undo=done",
		"undone: the guest was destroyed; 1 interface that was plugged gets unplugged")
	s.ours.WaitFor(t, "front", "unplugged")
	if s.guestRuns() {
		t.Error("the guest still runs")
	}
	s.idle()
	rule.Remove(t)
	s.Virsh(t, "start", "g")
	s.ours.WaitN(t, 3+4+6) // with those of the marker
	last := s.ours.WaitFor(t, "back", "plugged")
	if !strings.Contains(string(last.Stdin), "<network connections='1'>") {
		t.Errorf("the refused interface still counts:\n%s", last.Stdin)
	}
	s.Virsh(t, "destroy", "g")
	s.ours.WaitFor(t, "back", "unplugged")
	s.idle()
	s.b.stop(t)
	got := s.calls()[4:]
	want := []string{
		"front plugged g " + mac(1), "back plugged g " + mac(2), "front unplugged g " + mac(1),
		"front plugged g " + mac(1), "back plugged g " + mac(2), "front plugged g " + mac(3),
		"front unplugged g " + mac(1), "back unplugged g " + mac(2), "front unplugged g " + mac(3),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, c := range s.ours.MustCalls(t) {
		if c.Op() == "unplugged" && !strings.Contains(string(c.Stdin), "<alias name='net0'/>") {
			t.Errorf("unplugged does not carry the last live document:\n%s", c.Stdin)
		}
	}
}

// A hot-plugged interface with the MAC address of another: that one, and not the
// other, is taken away.
func TestUndoHotPlug(t *testing.T) {
	s := undoScene(t, nil)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.BootGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.ours.WaitN(t, 3)
	s.ours.Set(t, "front", "plugged", refusal)
	s.Attach(t, "g", testhost.NIC{Network: "front", MAC: mac(1)})
	s.errorLine("network=front", "op=plugged", "domain=g", mac(1), "undo=done", "undone: the interface was detached")
	doc := s.Virsh(t, "dumpxml", "g")
	if strings.Count(doc, "<interface ") != 1 || !strings.Contains(doc, "<alias name='net0'/>") {
		t.Errorf("not the hot-plugged interface was detached:\n%s", doc)
	}
	s.Virsh(t, "destroy", "g")
	s.ours.WaitFor(t, "front", "unplugged")
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front plugged g "+mac(1), "front unplugged g "+mac(1))
}

// A guest that does not give the interface back keeps it; the script is not told
// of it again.
func TestUndoHotPlugOfAGuestThatDoesNotAnswer(t *testing.T) {
	s := undoScene(t, nil)
	s.guestInFront()
	rule := s.ours.Set(t, "front", "plugged", refusal)
	s.Attach(t, "g", testhost.NIC{Network: "front", MAC: mac(2)})
	s.errorLine("network=front", "op=plugged", "domain=g", mac(2), "undo=done",
		"undone: the guest was asked to give the interface back, and has not done so yet")
	rule.Remove(t)
	s.Virsh(t, "desc", "g", "--live", "--title", "looked at again")
	s.b.kill(t)
	s.again()
	s.Virsh(t, "destroy", "g")
	s.ours.WaitFor(t, "front", "unplugged")
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front plugged g "+mac(2), "front unplugged g "+mac(1))
}

// A device update: the interface goes back to where it was, and is not unplugged
// from there.
func TestUndoDeviceUpdate(t *testing.T) {
	s := undoScene(t, nil)
	s.guestInFront()
	s.DefineAndStart(t, testhost.NAT("back", 82))
	s.ours.WaitN(t, 5)
	s.ours.Set(t, "back", "plugged", refusal)
	s.Update(t, "g", testhost.NIC{Network: "back", MAC: mac(1)})
	s.errorLine("network=back", "op=plugged", "domain=g", mac(1), "undo=done", "undone: the interface was updated back to network front")
	if doc := s.Virsh(t, "dumpxml", "g"); !strings.Contains(doc, "<source network='front'") {
		t.Errorf("the interface is not back:\n%s", doc)
	}
	s.idle()
	s.Virsh(t, "destroy", "g")
	s.ours.WaitFor(t, "front", "unplugged")
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "back start", "back started",
		"back plugged g "+mac(1), "front unplugged g "+mac(1))
}

// A guest that came from elsewhere is perhaps the only copy of itself.
func TestNoUndoForAMigratedGuest(t *testing.T) {
	t.Parallel()
	source := testhost.Start(t)
	h := testhost.Start(t)
	s := &scene{Host: h, t: t, ours: h.InstallRecorder(t, hookDir)}
	s.b = startBridge(t, h, "--ops", everything)
	for _, h := range []*testhost.Host{source, h} {
		h.DefineAndStart(t, testhost.NAT("front", 81))
	}
	source.CreateGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.ours.WaitN(t, 2)
	s.ours.Set(t, "front", "plugged", testhost.Rule{Shell: `[ -e /run/second ] && exit 0; touch /run/second`, Exit: 3, Stderr: "no address left\n"})
	socket := filepath.Join(source.Scratch(), "migration.sock")
	out, err := exec.Command("virsh", "-c", source.URI("qemu:///system"), "migrate", "--live", "--unsafe", "g",
		"--desturi", h.URI("qemu:///system"), "--migrateuri", "unix://"+socket).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh migrate: %v\n%s", err, out)
	}
	s.errorLine("network=front", "op=plugged", "domain=g", mac(1), "undo=none", "not undone: the guest was migrated in")
	s.idle()
	if !s.guestRuns() {
		t.Error("a guest that was migrated in was destroyed")
	}
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front plugged g "+mac(2))
}

func TestNoUndoForARestoredGuest(t *testing.T) {
	s := undoScene(t, nil)
	s.guestInFront()
	file := filepath.Join(s.Scratch(), "g.save")
	s.Virsh(t, "save", "g", file)
	s.ours.WaitN(t, 4)
	s.ours.Set(t, "front", "plugged", refusal)
	s.Virsh(t, "restore", file)
	s.errorLine("network=front", "op=plugged", "domain=g", mac(1), "undo=none", "not undone: the guest was restored")
	s.idle()
	if !s.guestRuns() {
		t.Error("a restored guest was destroyed")
	}
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front unplugged g "+mac(1), "front plugged g "+mac(1))
}

func TestUndoContainerStart(t *testing.T) {
	s := undoScene(t, []testhost.Option{testhost.WithLXC()})
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.NAT("back", 82))
	s.ours.WaitN(t, 4)
	s.ours.Set(t, "back", "plugged", refusal)
	s.DefineContainer(t, testhost.Container{Name: "c", NICs: nics("front", "back", "front")})
	s.VirshLXC(t, "start", "c")
	s.errorLine("network=back", "op=plugged", "domain=c", mac(2), "undo=done",
		"undone: the guest was destroyed; 1 interface that was plugged gets unplugged")
	s.ours.WaitFor(t, "front", "unplugged")
	if out := s.VirshLXC(t, "list", "--name"); strings.TrimSpace(out) != "" {
		t.Errorf("still running: %s", out)
	}
	s.idle()
	s.b.stop(t)
	want := []string{"front plugged c " + mac(1), "back plugged c " + mac(2), "front unplugged c " + mac(1)}
	if diff := cmp.Diff(want, s.calls()[4:]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestUndoContainerHotPlug(t *testing.T) {
	s := undoScene(t, []testhost.Option{testhost.WithLXC()})
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.CreateContainer(t, testhost.Container{Name: "c", NICs: nics("front"), Init: true})
	s.settle()
	if diff := cmp.Diff([]string{"front start", "front started", "front plugged c " + mac(1)}, s.calls()[:3]); diff != "" {
		t.Errorf("first calls (-want +got):\n%s", diff)
	}
	s.ours.Clear(t) // the container may have been started more than once
	s.ours.Set(t, "front", "plugged", refusal)
	s.AttachToContainer(t, "c", testhost.NIC{Network: "front", MAC: mac(7)})
	s.errorLine("network=front", "op=plugged", "domain=c", mac(7), "undo=done", "undone: the interface was detached")
	if doc := s.VirshLXC(t, "dumpxml", "c"); strings.Contains(doc, mac(7)) {
		t.Errorf("the interface is still there:\n%s", doc)
	}
	s.VirshLXC(t, "destroy", "c")
	s.ours.WaitFor(t, "front", "unplugged")
	s.madeInAll("front plugged c "+mac(7), "front unplugged c "+mac(1))
}

// With on_failure=log the script is told everything, as if it had not refused.
func TestOnFailureLog(t *testing.T) {
	s := undoScene(t, nil, "--on-failure", "log")
	s.ours.Set(t, "front", "start", refusal)
	s.ours.Set(t, "front", "started", refusal)
	s.ours.Set(t, "front", "plugged", refusal)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.ours.WaitN(t, 4)
	s.idle()
	if !s.activeNetwork("front") || !s.guestRuns() {
		t.Error("something was undone")
	}
	for _, l := range s.errors() {
		if !strings.Contains(l, "not undone: on_failure is log") {
			t.Errorf("no reason in %s", l)
		}
		t.Logf("told: %s", l)
	}
	s.Virsh(t, "destroy", "g")
	s.ours.Wait(t, "two unplugged", func(c []testhost.Call) bool { return strings.Count(testhost.Summary(c), "unplugged") == 2 })
	s.Virsh(t, "net-destroy", "front")
	s.ours.WaitFor(t, "front", "stopped")
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front plugged g "+mac(2),
		"front unplugged g "+mac(1), "front unplugged g "+mac(2), "front stopped")
}

// What hookbridge itself has against a script is not the script's verdict.
func TestNoUndoForOurOwnFindings(t *testing.T) {
	s := undoScene(t, nil, "--timeout", "1s")
	held := s.ours.Set(t, "slow", "start", testhost.Rule{Hold: true})
	s.DefineAndStart(t, testhost.NAT("slow", 81))
	s.ours.WaitFor(t, "slow", "started")
	s.b.awaitLine(t, "timed out")
	held.Remove(t)
	if err := s.Command(t.Context(), "chmod", "0777", hookDir+"/network").Run(); err != nil {
		t.Fatal(err)
	}
	s.DefineAndStart(t, testhost.NAT("open", 82))
	s.b.awaitLines(t, "op=started", 4) // planned and refused, of both networks
	s.b.awaitLine(t, "refused")
	s.WriteFile(t, hookDir+"/network.d/none", []byte("#!/no/such/interpreter\n"), 0o755)
	s.DefineAndStart(t, testhost.NAT("none", 83))
	s.b.awaitLine(t, "/no/such/interpreter")
	if err := s.Command(t.Context(), "rm", "-r", hookDir+"/network.d").Run(); err != nil {
		t.Fatal(err)
	}
	if err := s.Command(t.Context(), "chmod", "0755", hookDir+"/network").Run(); err != nil {
		t.Fatal(err)
	}
	s.idle()
	for _, n := range []string{"slow", "open", "none"} {
		if !s.activeNetwork(n) {
			t.Errorf("network %s was destroyed for a finding of hookbridge's own", n)
		}
	}
	if strings.Contains(s.b.text(), "undo=") {
		t.Errorf("an undo was considered")
	}
}

// A signal that hookbridge did not send is a verdict, too.
func TestUndoAfterASignal(t *testing.T) {
	s := undoScene(t, nil)
	s.ours.Set(t, "front", "start", testhost.Rule{Signal: syscall.SIGSEGV, Stderr: "oops\n"})
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.b.awaitLine(t, "undone: the network was destroyed")
	if !strings.Contains(s.b.text(), "killed by signal 11 (segmentation fault): oops; undone: the network was destroyed") {
		t.Error("no signal in the error line")
	}
	t.Logf("told: %s", s.errors()[0])
	s.madeInAll("front start")
}

// What is found at the start of the agent, and what libvirtd's restart repeats, is
// not undone.
func TestNoUndoForWhatWasThere(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t)
	s := &scene{Host: h, t: t, ours: h.InstallRecorder(t, hookDir)}
	h.DefineAndStart(t, testhost.NAT("front", 81))
	h.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	for _, op := range []string{"start", "started", "plugged"} {
		s.ours.Set(t, "front", op, refusal)
	}
	s.b = startBridge(t, h, "--ops", everything)
	s.b.awaitLines(t, "not undone: it was found already there", 3)
	s.RestartDaemon(t, syscall.SIGTERM)
	s.b.awaitLine(t, "not undone: it was there before libvirtd was restarted")
	s.idle()
	if !s.activeNetwork("front") || !s.guestRuns() {
		t.Error("something was undone")
	}
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front plugged g "+mac(1))
	for _, l := range s.errors() {
		t.Logf("told: %s", l)
	}
}

// A network that a guest uses by the time its script says no is left alone.
func TestNoUndoForANetworkInUse(t *testing.T) {
	s := undoScene(t, nil)
	rule := refusal
	rule.Hold = true
	held := s.ours.Set(t, "front", "start", rule)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.ours.WaitFor(t, "front", "start")
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	held.Release(t)
	s.errorLine("network=front", "op=start", "undo=none", "not undone: 1 interface is plugged into the network")
	s.ours.WaitN(t, 3)
	if !s.activeNetwork("front") || !s.guestRuns() {
		t.Error("something was undone")
	}
	s.madeInAll("front start", "front started", "front plugged g "+mac(1))
}

// While the script thinks, the guest is destroyed: the refused interface and those
// behind it are not mentioned again.
func TestRefusalOfAGuestThatIsGoneAlready(t *testing.T) {
	s := undoScene(t, nil)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.NAT("back", 82))
	s.ours.WaitN(t, 4)
	rule := refusal
	rule.Hold = true
	held := s.ours.Set(t, "back", "plugged", rule)
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back", "front")})
	s.ours.WaitFor(t, "back", "plugged")
	s.Virsh(t, "destroy", "g")
	s.b.awaitLine(t, "op=unplugged") // planned
	held.Release(t)
	s.errorLine("network=back", "op=plugged", "domain=g", mac(2), "undo=none", "not undone: the guest has been stopped meanwhile")
	s.ours.WaitFor(t, "front", "unplugged")
	s.idle()
	s.b.stop(t)
	want := []string{"front plugged g " + mac(1), "back plugged g " + mac(2), "front unplugged g " + mac(1)}
	if diff := cmp.Diff(want, s.calls()[4:]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// libvirtd dies before it can be asked: told, and not tried again when it is back.
func TestUndoThatFails(t *testing.T) {
	s := undoScene(t, nil)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.ours.WaitN(t, 2)
	s.ours.Set(t, "front", "plugged", testhost.Rule{Shell: "kill -9 $(cat /run/libvirtd.pid); while kill -0 $(cat /run/libvirtd.pid); do :; done", Exit: 3, Stderr: "no address left\n"})
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.errorLine("network=front", "op=plugged", "domain=g", mac(1), "undo=failed", "the undo failed and is not tried again")
	s.ours.Set(t, "front", "plugged", testhost.Rule{})
	s.StartDaemon(t)
	s.ours.WaitN(t, 6)
	s.idle()
	if !s.guestRuns() {
		t.Error("the undo was tried again")
	}
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front plugged g "+mac(2),
		// as after each restart of libvirtd
		"front plugged g "+mac(1), "front plugged g "+mac(2))
}

// Killed in the midst of an undo: nothing is undone afterwards, and the call is
// made again.
func TestKilledInTheMidstOfAnUndo(t *testing.T) {
	s := undoScene(t, nil)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.ours.WaitN(t, 2)
	// libvirtd stands still when it is asked to undo.
	s.ours.Set(t, "front", "plugged", testhost.Rule{Shell: "kill -STOP $(cat /run/libvirtd.pid)", Exit: 3, Stderr: "no address left\n"})
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.b.awaitLine(t, "refused: taking it back")
	s.b.kill(t)
	s.SignalDaemon(t, syscall.SIGCONT)
	s.ours.Set(t, "front", "plugged", refusal)
	s.again()
	s.b.awaitLines(t, "not undone: the agent was restarted before the call had ended", 2)
	s.idle()
	if !s.guestRuns() {
		t.Error("an undo was made after a restart of the agent")
	}
	s.Virsh(t, "destroy", "g")
	s.ours.Wait(t, "two unplugged", func(c []testhost.Call) bool { return strings.Count(testhost.Summary(c), "unplugged") == 2 })
	s.madeInAll("front start", "front started", "front plugged g "+mac(1),
		"front plugged g "+mac(1)+" RETRY", "front plugged g "+mac(2)+" RETRY",
		"front unplugged g "+mac(1), "front unplugged g "+mac(2))
}

// SIGTERM: the script that runs finishes, the rest is made at the next start.
func TestGracefulStop(t *testing.T) {
	s := undoScene(t, nil)
	held := s.ours.Set(t, "front", "started", testhost.Rule{Hold: true})
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.ours.WaitFor(t, "front", "started")
	s.b.awaitLines(t, "msg=planned", 4)
	if err := s.b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.b.awaitLine(t, "stopping")
	held.Release(t)
	s.b.stop(t)
	s.b.awaitLine(t, "stopped with hook calls that were not made")
	if !strings.Contains(s.b.text(), "op=started") || strings.Contains(s.b.text(), "canceled") {
		t.Errorf("the running script was not let finish")
	}
	s.again()
	s.ours.WaitN(t, 4)
	s.madeInAll("front start", "front started", "front plugged g "+mac(1)+" RETRY", "front plugged g "+mac(2)+" RETRY")
}
