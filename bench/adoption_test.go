//go:build bench

package bench

import (
	"testing"
	"time"

	"hookbridge/internal/farm"
)

// From the start of hookbridge to its watching, with 5,000 guests that run already
// and are to be remembered. Against a program that reads the document of each, one
// after the other, from its connect on.
func measureAdoption(t *testing.T) []Figure {
	const guests, rounds = 5000, 3
	f := farm.New(t)
	f.Guests(guests, 2, f.Networks(20))
	var ours, theirs []float64
	for range rounds {
		agent := runAgent(t, "--connect", f.URI, "--hook-dir", t.TempDir(), "--adopt", "record")
		ours = append(ours, milliseconds(agent.ready.Sub(agent.began)))
		agent.stop()
		theirs = append(theirs, milliseconds(readAll(t, f.URI)))
	}
	return []Figure{median("5000 guests", "ms", seriesOf("hookbridge", ours), seriesOf("bare XMLDesc", theirs)).atMost(1.3)}
}

// readAll reads the document of every running guest over a connection of its own.
func readAll(t *testing.T, uri string) time.Duration {
	t.Helper()
	began := time.Now()
	conn, err := farm.ConnectTo(uri)
	must(t, err)
	all, err := farm.Running(conn)
	must(t, err)
	for i := range all {
		_, err := all[i].GetXMLDesc(0)
		must(t, err)
		must(t, all[i].Free())
	}
	_, err = conn.Close()
	must(t, err)
	return time.Since(began)
}
