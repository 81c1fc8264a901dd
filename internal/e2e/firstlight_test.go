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

// A NAT network with DHCP, a QEMU guest with two interfaces, hot-plug, guest
// stop, network stop.
func TestLifeOfNATNetworkAndGuest(t *testing.T) {
	h := testhost.Start(t)
	ours := h.InstallRecorder(t, hookDir)
	b := startBridge(t, h, "--connect", "qemu:///system", "--ops", classic)
	native := h.Native()

	h.DefineAndStart(t, testhost.NAT("front", 81))
	h.DefineAndStart(t, testhost.Isolated("back", 82))
	ours.WaitN(t, 4)

	h.StartGuest(t, testhost.Guest{Name: "g", NICs: []testhost.NIC{
		{Network: "front", MAC: testhost.MAC(1)},
		{Network: "back", MAC: testhost.MAC(2)},
	}})
	ours.WaitN(t, 6)

	h.Attach(t, "g", testhost.NIC{Network: "front", MAC: testhost.MAC(3)})
	ours.WaitN(t, 7)

	h.Virsh(t, "destroy", "g")
	ours.WaitN(t, 10)

	h.Virsh(t, "net-destroy", "front")
	h.Virsh(t, "net-destroy", "back")
	ours.WaitN(t, 12)

	b.stop(t)
	compare(t, native.MustCalls(t), ours.MustCalls(t))
}

// Hot-unplug needs a guest that gives the interface back.
func TestHotUnplug(t *testing.T) {
	h := testhost.Start(t)
	ours := h.InstallRecorder(t, hookDir)
	b := startBridge(t, h, "--connect", "qemu:///system", "--ops", classic)

	h.DefineAndStart(t, testhost.NAT("front", 81))
	extra := testhost.NIC{Network: "front", MAC: testhost.MAC(2)}
	h.BootGuest(t, testhost.Guest{Name: "g", NICs: []testhost.NIC{{Network: "front", MAC: testhost.MAC(1)}}})
	h.Attach(t, "g", extra)
	ours.WaitN(t, 4)
	h.Detach(t, "g", extra)
	ours.WaitFor(t, "front", "unplugged")
	h.Virsh(t, "destroy", "g")
	ours.WaitN(t, 6)
	h.Virsh(t, "net-destroy", "front")
	ours.WaitN(t, 7)

	b.stop(t)
	compare(t, h.Native().MustCalls(t), ours.MustCalls(t))
}

// A transient guest on a transient network: nothing is left to be read once they
// are gone.
func TestTransientObjects(t *testing.T) {
	h := testhost.Start(t)
	ours := h.InstallRecorder(t, hookDir)
	b := startBridge(t, h, "--connect", "qemu:///system", "--ops", classic)

	h.CreateNetwork(t, testhost.Isolated("front", 81))
	h.CreateGuest(t, testhost.Guest{Name: "g", NICs: []testhost.NIC{{Network: "front", MAC: testhost.MAC(1)}}})
	ours.WaitN(t, 3)
	h.Virsh(t, "destroy", "g")
	h.Virsh(t, "net-destroy", "front")
	ours.WaitN(t, 5)

	b.stop(t)
	compare(t, h.Native().MustCalls(t), ours.MustCalls(t))
	for _, c := range ours.MustCalls(t) {
		if c.Op() != "unplugged" {
			continue
		}
		for _, want := range []string{"<domain type='qemu' id='1'>", "<target dev='vnet0'/>", "<alias name='net0'/>"} {
			if !strings.Contains(string(c.Stdin), want) {
				t.Errorf("unplugged does not carry the last live document: no %s in\n%s", want, c.Stdin)
			}
		}
	}
}

// libvirt keeps no document of a transient network from before it was set up. Its
// firewall code has filled in the port range of a NAT network by then, and the
// INACTIVE flag gives the live document: start is told a little more than
// natively.
func TestStartOfTransientNATNetworkKnowsThePortRange(t *testing.T) {
	h := testhost.Start(t)
	ours := h.InstallRecorder(t, hookDir)
	startBridge(t, h, "--connect", "qemu:///system", "--ops", classic)
	h.CreateNetwork(t, testhost.NAT("front", 81))
	got := ours.WaitN(t, 2)
	native := h.Native().MustCalls(t)
	const more = "<forward mode='nat'>\n      <nat>\n        <port start='1024' end='65535'/>\n      </nat>\n    </forward>"
	want := strings.Replace(string(native[0].Stdin), "<forward mode='nat'/>", more, 1)
	if diff := cmp.Diff(want, string(got[0].Stdin)); diff != "" {
		t.Errorf("start (-native with the port range +hookbridge):\n%s", diff)
	}
	if diff := cmp.Diff(string(native[1].Stdin), string(got[1].Stdin)); diff != "" {
		t.Errorf("started (-native +hookbridge):\n%s", diff)
	}
}

// What the script gets besides arguments and stdin is what libvirt gives, and
// two variables more.
func TestEnvironment(t *testing.T) {
	h := testhost.Start(t)
	ours := h.InstallRecorder(t, hookDir)
	startBridge(t, h, "--connect", "qemu:///system", "--ops", classic)
	h.CreateNetwork(t, testhost.Isolated("back", 82))
	ours.WaitN(t, 2)
	native := h.Native().MustCalls(t)
	for i, c := range ours.MustCalls(t) {
		var own []string
		theirs := slices.DeleteFunc(slices.Clone(c.Env), func(v string) bool {
			if strings.HasPrefix(v, "HOOKBRIDGE_") {
				own = append(own, v)
				return true
			}
			return false
		})
		if diff := cmp.Diff(sorted(native[i].Env), sorted(theirs)); diff != "" {
			t.Errorf("%s: environment (-native +hookbridge):\n%s", c, diff)
		}
		// The status file may tell before the event does.
		cause := slices.ContainsFunc(own, func(v string) bool {
			return v == "HOOKBRIDGE_CAUSE=event" || v == "HOOKBRIDGE_CAUSE=kick" || v == "HOOKBRIDGE_CAUSE=reconcile"
		})
		if len(own) != 2 || !cause {
			t.Errorf("%s: hookbridge's own variables are %q", c, own)
		}
		if c.Cwd != "/" || c.Cwd != native[i].Cwd {
			t.Errorf("%s: working directory %s, native %s", c, c.Cwd, native[i].Cwd)
		}
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// A host without libvirtd is told of once; when libvirtd comes up, so does the
// agent.
func TestLibvirtdComesLater(t *testing.T) {
	h := testhost.Start(t, testhost.WithoutDaemon())
	ours := h.InstallRecorder(t, hookDir)
	b := launchBridge(t, h, "--connect", "qemu:///system", "--ops", classic)
	b.awaitLine(t, "trying again")
	h.StartDaemon(t)
	b.awaitLine(t, "watching")
	h.CreateNetwork(t, testhost.Isolated("back", 82))
	ours.WaitN(t, 2)
	b.stop(t)
	if n := strings.Count(b.text(), "trying again"); n != 1 {
		t.Errorf("told %d times that there is no libvirtd", n)
	}
	compare(t, h.Native().MustCalls(t), ours.MustCalls(t))
}

// SIGINT ends an agent that has nothing to talk to, with status 0.
func TestInterruptWithoutLibvirtd(t *testing.T) {
	h := testhost.Start(t, testhost.WithoutDaemon())
	b := launchBridge(t, h, "--connect", "qemu:///system")
	b.awaitLine(t, "trying again")
	if err := b.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
}

// Neither a missing hook directory nor a script that cannot run ends the agent
// or is taken for anything else.
func TestScriptsThatCannotRun(t *testing.T) {
	h := testhost.Start(t)
	b := startBridge(t, h, "--connect", "qemu:///system", "--ops", classic)
	h.CreateNetwork(t, testhost.Isolated("none", 81)) // no directory
	b.awaitLine(t, "no hook script")

	h.WriteFile(t, hookDir+"/network", []byte("#!/bin/sh\n"), 0o644)
	h.CreateNetwork(t, testhost.Isolated("mode", 82))
	b.awaitLine(t, "Non-executable hook script "+hookDir+"/network; remedy: chmod a+x "+hookDir+"/network")

	h.WriteFile(t, hookDir+"/network", []byte("#!/no/such/interpreter\n"), 0o755)
	h.Virsh(t, "net-destroy", "none")
	b.awaitLine(t, "/no/such/interpreter")

	ours := h.InstallRecorder(t, hookDir)
	h.Virsh(t, "net-destroy", "mode")
	ours.WaitFor(t, "mode", "stopped")
	b.stop(t)
}
