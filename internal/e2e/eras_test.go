//go:build e2e

package e2e

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"

	"hookbridge/internal/testhost"
)

// One script, called by libvirt and by hookbridge: every operation once, from the
// one whose it is.
func TestOneScriptForBoth(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t)
	b := startBridge(t, h, "--hook-dir", "/etc/libvirt/hooks")
	all := h.Native()
	h.DefineAndStart(t, testhost.NAT("front", 81))
	h.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "front")})
	all.WaitN(t, 6)
	h.Virsh(t, "destroy", "g")
	all.WaitN(t, 10)
	h.Virsh(t, "net-destroy", "front")
	b.stop(t)
	byOp := map[string][]string{}
	for _, c := range all.MustCalls(t) {
		who := "libvirt"
		if strings.Contains(strings.Join(c.Env, "\n"), "HOOKBRIDGE_RUN=") {
			who = "hookbridge"
		}
		byOp[c.Op()] = append(byOp[c.Op()], who)
	}
	want := map[string][]string{
		"start": {"libvirt"}, "started": {"libvirt"}, "stopped": {"libvirt"},
		"port-created": {"libvirt", "libvirt"}, "port-deleted": {"libvirt", "libvirt"},
		"plugged": {"hookbridge", "hookbridge"}, "unplugged": {"hookbridge", "hookbridge"},
	}
	if diff := cmp.Diff(want, byOp); diff != "" {
		t.Errorf("who called what (-want +got):\n%s", diff)
	}
	if !strings.Contains(b.text(), "has the network hook with port-created") {
		t.Error("the verdict gives no reason")
	}
}

// For a script written for 5.5, hookbridge authors the port's document. libvirt
// 9.0's own is beside it.
func TestAuthoredPorts(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t)
	h.AddBridge(t, "hostbr0")
	ours := h.InstallRecorder(t, hookDir)
	b := startBridge(t, h, "--ops", "port-created,port-deleted")
	n := testhost.NAT("front", 81)
	n.Extra = "<portgroup name='any' default='yes'/><portgroup name='named'/>"
	h.DefineAndStart(t, n)
	h.DefineAndStart(t, testhost.HostBridge("hostbridge", "hostbr0"))
	cards := nics("front", "hostbridge", "front")
	cards[2].Group = "named"
	h.StartGuest(t, testhost.Guest{Name: "g", NICs: cards})
	ours.WaitN(t, 3)
	h.Virsh(t, "destroy", "g")
	got := ours.WaitN(t, 6)
	b.stop(t)

	var native []testhost.Call
	for _, c := range h.Native().MustCalls(t) {
		if strings.HasPrefix(c.Op(), "port-") {
			native = append(native, c)
		}
	}
	if len(native) != len(got) {
		t.Fatalf("%d calls, natively %d", len(got), len(native))
	}
	for i := range native {
		if diff := cmp.Diff(native[i].Args[1:], got[i].Args[1:]); diff != "" {
			t.Errorf("arguments (-native +hookbridge):\n%s", diff)
		}
		if diff := cmp.Diff(networkOf(native[i]), networkOf(got[i])); diff != "" {
			t.Errorf("network (-native +hookbridge):\n%s", diff)
		}
		if diff := cmp.Diff(portOf(t, native[i]), portOf(t, got[i])); diff != "" {
			t.Errorf("%s: port (-native +hookbridge):\n%s", native[i], diff)
		}
	}
}

func portOf(t *testing.T, c testhost.Call) libvirtxml.NetworkPort {
	t.Helper()
	var d struct {
		Port libvirtxml.NetworkPort `xml:"networkport"`
	}
	if err := xml.Unmarshal(c.Stdin, &d); err != nil {
		t.Fatal(err)
	}
	return d.Port
}
