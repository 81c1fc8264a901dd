//go:build bench

package bench

import (
	"slices"
	"testing"
	"time"

	"hookbridge/internal/farm"
)

// From the arrival of an event, the entry of libvirt's callback, to the first
// instruction of the script: reading the documents, keeping what is planned, and
// the start of the script are in between. Against a bare start of the same script
// with the same stdin. The compiled script is the hard case; a shell needs longer
// to its first instruction, on both sides. What libvirt needs for the documents of a
// guest and a network, asked for by this process, is noted: no way past that.
func measureLatency(t *testing.T) []Figure {
	const rounds = 250
	compiled := latencies(t, "compiled script", compiledScript(t), rounds)
	return slices.Concat(compiled, latencies(t, "shell script", shellScript(t), rounds/2))
}

func latencies(t *testing.T, kind string, s *script, rounds int) []Figure {
	t.Helper()
	f := farm.New(t)
	network, guest := f.Network("alone"), f.Guest("guest", f.Networks(1)...)
	var documents []float64
	agent := runAgent(t, "--connect", f.URI, "--hook-dir", s.dir, "--adopt", "record")

	steps := []struct {
		subject, op string
		change      func() error
	}{
		{"guest start", "plugged", guest.Create},
		{"guest stop", "unplugged", guest.Destroy},
		{"network start", "start", network.Create},
		{"network stop", "stopped", network.Destroy},
	}
	called := map[string][]record{}
	bare := map[string][]float64{}
	for i := range rounds + 10 {
		for _, step := range steps {
			must(t, step.change())
			ours := s.await(step.op)
			if step.op == "start" {
				s.await("started")
			}
			settle()
			began := bareRun(t, s.path(), []string{ours.network, ours.op, "begin", "-"}, ours.stdin)
			theirs := s.await(ours.op)
			settle()
			asked := time.Now()
			_, err := guest.GetXMLDesc(0)
			must(t, err)
			_, err = network.GetXMLDesc(0)
			must(t, err)
			documents = append(documents, milliseconds(time.Since(asked)))
			settle()
			if i < 10 {
				continue // warming up
			}
			called[step.subject] = append(called[step.subject], ours)
			bare[step.subject] = append(bare[step.subject], milliseconds(theirs.begin.Sub(began)))
		}
	}
	agent.stop()

	arrivals := agent.arrivals()
	var figures []Figure
	for _, step := range steps {
		var took []float64
		for _, r := range called[step.subject] {
			arrived, ok := arrivals[r.run]
			if !ok {
				t.Fatalf("the history has no run %s", r.run)
			}
			took = append(took, milliseconds(r.begin.Sub(arrived)))
		}
		ours, theirs := seriesOf("hookbridge", took), seriesOf("bare start", bare[step.subject])
		subject := step.subject + ", " + kind
		figures = append(figures,
			median(subject, "ms", ours, theirs).atMost(1.15), tail(subject, "ms", ours, theirs).atMost(3))
	}
	figures[0].Note = "the two documents alone: " + seriesOf("", documents).String() + " ms"
	return figures
}
