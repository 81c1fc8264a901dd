//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/testhost"
)

// gateScene is a scene with the gate in libvirt's guest hooks, put there before
// libvirtd was started. install are arguments of gate install, args hookbridge's.
func gateScene(t *testing.T, opts []testhost.Option, install []string, args ...string) *scene {
	t.Helper()
	t.Parallel()
	s := closedGate(t, opts, install)
	s.StartDaemon(t)
	s.b = startBridge(t, s.Host, append([]string{"--ops", everything}, args...)...)
	return s
}

// closedGate is a host with the gate, and neither libvirtd nor hookbridge.
func closedGate(t *testing.T, opts []testhost.Option, install []string) *scene {
	t.Helper()
	h := testhost.Start(t, append(opts, testhost.WithoutDaemon())...)
	s := &scene{Host: h, t: t, ours: h.InstallRecorder(t, hookDir)}
	out, err := h.Command(t.Context(), binary(t), append([]string{"gate", "install"}, install...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("gate install: %v\n%s", err, out)
	}
	return s
}

// refused starts a guest and checks that libvirt says these words.
func (s *scene) refused(uri, guest string, words ...string) {
	s.t.Helper()
	_, err := s.VirshErr("-c", uri, "start", guest)
	if err == nil {
		s.t.Errorf("%s was started", guest)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			s.t.Errorf("virsh start %s does not say %q:\n%v", guest, w, err)
		}
	}
	s.t.Logf("virsh start %s: %v", guest, err)
}

// The veto: the script says no, and the guest never runs.
func TestGateRefusesGuest(t *testing.T) {
	s := gateScene(t, []testhost.Option{testhost.WithLXC(), testhost.WithDomainHooks()}, nil)
	s.DefineAndStart(t, testhost.Isolated("front", 81))
	s.DefineAndStart(t, testhost.Isolated("back", 82))
	s.ours.WaitN(t, 4)
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back", "front")})
	s.DefineContainer(t, testhost.Container{Name: "c", NICs: nics("front", "back")})
	rule := s.ours.Set(t, "back", "plugged", testhost.Rule{Exit: 3, Stderr: "no address left\nask the network team\n"})
	for uri, guest := range map[string]string{"qemu:///system": "g", "lxc:///system": "c"} {
		s.ours.Clear(t)
		s.Native().Clear(t)
		s.refused(uri, guest, "no address left", "ask the network team", "network back refuses interface "+mac(2))
		want := []string{"front plugged " + guest + " " + mac(1), "back plugged " + guest + " " + mac(2), "front unplugged " + guest + " " + mac(1)}
		s.ours.WaitN(t, 3)
		if diff := cmp.Diff(want, summary(t, s.ours.MustCalls(t))); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", guest, diff)
		}
		if got := s.Virsh(t, "-c", uri, "domstate", guest); got != "shut off" {
			t.Errorf("%s is %s", guest, got)
		}
		for _, c := range s.Native().MustCalls(t) {
			if c.Op() == "start" || c.Op() == "port-created" {
				t.Errorf("%s got as far as %s", guest, c)
			}
		}
	}
	rule.Remove(t)
	s.ours.Clear(t)
	s.Native().Clear(t)
	s.Virsh(t, "start", "g")
	s.VirshLXC(t, "start", "c")
	if got := s.causes("plugged"); !slices.Equal(got, slices.Repeat([]string{"gate"}, 5)) {
		t.Errorf("causes %q", got)
	}
	s.inPlace("qemu", "g", 3)
	s.inPlace("lxc", "c", 2)
	s.Virsh(t, "destroy", "g")
	s.VirshLXC(t, "destroy", "c")
	s.ours.WaitN(t, 10)
}

// inPlace checks that plugged came after the guest hook's prepare, and before
// start and libvirt's own allocation of the ports.
func (s *scene) inPlace(hook, guest string, interfaces int) {
	s.t.Helper()
	type moment struct {
		what string
		at   time.Time
	}
	var all []moment
	for _, c := range s.Native().MustCalls(s.t) {
		if c.Object() == guest && (c.Op() == "prepare" || c.Op() == "start") {
			all = append(all, moment{hook + " " + c.Op(), c.Time})
		} else if c.Op() == "port-created" && entryOf(s.t, c).Guest == guest {
			all = append(all, moment{"port-created", c.Time})
		}
	}
	for _, c := range s.ours.MustCalls(s.t) {
		if c.Op() == "plugged" && entryOf(s.t, c).Guest == guest {
			all = append(all, moment{"plugged", c.Time})
		}
	}
	slices.SortFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	var got []string
	for _, m := range all {
		got = append(got, m.what)
	}
	want := slices.Concat([]string{hook + " prepare"}, slices.Repeat([]string{"plugged"}, interfaces),
		slices.Repeat([]string{"port-created"}, interfaces), []string{hook + " start"})
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("%s: order (-want +got):\n%s", guest, diff)
	}
	s.t.Logf("%s: %s", guest, strings.Join(got, ", "))
}

// With the gate the same calls are made as without, once, and stand where libvirt's
// own do.
func TestGateMakesTheSameCalls(t *testing.T) {
	s := gateScene(t, []testhost.Option{testhost.WithLXC()}, nil)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.Isolated("back", 82))
	s.settle()
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back")})
	s.DefineContainer(t, testhost.Container{Name: "c", NICs: nics("back", "front")})
	saved := filepath.Join(s.Scratch(), "saved")
	s.virsh(
		cmdline("start", "g"), cmdline("suspend", "g"), cmdline("resume", "g"), cmdline("reset", "g"),
		cmdline("save", "g", saved), cmdline("restore", saved), cmdline("managedsave", "g"), cmdline("start", "g"),
	)
	s.Attach(t, "g", testhost.NIC{Network: "front", MAC: mac(9)})
	s.settle()
	s.virsh(
		cmdline("destroy", "g"), cmdline("start", "g"), cmdline("destroy", "g"), cmdline("start", "g"),
		cmdline("-c", "lxc:///system", "start", "c"), cmdline("-c", "lxc:///system", "destroy", "c"),
		cmdline("-c", "lxc:///system", "start", "c"),
	)
	s.CreateGuest(t, testhost.Guest{Name: "transient", NICs: []testhost.NIC{{Network: "back", MAC: mac(10)}}})
	s.settle()
	s.virsh(cmdline("destroy", "transient"), cmdline("destroy", "g"), cmdline("-c", "lxc:///system", "destroy", "c"), cmdline("net-destroy", "front"))
	s.end()
	other := slices.DeleteFunc(s.causes("plugged"), func(cause string) bool { return cause == "gate" })
	if len(other) != 1 { // the hot-plug's
		t.Errorf("plugged not by the gate: %q", other)
	}
}

// Nothing comes twice and nothing is lost when hookbridge is killed while a guest
// starts, or comes back when it has.
func TestGateOverKills(t *testing.T) {
	s := gateScene(t, []testhost.Option{testhost.WithDomainHooks()}, nil)
	s.DefineAndStart(t, testhost.Isolated("front", 81))
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.ours.WaitN(t, 2)

	// Killed between the gate and the guest's event.
	hold := s.Native().Set(t, "g", "started", testhost.Rule{Hold: true})
	started := make(chan error, 1)
	go func() {
		_, err := s.VirshErr("start", "g")
		started <- err
	}()
	s.Native().WaitFor(t, "g", "started")
	s.b.kill(t)
	hold.Remove(t)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	s.b = startBridge(t, s.Host, "--ops", everything)
	s.Virsh(t, "destroy", "g")
	s.ours.WaitN(t, 6)

	// Stopped and started while nobody is there: libvirtd lets the guest pass.
	s.Virsh(t, "start", "g")
	s.ours.WaitN(t, 8)
	s.b.stop(t)
	s.Virsh(t, "destroy", "g")
	s.Virsh(t, "start", "g")
	s.b = startBridge(t, s.Host, "--ops", everything)
	s.ours.WaitN(t, 12)
	s.Virsh(t, "destroy", "g")
	s.ours.WaitN(t, 14)
	s.b.stop(t)
	compare(t, s.networkHook(), s.ours.MustCalls(t))
}

// networkHook returns the native calls that are not those of guest hooks.
func (s *scene) networkHook() (calls []testhost.Call) {
	for _, c := range s.Native().MustCalls(s.t) {
		if strings.HasPrefix(c.Hook(), "network") {
			calls = append(calls, c)
		}
	}
	return calls
}

// A hookbridge that does not answer costs a guest a second, not its start; it is
// announced when its event comes, and a refusal then undoes nothing.
func TestGateOfAStoppedAgent(t *testing.T) {
	s := gateScene(t, nil, nil)
	s.DefineAndStart(t, testhost.Isolated("front", 81))
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.ours.WaitN(t, 2)
	s.ours.Set(t, "front", "plugged", refusal)
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := s.b.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	began := time.Now()
	s.Virsh(t, "start", "g")
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the start took %v", took)
	}
	signal(syscall.SIGCONT)
	s.ours.WaitFor(t, "front", "plugged")
	s.b.awaitLine(t, "not undone: the guest was let pass by the gate")
	if !s.guestRuns() {
		t.Error("the guest was destroyed")
	}
	signal(syscall.SIGSTOP)
	began = time.Now()
	s.Virsh(t, "destroy", "g")
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the stop took %v", took)
	}
	signal(syscall.SIGCONT)
	s.ours.WaitN(t, 4)
	s.madeInAll("front start", "front started", "front plugged g "+mac(1), "front unplugged g "+mac(1))
}

// Scripts that take longer than gate.timeout: what has not begun is cancelled, what
// was accepted is taken back, and gate.unavailable decides.
func TestGateTimeout(t *testing.T) {
	for _, policy := range []string{"allow", "deny"} {
		t.Run(policy, func(t *testing.T) {
			s := gateScene(t, nil, []string{"--timeout", "2s", "--unavailable", policy})
			s.DefineAndStart(t, testhost.Isolated("front", 81))
			s.DefineAndStart(t, testhost.Isolated("back", 82))
			s.DefineAndStart(t, testhost.Isolated("side", 83))
			s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back", "side")})
			s.ours.WaitN(t, 6)
			hold := s.ours.Set(t, "back", "plugged", testhost.Rule{Hold: true})
			if policy == "deny" {
				s.refused("qemu:///system", "g", "gate.unavailable = deny", "had not all ended in")
			} else {
				s.Virsh(t, "start", "g")
			}
			hold.Remove(t)
			want := []string{
				"front plugged g " + mac(1), "back plugged g " + mac(2),
				"front unplugged g " + mac(1), "back unplugged g " + mac(2),
			}
			if policy == "allow" {
				want = append(want, "front plugged g "+mac(1), "back plugged g "+mac(2), "side plugged g "+mac(3))
			}
			calls := s.ours.WaitN(t, 6+len(want))[6:]
			if diff := cmp.Diff(want, summary(t, calls)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// A script that asks libvirt about its guest waits for the start that waits for it:
// it costs gate.timeout, and no more.
func TestGateScriptThatCallsVirsh(t *testing.T) {
	s := gateScene(t, nil, []string{"--timeout", "3s"})
	s.DefineAndStart(t, testhost.Isolated("front", 81))
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.DefineGuest(t, testhost.Guest{Name: "other", NICs: nics("front")})
	s.ours.WaitN(t, 2)
	asks := s.ours.Set(t, "front", "plugged", testhost.Rule{Shell: "virsh dumpxml g >/dev/null 2>&1"})
	began := time.Now()
	s.Virsh(t, "start", "g")
	took := time.Since(began)
	t.Logf("virsh start took %v", took)
	if took > 20*time.Second {
		t.Errorf("the start took %v", took)
	}
	asks.Remove(t)
	s.Virsh(t, "start", "other")
	s.Virsh(t, "destroy", "other")
	s.Virsh(t, "destroy", "g")
	s.b.stop(t)
}

// While a guest hook runs, what hookbridge asks libvirt about that guest hangs. The
// gate answers for others nevertheless.
func TestGateWhileLibvirtCallsHang(t *testing.T) {
	s := gateScene(t, []testhost.Option{testhost.WithDomainHooks()}, []string{"--timeout", "5s"},
		"--connect", "qemu:///system", "--reconcile-interval", "200ms")
	s.DefineAndStart(t, testhost.Isolated("front", 81))
	s.DefineGuest(t, testhost.Guest{Name: "stuck", NICs: nics("front")})
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: []testhost.NIC{{Network: "front", MAC: mac(2)}}})
	s.ours.WaitN(t, 2)
	hold := s.Native().Set(t, "stuck", "start", testhost.Rule{Hold: true})
	stuck := make(chan error, 1)
	go func() {
		_, err := s.VirshErr("start", "stuck")
		stuck <- err
	}()
	s.ours.WaitN(t, 3)
	s.Native().WaitFor(t, "stuck", "start")
	// Nothing that takes libvirt gets done now: a network's start stays unannounced.
	s.DefineAndStart(t, testhost.Isolated("unseen", 84))
	rule := s.ours.Set(t, "front", "plugged", testhost.Rule{Exit: 1, Stderr: "still here"})
	began := time.Now()
	s.refused("qemu:///system", "g", "still here")
	t.Logf("refused in %v", time.Since(began))
	for _, c := range summary(t, s.ours.MustCalls(t)) {
		if strings.HasPrefix(c, "unseen") {
			t.Errorf("%s was announced: libvirt did not hang, and this test shows nothing", c)
		}
	}
	rule.Remove(t)
	s.Virsh(t, "start", "g")
	s.ours.WaitN(t, 5)
	hold.Remove(t)
	if err := <-stuck; err != nil {
		t.Error(err)
	}
	s.ours.WaitFor(t, "unseen", "started")
	s.b.stop(t)
}

// At boot libvirtd starts networks and guests before anybody can connect to it.
func TestGateAtBoot(t *testing.T) {
	t.Parallel()
	s := closedGate(t, []testhost.Option{testhost.WithLXC()}, nil)
	// A first boot, to define what is there.
	s.StartDaemon(t)
	for _, n := range []testhost.Network{testhost.NAT("front", 81), testhost.Isolated("back", 82)} {
		s.Define(t, n)
		s.Virsh(t, "net-autostart", n.Name)
	}
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back")})
	s.DefineContainer(t, testhost.Container{Name: "c", NICs: nics("back")})
	s.Virsh(t, "autostart", "g")
	s.VirshLXC(t, "autostart", "c")
	s.StopDaemon(t)
	s.Native().Clear(t)
	for _, mark := range []string{"/run/libvirt/network/autostarted", "/run/libvirt/qemu/autostarted", "/run/libvirt/lxc/autostarted"} {
		_ = os.Remove(s.Path(mark))
	}

	s.b = launchBridge(t, s.Host, "--ops", everything)
	s.b.awaitLine(t, "listening")
	s.StartDaemon(t)
	s.b.awaitLines(t, "msg=watching", 2)
	s.settle()
	for _, cause := range s.causes("plugged") {
		if cause != "gate" {
			t.Errorf("plugged by %s", cause)
		}
	}
	s.Virsh(t, "destroy", "g")
	s.VirshLXC(t, "destroy", "c")
	s.settle()
	s.b.stop(t)
	ours, native := lanes(t, s.ours.MustCalls(t), networkLane), lanes(t, s.Native().MustCalls(t), networkLane)
	if diff := cmp.Diff(native, ours); diff != "" {
		t.Errorf("order per network (-native +hookbridge):\n%s", diff)
	}
}

func networkLane(e entry) string { return e.Network }

// A restart of libvirtd tells the gate of each QEMU guest before anybody can connect;
// it does not of LXC guests, natively or here.
func TestGateOverRestartOfLibvirtd(t *testing.T) {
	s := gateScene(t, []testhost.Option{testhost.WithLXC()}, nil)
	s.DefineAndStart(t, testhost.Isolated("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	c := testhost.Container{Name: "c", NICs: []testhost.NIC{{Network: "front", MAC: mac(7)}}}
	s.StartContainer(t, c)
	s.ours.WaitN(t, 5)
	s.ours.Clear(t)
	s.RestartDaemon(t, syscall.SIGTERM)
	s.b.awaitLines(t, "msg=watching", 4)
	s.idle()
	want := []string{"front plugged g " + mac(1), "front plugged g " + mac(2)}
	if diff := cmp.Diff(want, s.calls()); diff != "" {
		t.Errorf("calls over the restart (-want +got):\n%s", diff)
	}
	if got := s.causes("plugged"); !slices.Equal(got, []string{"restart", "restart"}) {
		t.Errorf("causes %q", got)
	}
	s.Virsh(t, "destroy", "g")
	s.VirshLXC(t, "destroy", "c")
	s.ours.WaitN(t, 2+3+3) // with the marker's
	s.b.stop(t)
}

// A guest whose start fails after the gate gets its interfaces unplugged, though
// libvirt has no event for it and, for LXC, no hook.
func TestGateOfAFailingStart(t *testing.T) {
	s := gateScene(t, []testhost.Option{testhost.WithLXC(), testhost.WithDomainHooks()}, nil)
	s.DefineAndStart(t, testhost.Isolated("front", 81))
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.DefineContainer(t, testhost.Container{Name: "c", NICs: nics("front")})
	s.ours.WaitN(t, 2)
	for uri, guest := range map[string]string{"qemu:///system": "g", "lxc:///system": "c"} {
		s.ours.Clear(t)
		rule := s.Native().Set(t, guest, "start", testhost.Rule{Exit: 1, Stderr: "not today"})
		s.refused(uri, guest, "not today")
		calls := summary(t, s.ours.WaitN(t, 2))
		if diff := cmp.Diff([]string{"front plugged " + guest + " " + mac(1), "front unplugged " + guest + " " + mac(1)}, calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		rule.Remove(t)
	}
}

// A network is started with its hook first.
func TestNetworkStartByHand(t *testing.T) {
	s := undoScene(t, nil)
	start := func() (string, error) {
		out, err := s.Command(t.Context(), binary(t), "network", "start", "front").CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	s.Define(t, testhost.Isolated("front", 81))
	if out, err := start(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := start(); err == nil || !strings.Contains(out, "active already") {
		t.Errorf("started twice: %v %s", err, out)
	}
	s.Virsh(t, "net-destroy", "front")
	s.ours.WaitN(t, 3)
	s.Native().Clear(t)

	rule := s.ours.Set(t, "front", "start", refusal)
	if out, err := start(); err == nil || !strings.Contains(out, "network front is not started") || !strings.Contains(out, "no address left") {
		t.Errorf("a refused start: %v %s", err, out)
	}
	if calls := s.Native().MustCalls(t); len(calls) > 0 {
		t.Errorf("libvirt was asked: %s", testhost.Summary(calls))
	}
	rule.Remove(t)

	rule = s.ours.Set(t, "front", "started", refusal)
	if out, err := start(); err == nil || !strings.Contains(out, "no address left") || !strings.Contains(out, "the network was destroyed") {
		t.Errorf("a refused started: %v %s", err, out)
	}
	if s.activeNetwork("front") {
		t.Error("the network is up")
	}
	rule.Remove(t)
	s.madeInAll(
		"front start", "front started", "front stopped", // as it should be
		"front start",                                   // refused
		"front start", "front started", "front stopped", // taken down again
	)
}
