//go:build bench

package bench

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Series is one side of a figure: what its samples come to.
type Series struct {
	Name string  `json:"name"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	N    int     `json:"samples"`
}

func (s Series) String() string {
	if s.N == 1 {
		return number(s.P50) + " (1)"
	}
	return fmt.Sprintf("%s / %s (%d)", number(s.P50), number(s.P99), s.N)
}

// Figure is a result: hookbridge against its counterpart.
type Figure struct {
	Measure string  `json:"measure"`
	Subject string  `json:"subject"`
	Unit    string  `json:"unit"`
	Ours    Series  `json:"ours"`
	Against *Series `json:"against,omitempty"` // nil: the goal is an absolute one

	Compared string  `json:"compared"` // what Value is: "p50", "p99", …
	Value    float64 `json:"value"`    // a ratio if there is a counterpart
	Goal     string  `json:"goal,omitempty"`
	Met      *bool   `json:"met,omitempty"` // nil: a figure without a goal
	Note     string  `json:"note,omitempty"`
}

// seriesOf sums samples up. The 99th percentile of few samples is their greatest.
func seriesOf(name string, samples []float64) Series {
	sorted := slices.Sorted(slices.Values(samples))
	if len(sorted) == 0 {
		return Series{Name: name, P50: math.NaN(), P99: math.NaN()}
	}
	at := func(q float64) float64 { return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))] }
	return Series{Name: name, P50: at(0.5), P99: at(0.99), N: len(sorted)}
}

// atMost sets a goal: the value may not be greater.
func (f Figure) atMost(limit float64) Figure {
	met := f.Value <= limit
	f.Goal, f.Met = "≤ "+number(limit), &met
	return f
}

// atLeast sets a goal: the value may not be smaller.
func (f Figure) atLeast(limit float64) Figure {
	met := f.Value >= limit
	f.Goal, f.Met = "≥ "+number(limit), &met
	return f
}

// median compares the medians of two sides, ours through theirs.
func median(subject, unit string, ours, theirs Series) Figure {
	return Figure{Subject: subject, Unit: unit, Ours: ours, Against: &theirs, Compared: "p50", Value: ours.P50 / theirs.P50}
}

// mean compares the means of two sides, ours through theirs.
func mean(subject, unit, ourName string, ours []float64, theirName string, theirs []float64) Figure {
	sum := func(samples []float64) (s float64) {
		for _, v := range samples {
			s += v
		}
		return s
	}
	f := median(subject, unit, seriesOf(ourName, ours), seriesOf(theirName, theirs))
	f.Compared, f.Value = "mean", sum(ours)/float64(len(ours))/(sum(theirs)/float64(len(theirs)))
	return f
}

// tail compares their 99th percentiles.
func tail(subject, unit string, ours, theirs Series) Figure {
	return Figure{Subject: subject, Unit: unit, Ours: ours, Against: &theirs, Compared: "p99", Value: ours.P99 / theirs.P99}
}

// faster is how many times as long they take.
func faster(subject, unit string, ours, theirs Series) Figure {
	return Figure{Subject: subject, Unit: unit, Ours: ours, Against: &theirs, Compared: "p50, times faster", Value: theirs.P50 / ours.P50}
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// number writes a figure with three significant digits or so.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
