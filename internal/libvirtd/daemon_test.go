package libvirtd

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

func TestLook(t *testing.T) {
	p, _ := runAs(t, "virtnetworkd", "\x00/opt/etc/libvirt/hooks\x00relative/libvirt/hooks\x00\x00unplugged\x00<hookData>")
	d, err := Look()
	if err != nil {
		t.Fatal(err)
	}
	if d.PID != p.PID || d.Program != "virtnetworkd" || d.MarksErr != nil || d.Stopped {
		t.Errorf("%+v", d)
	}
	if !slices.Equal(d.HookDirs, []string{"/opt/etc/libvirt/hooks"}) {
		t.Errorf("hook directories %q", d.HookDirs)
	}
	if v := d.Verdict(0); len(v.Native) != 5 {
		t.Errorf("verdict %+v", v)
	}

	if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !d.Stopped; time.Sleep(time.Millisecond) { // nothing tells of it
		if d, err = Look(); err != nil || time.Now().After(end) {
			t.Fatalf("stopped: %+v, %v", d, err)
		}
	}
}
