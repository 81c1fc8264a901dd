//go:build bench

package bench

import (
	"testing"

	"hookbridge/internal/farm"
)

// What hookbridge holds in memory, libvirt's client library and the store
// included: with nothing to watch, with 10,000 guests of four interfaces each that
// it knows, and after 2,000 of these have been restarted.
func measureMemory(t *testing.T) []Figure {
	f := farm.New(t)
	networks := f.Networks(20)
	run := func() *process {
		return runAgent(t, "--connect", f.URI, "--hook-dir", t.TempDir(), "--adopt", "record")
	}
	agent := run()
	idle := settledMemory(t, agent)
	agent.stop()
	all := f.Guests(10_000, 4, networks)
	agent = run()
	full := settledMemory(t, agent)
	for _, d := range all[:2000] {
		must(t, d.Destroy())
		must(t, d.Create())
	}
	after := settledMemory(t, agent)

	figure := func(subject string, m footprint, limit float64) Figure {
		return Figure{Subject: subject, Unit: "MiB", Ours: seriesOf("hookbridge", []float64{m.total()}),
			Compared: "total", Value: m.total(), Note: m.String()}.atMost(limit)
	}
	return []Figure{
		figure("idle", idle, 20),
		figure("10000 guests with 4 NICs", full, 64),
		figure("the same, 2000 restarted", after, 64),
	}
}
