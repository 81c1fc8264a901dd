//go:build e2e

package testhost

import (
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNativeNetworkCalls(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.Define(t, NAT("n1", 41))
	inactive := h.Virsh(t, "net-dumpxml", "--inactive", "n1")
	h.Virsh(t, "net-start", "n1")
	live := h.Virsh(t, "net-dumpxml", "n1")
	h.Virsh(t, "net-destroy", "n1")

	calls := wantCalls(t, h.Native(), "n1 start", "n1 started", "n1 stopped")
	for i, want := range []struct {
		sub, document string
	}{{"begin", inactive}, {"begin", live}, {"end", live}} {
		c := calls[i]
		if diff := cmp.Diff(hookData(want.document), string(c.Stdin)); diff != "" {
			t.Errorf("%s: stdin (-want +got):\n%s", c, diff)
		}
		argv := []string{"/etc/libvirt/hooks/network", "n1", c.Op(), want.sub, "-"}
		if diff := cmp.Diff(argv, c.Args); diff != "" {
			t.Errorf("arguments (-want +got):\n%s", diff)
		}
		env := append([]string{"LC_ALL=C"}, insideEnv()...)
		if diff := cmp.Diff(env, c.Env); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
		if c.Cwd != "/" {
			t.Errorf("working directory %q", c.Cwd)
		}
	}
}

func TestEveryForwardModeStarts(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.AddBridge(t, "br9")
	h.AddLink(t, "up0", "up0peer")
	for _, n := range []Network{
		NAT("nat", 41), Isolated("isolated", 42), Routed("routed", 43), Open("open", 44),
		HostBridge("bridged", "br9"),
		Direct("direct", "bridge", "up0"), Direct("private", "private", "up0"),
		Direct("vepa", "vepa", "up0"), Direct("passthrough", "passthrough", "up0"),
		Documented("documented", 45),
	} {
		h.Native().Clear(t)
		h.DefineAndStart(t, n)
		h.Virsh(t, "net-destroy", n.Name)
		wantCalls(t, h.Native(), n.Name+" start", n.Name+" started", n.Name+" stopped")
	}
}

func TestOddNamesReachTheHook(t *testing.T) {
	t.Parallel()
	h := Start(t)
	for _, name := range OddNames {
		h.Native().Clear(t)
		h.CreateNetwork(t, Network{Name: name})
		h.Virsh(t, "net-destroy", "--network", name)
		wantCalls(t, h.Native(), name+" start", name+" started", name+" stopped")
	}
}

func TestNativeHookCanRefuse(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.Define(t, Isolated("n1", 41))
	rule := h.Native().Set(t, "n1", "start", Rule{Exit: 3, Stderr: "refused by the script\n"})
	_, err := h.VirshErr("net-start", "n1")
	if err == nil || !strings.Contains(err.Error(), "refused by the script") || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("net-start: %v", err)
	}
	wantCalls(t, h.Native(), "n1 start")
	rule.Remove(t)
	h.Virsh(t, "net-start", "n1")
	wantCalls(t, h.Native(), "n1 start", "n1 start", "n1 started")
}

func TestNativeHookCanBeHeld(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.Define(t, Isolated("n1", 41))
	rule := h.Native().Set(t, "n1", "started", Rule{Hold: true})
	done := make(chan error, 1)
	go func() {
		_, err := h.VirshErr("net-start", "n1")
		done <- err
	}()
	h.Native().WaitFor(t, "n1", "started")
	select {
	case err := <-done:
		t.Fatalf("net-start did not wait for the hook: %v", err)
	default:
	}
	rule.Release(t)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestReloadStartsAutostartNetworks(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.Define(t, Isolated("n1", 41))
	h.Virsh(t, "net-autostart", "n1")
	h.SignalDaemon(t, syscall.SIGHUP)
	wantCalls(t, h.Native(), "n1 start", "n1 started")
}

func TestRecorderElsewhereIsNotCalledByLibvirt(t *testing.T) {
	t.Parallel()
	h := Start(t, WithoutNativeHooks())
	l := h.InstallRecorder(t, "/etc/hookbridge-test/hooks")
	h.CreateNetwork(t, Isolated("n1", 41))
	h.run(t, "/etc/hookbridge-test/hooks/network", "n1", "started", "begin", "-")
	wantCalls(t, l, "n1 started")
	if calls := h.Native().MustCalls(t); len(calls) != 0 {
		t.Errorf("native calls without native hooks:\n%s", Summary(calls))
	}
}
