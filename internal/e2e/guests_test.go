//go:build e2e

package e2e

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hookbridge/internal/testhost"
)

// A guest's interfaces are plugged in document order, whatever they are: several
// in one network, two with one MAC, one that merely names the same bridge.
func TestManyInterfaces(t *testing.T) {
	s := newScene(t)
	s.AddBridge(t, "hostbr0")
	s.DefineAndStart(t, testhost.Network{Name: "front", Forward: "nat", Bridge: "virbr7", Subnet: 81})
	s.DefineAndStart(t, testhost.HostBridge("hostbridge", "hostbr0"))
	s.settle()
	cards := nics("front", "hostbridge", "front", "hostbridge", "front")
	cards[4].MAC = cards[0].MAC
	cards = append(cards,
		testhost.NIC{Bridge: "hostbr0", MAC: testhost.MAC(20)}, testhost.NIC{Bridge: "virbr7", MAC: testhost.MAC(21)})
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: cards})
	s.virsh(cmdline("destroy", "g"))
	s.end()
}

func TestDirectNetworks(t *testing.T) {
	s := newScene(t)
	s.AddLink(t, "card0", "card1")
	s.AddLink(t, "card2", "card3")
	for name, mode := range map[string]string{"b": "bridge", "v": "vepa", "p": "private"} {
		s.DefineAndStart(t, testhost.Direct(name, mode, "card0"))
	}
	s.DefineAndStart(t, testhost.Direct("through", "passthrough", "card2"))
	s.settle()
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("b", "v", "p", "through")})
	s.virsh(cmdline("destroy", "g"))
	s.end()
}

func TestPortgroups(t *testing.T) {
	s := newScene(t)
	n := testhost.NAT("front", 81)
	n.Extra = "<portgroup name='slow'/><portgroup name='any' default='yes'/>"
	s.DefineAndStart(t, n)
	cards := nics("front", "front")
	cards[0].Group = "slow"
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: cards})
	s.virsh(cmdline("destroy", "g"))
	s.end()
}

// Suspend, resume, reset and reboot change nothing about networks.
func TestNoCallWithoutAChange(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.settle()
	s.virsh(
		cmdline("suspend", "g"), cmdline("resume", "g"), cmdline("reset", "g"),
		cmdline("setmem", "g", "24M", "--config"), cmdline("desc", "g", "--live", "--title", "new title"),
		cmdline("destroy", "g"),
	)
	s.end()
}

func TestSaveAndRestore(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.settle()
	file := filepath.Join(s.Scratch(), "g.save")
	s.virsh(
		cmdline("save", "g", file), cmdline("restore", file),
		cmdline("managedsave", "g"), cmdline("start", "g"),
		cmdline("destroy", "g"),
	)
	s.end()
}

func TestGuestTurnsItselfOff(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.BootGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.settle()
	s.RebootFromInside(t, "g")
	s.settle()
	s.PowerOffFromInside(t, "g")
	s.Native().WaitN(t, 6)
	s.end()
}

func TestCrashedGuest(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.CreateGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	s.settle()
	pid, err := strconv.Atoi(strings.TrimSpace(string(must(s.Command(t.Context(), "cat", "/run/libvirt/qemu/g.pid").Output()))))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Command(t.Context(), "kill", "-9", strconv.Itoa(pid)).Run(); err != nil {
		t.Fatal(err)
	}
	s.Native().WaitN(t, 6)
	s.end()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestHotPlugAndHotUnplug(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.NAT("back", 82))
	s.BootGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.settle()
	for i, network := range []string{"back", "front", "back"} {
		s.Attach(t, "g", testhost.NIC{Network: network, MAC: testhost.MAC(10 + i)})
		s.settle()
	}
	for i, network := range []string{"back", "front"} {
		s.Detach(t, "g", testhost.NIC{Network: network, MAC: testhost.MAC(10 + i)})
		s.Native().WaitN(t, 4+4+i+1)
		s.settle()
	}
	// The same card again. Settled before the guest goes: where nothing but a
	// comparison tells, a card that comes and goes between two is never seen.
	s.Attach(t, "g", testhost.NIC{Network: "front", MAC: testhost.MAC(10)})
	s.settle()
	s.virsh(cmdline("destroy", "g"))
	s.end()
}

// A device update that moves a card has no event: the status file tells.
func TestDeviceUpdate(t *testing.T) {
	s := newScene(t)
	s.AddBridge(t, "hostbr0")
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.NAT("back", 82))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back")})
	s.settle()
	for _, network := range []string{"back", "front", "back"} {
		s.Update(t, "g", testhost.NIC{Network: network, MAC: testhost.MAC(1)})
		s.settle()
	}
	s.virsh(cmdline("destroy", "g"))
	s.end()
	for _, c := range s.ours.MustCalls(t) {
		if e := entryOf(t, c); e.Op == "unplugged" && e.Network == "front" {
			// The old card is still listed, as natively.
			if !strings.Contains(string(c.Stdin), "<source network='front'") {
				t.Errorf("unplugged does not show the card in its old network:\n%s", c.Stdin)
			}
		}
	}
}

// A link-state change makes libvirt allocate the place and give it back in one
// breath; nobody outside can see that.
func TestLinkState(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.settle()
	before := len(s.Native().MustCalls(t))
	s.Virsh(t, "domif-setlink", "g", testhost.MAC(1), "down")
	pair := len(s.Native().MustCalls(t)) - before
	seen := 0
	s.except(allowance{name: "a link-state change", limit: pair, native: func(e entry) bool {
		if e.MAC == "" {
			return false
		}
		seen++
		return seen > 1 // the first plugged is the guest's start
	}})
	s.virsh(cmdline("destroy", "g"))
	s.end()
}

// A guest that fails to start was never seen from outside.
func TestGuestThatDoesNotStart(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.Define(t, testhost.NAT("down", 82))
	s.DefineGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "down")})
	before := len(s.Native().MustCalls(t))
	if out, err := s.VirshErr("start", "g"); err == nil {
		t.Fatalf("the guest started: %s", out)
	}
	s.except(allowance{
		name: "a guest start that failed", limit: len(s.Native().MustCalls(t)) - before,
		native: func(e entry) bool { return e.Guest == "g" },
	})
	s.Virsh(t, "net-start", "down")
	s.virsh(cmdline("start", "g"), cmdline("destroy", "g"))
	s.end()
}

func TestGuestDiesWhileLibvirtdIsDown(t *testing.T) {
	s := newScene(t)
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.CreateGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.settle()
	pid := strings.TrimSpace(string(must(s.Command(t.Context(), "cat", "/run/libvirt/qemu/g.pid").Output())))
	s.KillDaemon(t)
	if err := s.Command(t.Context(), "kill", "-9", pid).Run(); err != nil {
		t.Fatal(err)
	}
	s.StartDaemon(t)
	s.Native().WaitFor(t, "front", "port-deleted")
	plugged := 0
	s.except(allowance{
		// 1.2.2 finds the guest dead before it looks at its interfaces; 9.0 goes
		// through the ports of its networks first (networkUpdateState).
		name: "a guest that died while libvirtd was down: its ports again, then gone", limit: 1,
		native: func(e entry) bool {
			if e.Op == "plugged" {
				plugged++
			}
			return e.Op == "plugged" && plugged > 1
		},
	})
	s.end()
}

// Reverting to a snapshot that needs another QEMU process is a stop and a start.
func TestSnapshotRevert(t *testing.T) {
	s := newScene(t)
	disk := filepath.Join(s.Scratch(), "g.qcow2")
	if out, err := s.Command(t.Context(), "qemu-img", "create", "-f", "qcow2", disk, "16M").CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartGuest(t, testhost.Guest{
		Name: "g", NICs: nics("front"),
		Devices: "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='" + disk + "'/><target dev='hda'/></disk>",
	})
	s.settle()
	s.virsh(
		cmdline("snapshot-create-as", "g", "running"),
		cmdline("snapshot-revert", "g", "running"),
		cmdline("destroy", "g"),
		cmdline("snapshot-create-as", "g", "off"),
		cmdline("snapshot-revert", "g", "running"),
		cmdline("snapshot-revert", "g", "off"),
	)
	s.end()
}

// Migration between two hosts: plugged at the target, unplugged at the source.
func TestMigration(t *testing.T) {
	source, target := newScene(t), joinScene(t)
	for _, s := range []*scene{source, target} {
		s.DefineAndStart(t, testhost.NAT("front", 81))
	}
	source.CreateGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	source.settle()
	// A directory that both hosts see under one name.
	socket := filepath.Join(source.Scratch(), "migration.sock")
	out, err := exec.Command("virsh", "-c", source.URI("qemu:///system"), "migrate", "--live", "--unsafe", "g",
		"--desturi", target.URI("qemu:///system"), "--migrateuri", "unix://"+socket).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh migrate: %v\n%s", err, out)
	}
	source.settle()
	target.settle()
	target.virsh(cmdline("destroy", "g"))
	source.end()
	target.end()
}
