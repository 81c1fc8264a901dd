//go:build bench

package bench

import (
	"bytes"
	"os/exec"
	"testing"
	"time"
)

// bareRun starts a script as a program would that has nothing else to do, with
// Go's os/exec, and returns when it has ended. The time is that before the start.
func bareRun(t *testing.T, path string, args []string, stdin []byte) (began time.Time) {
	t.Helper()
	began = time.Now()
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return began
}

// settle gives the other side of a round the time to finish what it does after its
// script has ended: it has no event, and would be in the way of what comes next.
func settle() { time.Sleep(5 * time.Millisecond) }
