//go:build bench

package bench

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"hookbridge/internal/farm"
	"hookbridge/internal/testhost"
)

// gated is a host whose libvirtd has some guest hook, and a guest to start.
type gated struct {
	*testhost.Host
	guest *farm.Domain
}

// A guest's start with the gate in place and no network script, against its start
// with a guest hook that does nothing. What counts is what the hook costs: of each,
// a start without any hook is subtracted. A start of QEMU takes ten times as long, and
// some by chance much longer, so the faster half of the starts is compared, the fastest
// of each kind with each other and so on. libvirtd remembers whether there is a hook,
// so each has a libvirtd of its own.
func measureGate(t *testing.T) []Figure {
	binary := os.Getenv("HOOKBRIDGE_BINARY")
	const socket = "/run/hookbridge-bench/sock"
	none := newGated(t, func(*testhost.Host) {})
	empty := newGated(t, func(h *testhost.Host) {
		h.WriteFile(t, "/etc/libvirt/hooks/qemu", []byte("#!/bin/sh\nexit 0\n"), 0o755)
	})
	gate := newGated(t, func(h *testhost.Host) {
		h.WriteFile(t, "/etc/hookbridge-bench/README", nil, 0o644)
		out, err := h.Command(context.Background(), binary, "gate", "install", "--guest", "qemu", "--socket", socket, "--unavailable", "deny").CombinedOutput()
		if err != nil {
			t.Fatalf("gate install: %v\n%s", err, out)
		}
	})
	runAgentIn(t, gate.Host, 1, "--connect", "qemu:///system", "--hook-dir", "/etc/hookbridge-bench", "--socket", socket, "--adopt", "record")

	const rounds = 40
	var bare, with, shim []float64
	for i := range rounds + 1 {
		a, b, c := none.start(t), empty.start(t), gate.start(t)
		if i == 0 {
			continue // warming up
		}
		bare, with, shim = append(bare, milliseconds(a)), append(with, milliseconds(b)), append(shim, milliseconds(c))
	}
	slices.Sort(bare)
	slices.Sort(with)
	slices.Sort(shim)
	var ours, theirs []float64
	for i := range rounds / 2 {
		ours, theirs = append(ours, shim[i]-bare[i]), append(theirs, with[i]-bare[i])
	}
	f := median("hook's part of a guest start", "ms", seriesOf("gate", ours), seriesOf("#!/bin/sh exit 0", theirs)).atMost(1.5)
	f.Note = "a start without a hook takes " + number(seriesOf("", bare).P50) + " ms"
	return []Figure{f}
}

func newGated(t *testing.T, install func(*testhost.Host)) *gated {
	t.Helper()
	g := &gated{Host: testhost.Start(t, testhost.WithoutNativeHooks(), testhost.WithoutDaemon())}
	install(g.Host)
	g.StartDaemon(t)
	g.DefineAndStart(t, testhost.Isolated("front", 81))
	var err error
	g.guest, err = farm.Dial(t, g.URI("qemu:///system")).DomainDefineXML(
		testhost.Guest{Name: "g", NICs: []testhost.NIC{{Network: "front", MAC: testhost.MAC(1)}}}.XML())
	must(t, err)
	t.Cleanup(func() { _ = g.guest.Free() })
	return g
}

// start takes the time of a start.
func (g *gated) start(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	must(t, g.guest.Create())
	took := time.Since(began)
	must(t, g.guest.Destroy())
	settle()
	return took
}
