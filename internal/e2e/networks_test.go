//go:build e2e

package e2e

import (
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/testhost"
)

func TestEveryForwardMode(t *testing.T) {
	s := newScene(t)
	s.AddBridge(t, "hostbr0")
	s.AddLink(t, "card0", "card1")
	for i, n := range []testhost.Network{
		testhost.NAT("nat", 81), testhost.Isolated("isolated", 82), testhost.Routed("routed", 83), testhost.Open("open", 84),
		testhost.HostBridge("hostbridge", "hostbr0"),
		testhost.Direct("macvtap", "bridge", "card0"), testhost.Direct("private", "private", "card0"),
		testhost.Direct("vepa", "vepa", "card0"), testhost.Direct("passthrough", "passthrough", "card0"),
	} {
		s.DefineAndStart(t, n)
		s.settle()
		if i%2 == 0 {
			s.virsh(cmdline("net-destroy", n.Name))
		}
	}
	s.end()
}

func TestDocumentsThatAreHardToCopy(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.Documented("documented", 81))
	s.settle()
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("documented", "documented")})
	s.virsh(cmdline("destroy", "g"), cmdline("net-destroy", "documented"))
	s.end()
}

func TestOddNames(t *testing.T) {
	s := newScene(t)
	for _, name := range testhost.OddNames {
		s.DefineAndStart(t, testhost.Network{Name: name})
		s.settle()
	}
	for _, name := range testhost.OddNames {
		s.virsh(cmdline("net-destroy", "--network", name))
	}
	s.end()
}

func TestDefiningAndUndefiningCallNothing(t *testing.T) {
	s := newScene(t)
	s.Define(t, testhost.Isolated("idle", 81))
	s.Virsh(t, "net-undefine", "idle")
	s.DefineAndStart(t, testhost.Isolated("active", 82))
	s.virsh(cmdline("net-undefine", "active"), cmdline("net-destroy", "active"))
	s.end()
}

func TestNetworkRestart(t *testing.T) {
	needs(t, "kicks", "the network is down for milliseconds only, less than a comparison sees")
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	for range 3 {
		s.Virsh(t, "net-destroy", "front")
		s.Virsh(t, "net-start", "front")
	}
	s.virsh(cmdline("net-destroy", "front"))
	s.end()
}

// net-update has no event; the status file tells.
func TestNetworkUpdate(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.settle()
	s.virsh(
		cmdline("net-update", "front", "add", "ip-dhcp-host", "<host mac='52:54:00:00:00:99' ip='192.168.81.99'/>", "--live", "--config"),
		cmdline("net-update", "front", "add", "dns-host", "<host ip='192.168.81.98'><hostname>db</hostname></host>", "--live"),
		cmdline("net-destroy", "front"),
		cmdline("net-start", "front"),
		cmdline("net-destroy", "front"),
	)
	s.end()
}

// A failing start: nothing was up, nothing is announced by the observer.
func TestNetworkThatDoesNotStart(t *testing.T) {
	s := newScene(t)
	s.Define(t, testhost.Network{Name: "broken", Bridge: "virbr9", Subnet: 81})
	s.AddBridge(t, "virbr9") // taken
	if out, err := s.VirshErr("net-start", "broken"); err == nil {
		t.Fatalf("the network started: %s", out)
	}
	n := 0
	for _, c := range s.Native().MustCalls(t) {
		if c.Object() == "broken" {
			n++
		}
	}
	s.except(allowance{name: "a network that failed to start", native: func(e entry) bool { return e.Network == "broken" }, limit: n})
	s.DefineAndStart(t, testhost.Isolated("fine", 82))
	s.end()
}

// At SIGHUP libvirtd starts the inactive networks that are marked for it, without
// an event.
func TestAutostartAtReload(t *testing.T) {
	s := newScene(t)
	s.Define(t, testhost.Isolated("auto", 81))
	s.Virsh(t, "net-autostart", "auto")
	s.SignalDaemon(t, syscall.SIGHUP)
	s.Native().WaitFor(t, "auto", "started")
	s.settle()
	s.virsh(cmdline("net-destroy", "auto"))
	s.end()
	if causes := s.causes("started"); lacking() == nil && (len(causes) != 1 || causes[0] != "kick") {
		t.Errorf("started because of %q, want a kick", causes)
	}
}

// The guest lives on without its network. libvirt 9.0 deletes the port with the
// network and says nothing more; 1.2.2 calls unplugged when the guest goes.
func TestNetworkDestroyedBelowAGuest(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.NAT("back", 82))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back")})
	s.virsh(cmdline("net-destroy", "front"))
	s.Virsh(t, "destroy", "g")
	s.except(allowance{
		name: "a network destroyed below a guest: unplugged comes later",
		ours: func(e entry) bool { return e.Op == "unplugged" && e.Network == "front" }, limit: 1,
	})
	s.end()
}

func TestDaemonRestartWithRunningGuests(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"orderly": syscall.SIGTERM, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.DefineAndStart(t, testhost.NAT("front", 81))
			s.DefineAndStart(t, testhost.NAT("back", 82))
			s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
			s.StartGuest(t, testhost.Guest{Name: "h", NICs: []testhost.NIC{{Network: "back", MAC: testhost.MAC(9)}}})
			s.settle()
			s.RestartDaemon(t, sig)
			s.Native().WaitN(t, 8)
			s.settle()
			s.virsh(cmdline("destroy", "g"), cmdline("destroy", "h"), cmdline("net-destroy", "front"), cmdline("net-destroy", "back"))
			s.end()
			if diff := cmp.Diff([]string{"event", "event", "restart", "restart"}, s.causes("plugged")); lacking() == nil && diff != "" {
				t.Errorf("causes of plugged (-want +got):\n%s", diff)
			}
		})
	}
}

// libvirt 9.0 walks through its ports in no order; 1.2.2 went through the guest's
// interfaces, and so does hookbridge. The counts go up from 1 in both.
func TestDaemonRestartWithManyInterfaces(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front", "front")})
	s.settle()
	s.RestartDaemon(t, syscall.SIGTERM)
	native := s.Native().WaitN(t, 8)[5:]
	ours := s.ours.WaitN(t, 8)[5:]
	s.b.stop(t)
	var want, got []string
	for i := range native {
		want = append(want, entryOf(t, native[i]).String())
		got = append(got, entryOf(t, ours[i]).String())
		if diff := cmp.Diff(networkOf(native[i]), networkOf(ours[i])); diff != "" {
			t.Errorf("network document (-native +hookbridge):\n%s", diff)
		}
	}
	if !slices.IsSorted(got) {
		t.Errorf("not in document order: %q", got)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plugged again (-native +hookbridge):\n%s", diff)
	}
}
