//go:build e2e

package testhost

import "testing"

func TestContainer(t *testing.T) {
	t.Parallel()
	h := Start(t, WithLXC())
	h.DefineAndStart(t, Isolated("a", 41))
	h.DefineAndStart(t, Isolated("b", 42))
	h.Native().Clear(t)

	h.CreateContainer(t, Container{Name: "c", NICs: cards("a", "b")})
	wantCalls(t, h.Native(), port("a", "created", 1), port("b", "created", 2))
	h.VirshLXC(t, "destroy", "c")

	c := Container{Name: "c", NICs: cards("a", "b"), Root: h.MakeRoot(t), Init: true}
	h.StartContainer(t, c)
	h.Native().Clear(t)
	third := NIC{Network: "b", MAC: MAC(3)}
	h.AttachToContainer(t, "c", third)
	h.DetachFromContainer(t, "c", third)
	wantCalls(t, h.Native(), port("b", "created", 3), port("b", "deleted", 3))

	h.Native().Clear(t)
	h.RebootContainer(t, "c")
	wantCalls(t, h.Native(), port("a", "deleted", 1), port("b", "deleted", 2), port("a", "created", 1), port("b", "created", 2))
	h.AwaitContainer(t, c, 2)

	h.Native().Clear(t)
	h.VirshLXC(t, "destroy", "c")
	wantCalls(t, h.Native(), port("a", "deleted", 1), port("b", "deleted", 2))
}

func TestContainersSideBySide(t *testing.T) {
	t.Parallel()
	for range 2 {
		t.Run("host", func(t *testing.T) {
			t.Parallel()
			h := Start(t, WithLXC())
			h.CreateNetwork(t, Isolated("n1", 41))
			wantCalls(t, h.Native(), "n1 start", "n1 started")
			h.CreateContainer(t, Container{Name: "c", NICs: cards("n1"), Init: true})
			calls := h.Native().MustCalls(t) // it may have been started more than once
			if got, want := brief(calls[len(calls)-1]), port("n1", "created", 1); got != want {
				t.Errorf("last call %q, want %q", got, want)
			}
			h.Native().Clear(t)
			h.ShutdownContainer(t, "c")
			wantCalls(t, h.Native(), port("n1", "deleted", 1))
		})
	}
}
