package libvirtd

import (
	"os"
	"slices"
	"testing"

	"hookbridge/translate"
)

func TestCaller(t *testing.T) {
	var callers Callers
	old, path := runAs(t, "libvirtd", "")
	c := callers.Of(old.PID)
	if c.Network != old || !c.Judged || len(c.Verdict.Native) != 0 {
		t.Errorf("a libvirtd without the hook: %+v", c)
	}
	// What it maps does not change while it runs, so it is not read again.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if again := callers.Of(old.PID); again.Verdict.Reason != c.Verdict.Reason {
		t.Errorf("asked again: %+v", again)
	}

	// A driver's own daemon asks; the network driver is in another process.
	network, _ := runAs(t, "virtnetworkd", "\x00port-created\x00<hookData>")
	driver, _ := runAs(t, "virtqemud", "")
	c = callers.Of(driver.PID)
	if c.Network != network || !c.Verdict.Native[translate.OpPortCreated] {
		t.Errorf("virtqemud: %+v", c)
	}
}

func TestCallerThatHasEnded(t *testing.T) {
	var callers Callers
	c := callers.Of(1 << 30) // more than the kernel gives
	if c.Judged || c.Network != (Process{}) || len(c.StatusDirs.Run) == 0 {
		t.Errorf("%+v", c)
	}
}

func TestGuestDaemons(t *testing.T) {
	dir := t.TempDir()
	qemu, _ := runAs(t, "virtqemud", "")
	lxc, _ := runAs(t, "virtlxcd", "")
	both, _ := runAs(t, "libvirtd", "")
	for guest, want := range map[string][]bool{"qemu": {true, false, true}, "lxc": {false, true, true}} {
		got, err := GuestDaemons(dir, guest)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range []Process{qemu, lxc, both} {
			if slices.Contains(got, p) != want[i] {
				t.Errorf("%s: %v among %v", guest, p, got)
			}
		}
	}
	if _, err := GuestDaemons(dir+"/none", "qemu"); err == nil {
		t.Error("a directory that is not there")
	}
}
