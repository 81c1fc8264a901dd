package agent

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"hookbridge/exec"
)

// resultOf says in a word or two how a script ended: "exit 0", "signal 9
// (killed)", "timed out", "refused", "not started", "canceled".
func resultOf(o *exec.Outcome) string {
	var ours *exec.RunError
	switch {
	case errors.As(o.Err, &ours):
		return ours.Kind.String()
	case o.Signal != 0:
		return fmt.Sprintf("signal %d (%s)", int(o.Signal), o.Signal)
	default:
		return fmt.Sprintf("exit %d", o.ExitCode)
	}
}

// Result says in a few words how the call ended, all its scripts included, and
// how long it took.
func (f Finished) Result() string {
	if len(f.Report.Scripts) == 0 {
		return "no hook script"
	}
	results := make([]string, len(f.Report.Scripts))
	for i := range f.Report.Scripts {
		results[i] = resultOf(&f.Report.Scripts[i])
	}
	return fmt.Sprintf("%s in %s", strings.Join(results, ", "), roundDuration(f.Report.Duration))
}

// roundDuration keeps two digits behind the millisecond.
func roundDuration(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
