//go:build bench

package bench

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
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

// A guest's start with the gate in place and no network script, against its start with a
// guest hook that does nothing. What counts is what the hook costs: how long libvirtd
// itself is busy with it, from its decision to call it to the end of its process, in its
// own log. The whole starts would hardly tell: one of QEMU takes 20 times as long, give
// or take more than the hooks. libvirtd remembers whether there is a hook, so each has a
// libvirtd of its own.
func measureGate(t *testing.T) []Figure {
	binary := os.Getenv("HOOKBRIDGE_BINARY")
	const socket = "/run/hookbridge-bench/sock"
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

	const rounds = 30
	var with, shim []float64
	for range rounds + 1 {
		with, shim = append(with, empty.start(t)), append(shim, gate.start(t))
	}
	with, shim = with[1:], shim[1:] // warm
	f := mean("hooks of a guest start", "ms", "gate", gate.calls(t, rounds+1)[1:], "#!/bin/sh exit 0", empty.calls(t, rounds+1)[1:]).atMost(1.5)
	f.Note = fmt.Sprintf("a whole start takes %s ms with the gate, %s with the other", number(seriesOf("", shim).P50), number(seriesOf("", with).P50))
	return []Figure{f}
}

func newGated(t *testing.T, install func(*testhost.Host)) *gated {
	t.Helper()
	g := &gated{Host: testhost.Start(t, testhost.WithoutNativeHooks(), testhost.WithoutDaemon(),
		testhost.WithDaemonEnv("LIBVIRT_LOG_FILTERS=1:util.hook 1:util.command 4:*", "LIBVIRT_LOG_OUTPUTS=1:file:"+hookLog))}
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

// start takes the time of a start in milliseconds.
func (g *gated) start(t *testing.T) float64 {
	t.Helper()
	began := time.Now()
	must(t, g.guest.Create())
	took := time.Since(began)
	must(t, g.guest.Destroy())
	settle()
	return milliseconds(took)
}

// hookLog is a file in which libvirtd notes when it calls a hook and what came of it, to
// the millisecond.
const hookLog = "/var/log/libvirt/hooks.log"

// A line of libvirtd's log: the time, its thread, and what it says of a command.
var hookLine = regexp.MustCompile(`^(\S+ \S+)\+0000: (\d+): debug : \w+:\d+ : (?:(Result )|Calling hook \S+ id=\S+ op=(\w+))`)

// calls returns how long libvirtd was busy with the hooks of each start so far, in
// milliseconds: it calls three, one after the other, and says so in one thread (virRunScript
// in its virhook.c). Of each it knows whole milliseconds, which is why means are compared.
func (g *gated) calls(t *testing.T, want int) (starts []float64) {
	t.Helper()
	log, err := os.ReadFile(g.Path(hookLog))
	must(t, err)
	var thread string
	var began time.Time
	ended := 0
	for line := range strings.Lines(string(log)) {
		m := hookLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05.000", m[1])
		must(t, err)
		switch op := m[4]; {
		case thread != "" && op != "" && m[2] == thread:
			t.Fatalf("a hook begins before the last has ended: %s", line)
		case op == "prepare" || op == "start" || op == "started":
			thread, began = m[2], at
			if op == "prepare" {
				starts = append(starts, 0)
			}
		case op == "" && m[2] == thread:
			starts[len(starts)-1] += milliseconds(at.Sub(began))
			thread = ""
			ended++
		}
	}
	if len(starts) != want || ended != 3*want {
		t.Fatalf("%d starts with %d hooks, want %d with 3 each", len(starts), ended, want)
	}
	return starts
}
