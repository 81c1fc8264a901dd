//go:build e2e

package testhost

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	portElement = regexp.MustCompile(`(?s)<networkport>.*</networkport>`)
	macElement  = regexp.MustCompile(`<mac address='([^']+)'/>`)
)

// brief returns a call as "network op", with the port's MAC for port calls.
func brief(c Call) string {
	s := c.Object() + " " + c.Op()
	if m := macElement.FindSubmatch(portElement.Find(c.Stdin)); m != nil {
		s += " " + string(m[1])
	}
	return s
}

// wantCalls waits for as many calls as are wanted and compares them in order.
func wantCalls(t *testing.T, l *Log, want ...string) []Call {
	t.Helper()
	calls := l.WaitN(t, len(want))
	var got []string
	for _, c := range calls {
		got = append(got, brief(c))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("calls (-want +got):\n%s", diff)
	}
	return calls
}

// hookData returns the document of a network call; it holds for network
// documents without text over several lines.
func hookData(network string) string {
	var b strings.Builder
	b.WriteString("<hookData>\n")
	for _, line := range strings.Split(strings.TrimRight(network, "\n"), "\n") {
		b.WriteString("  " + line + "\n")
	}
	b.WriteString("</hookData>")
	return b.String()
}

// cards returns NICs on the given networks with the MACs of MAC(1), MAC(2), …
func cards(networks ...string) []NIC {
	var out []NIC
	for i, n := range networks {
		out = append(out, NIC{Network: n, MAC: MAC(i + 1)})
	}
	return out
}

func port(network, op string, n int) string { return fmt.Sprintf("%s port-%s %s", network, op, MAC(n)) }
