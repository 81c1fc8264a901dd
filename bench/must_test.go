//go:build bench

package bench

import "testing"

// must fails the measure on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
