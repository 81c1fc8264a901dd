//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hookbridge/internal/testhost"
)

// The client library can be older than the libvirtd of these tests, back to
// 0.8.0. A preloaded library hides what that one lacks.

// hider compiles it.
func hider(t *testing.T, h *testhost.Host) string {
	t.Helper()
	path := filepath.Join(h.Scratch(), "hide.so")
	if out, err := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", path, "testdata/hide.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("compiling testdata/hide.c: %v\n%s", err, out)
	}
	return path
}

// oldSymbols writes the list of what libvirt.so.0 of 0.8.0 exports to where
// hookbridge can read it.
func oldSymbols(t *testing.T, h *testhost.Host) string {
	t.Helper()
	names, err := os.ReadFile("testdata/libvirt-0.8.0.symbols")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.Scratch(), "libvirt-0.8.0.symbols")
	if err := os.WriteFile(path, names, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const absentLibraries = "HIDE_LIBRARIES=libvirt-admin.so.0,libvirt-qemu.so.0,libvirt-lxc.so.0"

// Everything of the first light with the library of 0.8.0: without network and
// device events, without lists, close callback, keepalive and liveness, without an
// event loop of the library's own.
func TestClientLibraryOf080(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t, testhost.WithLXC())
	ours := h.InstallRecorder(t, hookDir)
	trace := filepath.Join(h.Scratch(), "trace")
	b := launch(t, h, []string{
		"LD_PRELOAD=" + hider(t, h), "HIDE_EXCEPT=" + oldSymbols(t, h), "HIDE_TRACE=" + trace, absentLibraries,
	}, "--hook-dir", hookDir, "--ops", everything)
	b.awaitLines(t, "watching", 2)
	s := &scene{Host: h, t: t, ours: ours, b: b}

	h.DefineAndStart(t, testhost.NAT("front", 81))
	s.settle()
	h.DefineAndStart(t, testhost.Isolated("back", 82))
	s.settle()
	h.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front", "back")})
	s.settle()
	h.Attach(t, "g", testhost.NIC{Network: "front", MAC: testhost.MAC(7)})
	s.settle()
	h.Update(t, "g", testhost.NIC{Network: "back", MAC: testhost.MAC(7)})
	s.settle()
	c := testhost.Container{Name: "c", NICs: []testhost.NIC{{Network: "back", MAC: testhost.MAC(8)}}}
	h.StartContainer(t, c)
	s.settle()
	h.DetachFromContainer(t, "c", c.NICs[0])
	s.settle()
	h.VirshLXC(t, "destroy", "c")
	s.virsh(cmdline("destroy", "g"), cmdline("net-destroy", "front"), cmdline("net-destroy", "back"))
	s.end()

	asked, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(asked))
	slices.Sort(names)
	t.Logf("functions asked for: %s", strings.Join(slices.Compact(names), " "))
}

// A restart of libvirtd is noticed without close callback and keepalive, too, and
// everything is registered anew.
func TestClientLibraryOf080Reconnects(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t)
	ours := h.InstallRecorder(t, hookDir)
	b := launch(t, h, []string{"LD_PRELOAD=" + hider(t, h), "HIDE_EXCEPT=" + oldSymbols(t, h), absentLibraries},
		"--hook-dir", hookDir, "--ops", everything, "--connect", "qemu:///system")
	b.awaitLine(t, "watching")
	s := &scene{Host: h, t: t, ours: ours, b: b}
	h.DefineAndStart(t, testhost.NAT("front", 81))
	s.settle()
	h.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.settle()
	h.StopDaemon(t)
	h.StartDaemon(t)
	s.Native().WaitN(t, 4)
	b.awaitLines(t, "watching", 2)
	s.settle()
	s.virsh(cmdline("destroy", "g"), cmdline("net-destroy", "front"))
	s.end()
}

// Each function that hookbridge uses and that libvirt 0.8.0 did not have is missing
// in turn: one agent for each, all beside the same libvirtd.
func TestEachFunctionMissing(t *testing.T) {
	t.Parallel()
	h := testhost.Start(t)
	preload := "LD_PRELOAD=" + hider(t, h)
	trace := filepath.Join(h.Scratch(), "trace")
	type missing struct {
		name string
		log  *testhost.Log
		b    *bridge
	}
	start := func(name string, env ...string) missing {
		dir := "/etc/missing/" + name
		m := missing{name: name, log: h.InstallRecorder(t, dir)}
		m.b = launch(t, h, append(env, preload, absentLibraries), "--connect", "qemu:///system",
			"--hook-dir", dir, "--state-dir", "/run/missing/"+name, "--ops", everything)
		return m
	}
	scenario := func(all []missing) {
		h.Native().Clear(t)
		for _, m := range all {
			m.log.Clear(t)
		}
		settle := func() {
			want := len(h.Native().MustCalls(t))
			for _, m := range all {
				m.log.Wait(t, fmt.Sprintf("%d calls without %s", want, m.name), func(c []testhost.Call) bool { return len(c) >= want })
			}
		}
		h.DefineAndStart(t, testhost.Network{Name: "front"})
		settle()
		h.CreateGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
		settle()
		h.Attach(t, "g", testhost.NIC{Network: "front", MAC: testhost.MAC(7)})
		settle()
		h.Virsh(t, "destroy", "g")
		settle()
		h.Virsh(t, "net-destroy", "front")
		h.Virsh(t, "net-undefine", "front")
		settle()
	}

	// What it uses, with everything there, and with the fall-backs.
	first := []missing{start("nothing", "HIDE_TRACE="+trace), start("080", "HIDE_TRACE="+trace, "HIDE_EXCEPT="+oldSymbols(t, h))}
	for _, m := range first {
		m.b.awaitWatching(t)
	}
	scenario(first)
	for _, m := range first {
		m.b.stop(t)
	}
	asked, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile("testdata/libvirt-0.8.0.symbols")
	if err != nil {
		t.Fatal(err)
	}
	had := strings.Fields(string(old))
	names := strings.Fields(string(asked))
	slices.Sort(names)

	var all []missing
	for _, name := range slices.Compact(names) {
		if !slices.Contains(had, name) {
			all = append(all, start(name, "HIDE_SYMBOLS="+name))
		}
	}
	if len(all) == 0 {
		t.Fatal("hookbridge asked for no function that is newer than libvirt 0.8.0: is anything hidden at all?")
	}
	for _, m := range all {
		m.b.awaitWatching(t)
	}
	scenario(all)
	native := h.Native().MustCalls(t)
	for _, m := range all {
		m.b.stop(t)
		compare(t, native, m.log.MustCalls(t))
		t.Logf("without %s: as libvirt's own hook", m.name)
	}
}
