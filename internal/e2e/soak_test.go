//go:build e2e

package e2e

import (
	"os"
	"testing"
	"time"
)

// HOOKBRIDGE_SOAK is how long a soak takes as a whole. soak returns the part of it
// that a test has, or what it takes otherwise.
func soak(t *testing.T, share float64, otherwise time.Duration) (length time.Duration, soaking bool) {
	t.Helper()
	s := os.Getenv("HOOKBRIDGE_SOAK")
	if s == "" {
		return otherwise, false
	}
	whole, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(share * float64(whole)).Round(time.Second), true
}
