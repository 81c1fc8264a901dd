//go:build e2e

package testhost

import (
	"slices"
	"syscall"
	"testing"
)

func TestGuestWithTwoCards(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.DefineAndStart(t, NAT("n1", 41))
	h.Native().Clear(t)
	h.StartGuest(t, Guest{Name: "g", NICs: cards("n1", "n1")})
	wantCalls(t, h.Native(), port("n1", "created", 1), port("n1", "created", 2))
	h.Native().Clear(t)
	h.Virsh(t, "destroy", "g")
	wantCalls(t, h.Native(), port("n1", "deleted", 1), port("n1", "deleted", 2))
}

func TestTransientGuest(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.CreateNetwork(t, Isolated("n1", 41))
	h.Native().Clear(t)
	h.CreateGuest(t, Guest{Name: "g", NICs: cards("n1")})
	h.Virsh(t, "destroy", "g")
	wantCalls(t, h.Native(), port("n1", "created", 1), port("n1", "deleted", 1))
	if out := h.Virsh(t, "list", "--all", "--name"); out != "" {
		t.Errorf("guests left: %q", out)
	}
}

func TestHotPlugAndMove(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.DefineAndStart(t, Isolated("a", 41))
	h.DefineAndStart(t, Isolated("b", 42))
	h.StartGuest(t, Guest{Name: "g"})
	h.Native().Clear(t)
	h.Attach(t, "g", NIC{Network: "a", MAC: MAC(1)})
	wantCalls(t, h.Native(), port("a", "created", 1))
	h.Native().Clear(t)
	h.Update(t, "g", NIC{Network: "b", MAC: MAC(1)})
	wantCalls(t, h.Native(), port("b", "created", 1), port("a", "deleted", 1))
}

func TestHotUnplugWithAnsweringGuest(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.DefineAndStart(t, Isolated("n1", 41))
	h.BootGuest(t, Guest{Name: "g", NICs: cards("n1")})
	h.Native().Clear(t)

	second := NIC{Network: "n1", MAC: MAC(2)}
	h.Attach(t, "g", second)
	h.Detach(t, "g", second)
	wantCalls(t, h.Native(), port("n1", "created", 2), port("n1", "deleted", 2))
	h.Detach(t, "g", cards("n1")[0])
	wantCalls(t, h.Native(), port("n1", "created", 2), port("n1", "deleted", 2), port("n1", "deleted", 1))

	h.Attach(t, "g", second)
	h.Native().Clear(t)
	h.RebootFromInside(t, "g")
	h.PowerOffFromInside(t, "g")
	wantCalls(t, h.Native(), port("n1", "deleted", 2))
}

func TestGuestOutlivesDaemon(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.DefineAndStart(t, Isolated("n1", 41))
	h.StartGuest(t, Guest{Name: "g", NICs: cards("n1", "n1")})
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		before := h.DaemonPID(t)
		h.Native().Clear(t)
		h.RestartDaemon(t, sig)
		if h.DaemonPID(t) == before {
			t.Errorf("%v: libvirtd was not restarted", sig)
		}
		// The ports come back in no fixed order.
		var got []string
		for _, c := range h.Native().WaitN(t, 2) {
			got = append(got, brief(c))
		}
		slices.Sort(got)
		if want := []string{port("n1", "created", 1), port("n1", "created", 2)}; !slices.Equal(got, want) {
			t.Errorf("%v: calls %q, want %q", sig, got, want)
		}
		if state := h.Virsh(t, "domstate", "g"); state != "running\n" && state != "running" {
			t.Errorf("%v: the guest is %q", sig, state)
		}
	}
}

func TestGuestOverDevice(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.AddLink(t, "up0", "up0peer")
	h.DefineAndStart(t, Direct("n1", "bridge", "up0"))
	h.Native().Clear(t)
	h.CreateGuest(t, Guest{Name: "g", NICs: cards("n1")})
	h.Virsh(t, "destroy", "g")
	wantCalls(t, h.Native(), port("n1", "created", 1), port("n1", "deleted", 1))
}

func TestDomainHooksShareTheLog(t *testing.T) {
	t.Parallel()
	h := Start(t, WithDomainHooks())
	h.CreateNetwork(t, Isolated("n1", 41))
	h.Native().Clear(t)
	h.CreateGuest(t, Guest{Name: "g", NICs: cards("n1")})
	h.Virsh(t, "destroy", "g")
	wantCalls(t, h.Native(), "g prepare", port("n1", "created", 1), "g start", "g started",
		"g stopped", port("n1", "deleted", 1), "g release")
}
