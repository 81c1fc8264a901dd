package book

import (
	"strings"
	"time"

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

// RefTo names a call.
func RefTo(call translate.Call) CallRef {
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

// resultOf is what came of one script of a call, as the history tells it.
func resultOf(e history.Entry) CallResult {
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
