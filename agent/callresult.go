package agent

import (
	"strings"
	"time"

	"hookbridge/exec"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

// CallRef names a hook call.
type CallRef struct {
	Network    string          `json:"network"`
	Op         translate.Op    `json:"op"`
	Connection string          `json:"connection"` // that the network is known by
	Domain     string          `json:"domain,omitempty"`
	MAC        string          `json:"mac,omitempty"`
	Cause      translate.Cause `json:"cause"`
}

func refTo(call translate.Call) CallRef {
	r := CallRef{Network: call.Network, Op: call.Op, Connection: call.Conn, Cause: call.Cause}
	if call.Domain != nil {
		r.Domain = call.Domain.Name
	}
	if call.NIC != nil {
		r.MAC = call.NIC.MAC
	}
	return r
}

// RunningCall is a call whose scripts have not ended, or whose undo has not.
type RunningCall struct {
	CallRef
	Run   string    `json:"run"`
	Since time.Time `json:"since"`
}

// CallResult is what came of a call, all its scripts together.
type CallResult struct {
	CallRef
	Run  string    `json:"run"`
	Time time.Time `json:"time"` // when its first script was started

	// Result says in words how the call ended: that of the script that failed, if one
	// did: "exit 3", "timed out", "no hook script".
	Result   string           `json:"result"`
	Failed   bool             `json:"failed"`
	Script   string           `json:"script,omitempty"` // that Result is about
	Stderr   string           `json:"stderr,omitempty"` // its first line
	Duration history.Duration `json:"duration_ms"`      // of all scripts

	Undo     translate.UndoResult `json:"undo,omitempty"`
	UndoText string               `json:"undo_text,omitempty"`
}

func resultOfCall(f Finished) CallResult {
	r := CallResult{
		CallRef: refTo(f.Call), Run: f.Run, Time: f.Report.Started, Result: "no hook script",
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

// resultOfEntry is resultOfCall for one script in the history.
func resultOfEntry(e history.Entry) CallResult {
	line, _, _ := strings.Cut(e.Output, "\n")
	if !e.Failed {
		line = ""
	}
	return CallResult{
		CallRef: CallRef{
			Network: e.Network, Op: translate.Op(e.Op), Connection: e.Conn, Domain: e.Domain, MAC: e.MAC, Cause: translate.Cause(e.Cause),
		},
		Run: e.Run, Time: e.Time, Result: e.Result, Failed: e.Failed, Script: e.Script, Stderr: line,
		Duration: e.Duration, Undo: translate.UndoResult(e.Undo), UndoText: e.UndoText,
	}
}
