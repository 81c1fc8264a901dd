package agent

import (
	"errors"
	"strings"
	"unicode/utf8"

	"hookbridge/exec"
	"hookbridge/internal/history"
)

// outputKept is how much of a script's output goes into the history.
const outputKept = 1 << 10

// historyEntries returns what the history keeps of a call: an entry for each
// script, or one that says that there was none.
func historyEntries(f Finished) []history.Entry {
	e := history.Entry{
		Time: f.Report.Started, Run: f.Run, Cause: string(f.Call.Cause), Retry: f.Retry,
		Network: f.Call.Network, Op: string(f.Call.Op), Conn: f.Call.Conn, Result: "no hook script",
	}
	if f.Call.Domain != nil {
		e.Domain, e.UUID = f.Call.Domain.Name, f.Call.Domain.UUID
	}
	if f.Call.NIC != nil {
		e.MAC = f.Call.NIC.MAC
	}
	if len(f.Report.Scripts) == 0 {
		return []history.Entry{e}
	}
	verdict := f.Report.Verdict()
	entries := make([]history.Entry, 0, len(f.Report.Scripts))
	for i := range f.Report.Scripts {
		o := &f.Report.Scripts[i]
		e := e
		e.Time, e.Script, e.Result, e.Failed = o.Started, o.Path, resultOf(o), o.Err != nil
		e.Duration = history.Duration(o.Duration)
		e.Latency = history.Duration(max(0, o.Started.Sub(f.Planned)))
		e.Signal = int(o.Signal)
		if code := o.ExitCode; o.Pid != 0 && code >= 0 {
			e.Exit = &code
		}
		e.Output = outputOf(o)
		if refused := (*exec.ScriptError)(nil); verdict != nil && errors.As(o.Err, &refused) && refused == verdict {
			e.Undo, e.UndoText = string(f.Undo.Result), f.Undo.Text
		}
		entries = append(entries, e)
	}
	return entries
}

// outputOf returns the beginning of what a script wrote, what it complained of
// first.
func outputOf(o *exec.Outcome) string {
	text := string(o.Stderr.Head)
	if out := string(o.Stdout.Head); out != "" {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		text += out
	}
	if len(text) <= outputKept {
		return text
	}
	end := outputKept
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
