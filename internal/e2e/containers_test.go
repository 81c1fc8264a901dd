//go:build e2e

package e2e

import (
	"syscall"
	"testing"

	"hookbridge/internal/testhost"
)

func TestContainerLife(t *testing.T) {
	s := newScene(t, testhost.WithLXC())
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.DefineAndStart(t, testhost.Isolated("back", 82))
	s.settle()
	s.StartContainer(t, testhost.Container{Name: "c", NICs: nics("front", "back", "front")})
	s.settle()
	s.VirshLXC(t, "destroy", "c")
	s.settle()
	s.VirshLXC(t, "start", "c")
	s.settle()
	s.VirshLXC(t, "destroy", "c")
	s.end()
}

// LXC announces no device: the status file tells.
func TestContainerHotPlug(t *testing.T) {
	s := newScene(t, testhost.WithLXC())
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.CreateContainer(t, testhost.Container{Name: "c", NICs: nics("front"), Init: true})
	s.settle()
	extra := testhost.NIC{Network: "front", MAC: testhost.MAC(7)}
	s.AttachToContainer(t, "c", extra)
	s.settle()
	s.DetachFromContainer(t, "c", extra)
	s.settle()
	s.VirshLXC(t, "destroy", "c")
	s.end()
}

// A container that reboots itself gets another init process, and libvirt
// announces no stop and no start.
func TestContainerReboot(t *testing.T) {
	s := newScene(t, testhost.WithLXC())
	s.DefineAndStart(t, testhost.NAT("front", 81))
	c := testhost.Container{Name: "c", NICs: nics("front"), Root: s.MakeRoot(t), Init: true}
	s.StartContainer(t, c)
	s.settle()
	s.RebootContainer(t, "c")
	s.AwaitContainer(t, c, 2)
	s.settle()
	s.VirshLXC(t, "destroy", "c")
	s.end()
}

// Guests of two drivers in one network: the network's own calls come once.
func TestGuestsOfTwoDrivers(t *testing.T) {
	s := newScene(t, testhost.WithLXC())
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.settle()
	s.StartGuest(t, testhost.Guest{Name: "g", NICs: []testhost.NIC{{Network: "front", MAC: testhost.MAC(1)}}})
	s.settle()
	s.StartContainer(t, testhost.Container{Name: "c", NICs: []testhost.NIC{{Network: "front", MAC: testhost.MAC(2)}}})
	s.settle()
	s.virsh(cmdline("destroy", "g"))
	s.VirshLXC(t, "destroy", "c")
	s.virsh(cmdline("net-destroy", "front"))
	s.end()
}

// After a restart of libvirtd 9.0 the ports of containers are announced again;
// 1.2.2 announced QEMU's only.
func TestDaemonRestartWithContainer(t *testing.T) {
	s := newScene(t, testhost.WithLXC())
	s.DefineAndStart(t, testhost.NAT("front", 81))
	s.StartContainer(t, testhost.Container{Name: "c", NICs: nics("front")})
	s.settle()
	s.RestartDaemon(t, syscall.SIGTERM)
	s.Native().WaitN(t, 4)
	plugged := 0
	s.except(allowance{
		name: "a restart of libvirtd with containers", limit: 1,
		native: func(e entry) bool {
			if e.Op == "plugged" {
				plugged++
			}
			return e.Op == "plugged" && plugged%2 == 0 // the second
		},
	})
	s.b.awaitLines(t, "msg=watching", 4)
	s.VirshLXC(t, "destroy", "c")
	s.end()
}
