//go:build bench

package bench

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// measures are all there are, in the order of the table.
var measures = []struct {
	name string
	take func(*testing.T) []Figure
}{
	{"latency", measureLatency},
	{"return", measureReturn},
	{"storm", measureStorm},
	{"cpu", measureCPU},
	{"adoption", measureAdoption},
	{"hotplug", measureHotplug},
	{"memory", measureMemory},
	{"idle", measureIdle},
	{"gate", measureGate},
}

// TestMeasures takes the measures that -run selects and reports them.
func TestMeasures(t *testing.T) {
	r := Report{Date: time.Now(), Commit: os.Getenv("HOOKBRIDGE_COMMIT"), Host: thisHost()}
	if r.Commit == "" {
		r.Commit = "unknown"
	}
	for _, m := range measures {
		t.Run(m.name, func(t *testing.T) {
			began := time.Now()
			t.Cleanup(func() {
				if t.Failed() {
					r.NotTaken = append(r.NotTaken, m.name+" (see above)")
				}
				fmt.Fprintf(os.Stderr, "%s took %s\n", m.name, time.Since(began).Round(time.Second))
			})
			for _, f := range m.take(t) {
				f.Measure = m.name
				r.Figures = append(r.Figures, f)
			}
		})
	}
	r.TookInAll = time.Since(r.Date).Round(time.Second).String()
	fmt.Print(r.table())
	path, err := r.save("results")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("kept in bench/" + path)
}
