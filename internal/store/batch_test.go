package store

import (
	"testing"
	"testing/synctest"
	"time"
)

// A change waits for others a moment, and longer while many come, but not for ever; and
// not for what comes once somebody has written it.
func TestGather(t *testing.T) {
	for name, c := range map[string]struct {
		every   time.Duration // another change comes
		written time.Duration // since the first; 0: never
		want    time.Duration
	}{
		"one":             {time.Hour, 0, gathering},
		"now and then":    {2 * time.Millisecond, 0, gathering},
		"many":            {time.Millisecond, 0, mostGathering},
		"many, then none": {time.Millisecond, 25 * time.Millisecond, 3 * gathering},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b batches
				add := func() {
					b.mu.Lock()
					defer b.mu.Unlock()
					b.add(change{})
				}
				add()
				begun := time.Now()
				done := make(chan struct{})
				go func() {
					comes := time.NewTicker(c.every)
					defer comes.Stop()
					for {
						select {
						case <-comes.C:
							if c.written > 0 && time.Since(begun) >= c.written {
								b.mu.Lock()
								b.pending = nil
								b.mu.Unlock()
								return
							}
							add()
						case <-done:
							return
						}
					}
				}()
				b.gather()
				took := time.Since(begun)
				close(done)
				if took < c.want || took > c.want+gathering {
					t.Errorf("gathered for %v, want %v", took, c.want)
				}
			})
		})
	}
}
