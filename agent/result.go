package agent

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hookbridge/agent/book"
	"hookbridge/exec"
	"hookbridge/internal/history"
)

// resultOf says in a word or two how a script ended: "exit 0", "signal 9
// (killed)", "timed out", "refused", "not started", "canceled".
func resultOf(o *exec.Outcome) string {
	if o.Err != nil {
		if ours := (*exec.RunError)(nil); errors.As(o.Err, &ours) {
			return ours.Kind.String()
		}
		if o.Signal != 0 {
			return fmt.Sprintf("signal %d (%s)", int(o.Signal), o.Signal)
		}
	}
	return "exit " + strconv.Itoa(o.ExitCode)
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

// callResult is what the book remembers of a call that has ended.
func (f Finished) callResult() book.CallResult {
	r := book.CallResult{
		CallRef: book.RefTo(f.Call), Run: f.Run, Time: f.Report.Started, Result: "no hook script",
		Duration: history.Duration(f.Report.Duration), Undo: f.Undo.Result, UndoText: f.Undo.Text,
	}
	if o := decisive(f.Report); o != nil {
		r.Result, r.Failed, r.Script, r.Stderr = resultOf(o), o.Err != nil, o.Path, o.Stderr.FirstLine()
	}
	return r
}

// decisive is the script that decides how a call is said to have ended: the one that
// failed, else the last. It is nil where there was none.
func decisive(report exec.Report) *exec.Outcome {
	var last *exec.Outcome
	worst := report.Err()
	for i := range report.Scripts {
		last = &report.Scripts[i]
		if worst != nil && last.Err == worst { //nolint:errorlint // the very one
			return last
		}
	}
	return last
}
