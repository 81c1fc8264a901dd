package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hookbridge/internal/api"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

// historyOptions are the flags of the history command.
type historyOptions struct {
	reach
	historyDir string
	since      string
	json       bool
	query      api.HistoryQuery
}

func historyCommand() *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the runs of hook scripts",
		Long: `Lists the runs of hook scripts, the newest last: when, how the script ended and
how long it took, the network, the operation, the guest's interface; what a
script that failed has said, and what was undone.

Without a running agent the files of the history are read.

--json prints one object a line. Its fields are stable: new ones may come, none
goes. Those of a run are time, run, cause, retry, network, op, connection,
domain, uuid, mac, script, result, failed, exit, signal, duration_ms,
latency_ms, undo, undo_text, output.`,
		Example: `  hookbridge history --failed --since 2h
  hookbridge history --network default --op plugged --limit 20
  hookbridge history --since 2026-01-31 --domain web1
  hookbridge history --follow
  hookbridge history --json --failed | jq -r .output`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd)
		},
	}
	o.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&o.query.Network, "network", "", "runs for this `network`")
	f.StringVar(&o.query.Domain, "domain", "", "runs for this guest, by `name` or UUID")
	f.StringVar(&o.query.Op, "op", "", "runs for this `operation`, such as plugged")
	f.BoolVar(&o.query.Failed, "failed", false, "runs that failed")
	f.StringVar(&o.since, "since", "", "runs since a `time`: 2h, 3d, 13:45, 2026-01-31, or 2026-01-31T13:45:00Z")
	f.IntVarP(&o.query.Limit, "limit", "n", 0, "only the last so `many`")
	f.BoolVarP(&o.query.Follow, "follow", "f", false, "go on with each run as it ends, until interrupted")
	f.BoolVar(&o.json, "json", false, "print one JSON object a line")
	f.StringVar(&o.historyDir, "history-dir", "", "`directory` of the history, for when no agent runs")
	_ = cmd.MarkFlagDirname("history-dir")
	_ = cmd.RegisterFlagCompletionFunc("network", o.complete(networkNames))
	_ = cmd.RegisterFlagCompletionFunc("domain", o.complete(guestNames))
	_ = cmd.RegisterFlagCompletionFunc("op", cobra.FixedCompletions(opNames(), cobra.ShellCompDirectiveNoFileComp))
	for _, flag := range []string{"since", "limit"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	return cmd
}

func (o *historyOptions) run(cmd *cobra.Command) error {
	if o.query.Op != "" && !slices.Contains(opNames(), o.query.Op) {
		return usageError{fmt.Errorf("--op: unknown operation %q: the operations are %s", o.query.Op, translate.NewOps(translate.AllOps()...))}
	}
	if o.query.Limit < 0 {
		return usageError{errors.New("--limit: it cannot be negative")}
	}
	if o.since != "" {
		var err error
		if o.query.Since, err = api.ParseSince(o.since, time.Now()); err != nil {
			return usageError{fmt.Errorf("--since: %w", err)}
		}
	}
	out := cmd.OutOrStdout()
	printer := &runPrinter{out: out, json: o.json, coloured: isTerminal(out) && !noColor(), now: time.Now()}
	client := o.client(cmd)
	if o.historyDir != "" {
		o.settings.HistoryDir = o.historyDir
	}
	err := client.History(cmd.Context(), o.query, printer.print)
	if !isDown(err) {
		return asked(err)
	}
	if printer.printed > 0 {
		return asked(err) // it went away in the midst of it
	}
	if err := o.readFiles(cmd.Context(), printer); err != nil {
		return err
	}
	if o.query.Follow {
		return asked(err)
	}
	return nil
}

// readFiles prints the history of an agent that does not run.
func (o *historyOptions) readFiles(ctx context.Context, printer *runPrinter) error {
	for e, err := range history.Last(history.Read(o.settings.HistoryDir, o.query.Filter), o.query.Limit) {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := printer.print(e); err != nil {
			return err
		}
	}
	return nil
}

// runPrinter prints runs.
type runPrinter struct {
	out            io.Writer
	json, coloured bool
	now            time.Time
	day            string
	printed        int
}

func (p *runPrinter) print(e history.Entry) error {
	p.printed++
	if p.json {
		encoder := json.NewEncoder(p.out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(e)
	}
	out := &sheet{coloured: p.coloured}
	at := e.Time.Local()
	if day := at.Format("2006-01-02"); day != p.day {
		p.day = day
		out.line("", bold, day)
	}
	colour := ""
	if e.Failed {
		colour = bad
	}
	out.line(at.Format("15:04:05")+"  ", colour, runLine(&e, ""))
	const indent = "          "
	if e.Failed {
		for line := range strings.Lines(e.Output) {
			out.line(indent+"| ", "", line)
		}
	}
	if e.UndoText != "" {
		out.line(indent, doubt, e.UndoText)
	}
	_, err := io.WriteString(p.out, out.String())
	return err
}

// runLine is a run in a line.
func runLine(e *history.Entry, when string) string {
	text := when
	if when != "" {
		text += " "
	}
	text += e.Network + " " + e.Op
	if e.Domain != "" {
		text += " " + e.Domain
	}
	if e.MAC != "" {
		text += " " + e.MAC
	}
	text += ": " + e.Result
	if e.Script != "" {
		text += " in " + took(time.Duration(e.Duration))
	}
	var about []string
	if base := filepath.Base(e.Script); e.Script != "" && base != "network" {
		about = append(about, base)
	}
	switch translate.Cause(e.Cause) {
	case translate.CauseEvent, translate.CauseKick:
	case translate.CauseManual:
		about = append(about, "by hand")
	default:
		about = append(about, e.Cause)
	}
	if e.Retry {
		about = append(about, "again")
	}
	if len(about) > 0 {
		text += " (" + strings.Join(about, ", ") + ")"
	}
	return text
}
