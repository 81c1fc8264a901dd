//go:build bench

package bench

import (
	"testing"
	"time"

	"hookbridge/internal/farm"
)

// From the arrival of an event, the entry of libvirt's callback, to the first
// instruction of the script: reading the documents, keeping what is planned, and
// the start of the script are in between. Against a bare start of the same script
// with the same stdin.
//
// Measured so is a script of the common kind, a shell's. A compiled one, which has no
// start of its own, shows what is in front of it, and so its goal is set against a bare
// start together with the least that libvirt has to be asked before, by this process over
// a connection that is there. No way leads past that.
func measureLatency(t *testing.T) []Figure {
	const rounds = 250
	var figures []Figure
	for _, l := range latencies(t, shellScript(t), rounds/2) {
		subject := l.subject + ", shell script"
		figures = append(figures,
			median(subject, "ms", l.ours, l.bare).atMost(1.15), tail(subject, "ms", l.ours, l.bare).atMost(3))
	}
	for _, l := range latencies(t, compiledScript(t), rounds) {
		subject := l.subject + ", compiled script"
		figures = append(figures,
			median(subject, "ms", l.ours, l.bare), tail(subject, "ms", l.ours, l.bare), median(subject, "ms", l.ours, l.least).atMost(1.15))
	}
	return figures
}

// latency is how long the script's first instruction takes: behind an event, behind a
// bare start, and behind what libvirt has to be asked and a bare start.
type latency struct {
	subject           string
	ours, bare, least Series
}

func latencies(t *testing.T, s *script, rounds int) (all []latency) {
	t.Helper()
	f := farm.New(t)
	network, guest := f.Network("alone"), f.Guest("guest", f.Networks(1)...)
	agent := runAgent(t, "--connect", f.URI, "--hook-dir", s.dir, "--adopt", "record")

	guestDocument := func() { _, err := guest.GetXMLDesc(0); must(t, err) }
	networkDocument := func() { _, err := network.GetXMLDesc(0); must(t, err) }
	guestRuns := func() { _, err := guest.IsActive(); must(t, err) }
	networkRuns := func() { _, err := network.IsActive(); must(t, err) }
	steps := []struct {
		subject, op string
		change      func() error
		asked       []func()
	}{
		{"guest start", "plugged", guest.Create, []func(){guestDocument, networkDocument}},
		{"guest stop", "unplugged", guest.Destroy, []func(){guestRuns, networkDocument}},
		// The document may be the inactive one if the network does not run afterwards.
		{"network start", "start", network.Create, []func(){networkDocument, networkRuns}},
		{"network stop", "stopped", network.Destroy, []func(){networkRuns}},
	}
	called := map[string][]record{}
	bare, least := map[string][]float64{}, map[string][]float64{}
	for i := range rounds + 10 {
		for _, step := range steps {
			must(t, step.change())
			ours := s.await(step.op)
			if step.op == "start" {
				s.await("started")
			}
			settle()
			began := bareRun(t, s.path(), []string{ours.network, ours.op, "begin", "-"}, ours.stdin)
			theirs := milliseconds(s.await(ours.op).begin.Sub(began))
			settle()
			asked := time.Now()
			for _, ask := range step.asked {
				ask()
			}
			answered := milliseconds(time.Since(asked))
			settle()
			if i < 10 {
				continue // warming up
			}
			called[step.subject] = append(called[step.subject], ours)
			bare[step.subject] = append(bare[step.subject], theirs)
			least[step.subject] = append(least[step.subject], theirs+answered)
		}
	}
	agent.stop()

	arrivals := agent.arrivals()
	for _, step := range steps {
		var took []float64
		for _, r := range called[step.subject] {
			arrived, ok := arrivals[r.run]
			if !ok {
				t.Fatalf("the history has no run %s", r.run)
			}
			took = append(took, milliseconds(r.begin.Sub(arrived)))
		}
		all = append(all, latency{step.subject, seriesOf("hookbridge", took),
			seriesOf("bare start", bare[step.subject]), seriesOf("libvirt's answers, bare start", least[step.subject])})
	}
	return all
}
