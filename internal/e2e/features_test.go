//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The whole suite also runs against kinds of libvirt that tell less:
// HOOKBRIDGE_E2E_WITHOUT lists the features that hookbridge has to do without.
// `make e2e-features` goes through them.

func lacking() []string {
	list := os.Getenv("HOOKBRIDGE_E2E_WITHOUT")
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// lackArgs are hookbridge's arguments for it. Where nothing but a comparison is
// left, that is made often.
func lackArgs() []string {
	without := lacking()
	if without == nil {
		return nil
	}
	args := []string{"--without", strings.Join(without, ",")}
	if slices.Contains(without, "kicks") {
		args = append(args, "--reconcile-interval", "200ms")
	}
	return args
}

// needs leaves a test out where a feature is lacking, and says why.
func needs(t *testing.T, feature, why string) {
	t.Helper()
	if slices.Contains(lacking(), feature) {
		t.Skipf("left out without %s: %s", feature, why)
	}
}
