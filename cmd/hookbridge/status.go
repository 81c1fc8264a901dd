package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hookbridge/internal/api"
)

// watchInterval is how often status --watch draws again.
const watchInterval = 2 * time.Second

// statusOptions are the flags of the status command.
type statusOptions struct {
	reach
	json, watch bool
}

func statusCommand() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell what the agent believes and what it is doing",
		Long: `Tells whether the agent runs and is connected, who makes which hook calls,
which networks are up and which interfaces are plugged into them, since when
and how their last call ended, what waits, and what has failed of late.

When the agent cannot be reached the exit status is 3, and what can be known
without it is told: whether it runs, what it had announced, its last run.

--json prints the answer of /v1/status. Its fields are stable: new ones may
come, none goes. An agent that cannot be reached gives {"reachable": false, …}.`,
		Example: `  hookbridge status
  hookbridge status --watch
  hookbridge status --json | jq '.networks[] | select(.last_call.failed)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := o.client(cmd)
			if o.watch {
				return o.watchStatus(cmd.Context(), client, cmd.OutOrStdout())
			}
			return o.show(cmd.Context(), client, cmd.OutOrStdout())
		},
	}
	o.bind(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "draw again every 2 seconds, until interrupted")
	return cmd
}

// show prints the status once.
func (o *statusOptions) show(ctx context.Context, client *api.Client, out io.Writer) error {
	text, err := o.text(ctx, client, isTerminal(out) && !noColor())
	if _, writeErr := io.WriteString(out, text); writeErr != nil {
		return writeErr
	}
	return err
}

// text is the status, or what can be said instead.
func (o *statusOptions) text(ctx context.Context, client *api.Client, coloured bool) (string, error) {
	status, err := client.Status(ctx)
	if err != nil && !isDown(err) {
		return "", asked(err)
	}
	if o.json {
		var value any = status
		if err != nil {
			value = lookFromOutside(ctx, o.settings, err)
		}
		text, jsonErr := json.MarshalIndent(value, "", "  ")
		if jsonErr != nil {
			return "", jsonErr
		}
		return string(text) + "\n", asked(err)
	}
	p := &sheet{coloured: coloured, unicode: showsUnicode()}
	if err != nil {
		p.outside(lookFromOutside(ctx, o.settings, err), time.Now())
	} else {
		p.status(&status)
	}
	return p.String(), asked(err)
}

// watchStatus draws the status again and again, until ctx ends. On a terminal each
// takes the place of the one before.
func (o *statusOptions) watchStatus(ctx context.Context, client *api.Client, out io.Writer) error {
	terminal := isTerminal(out)
	ticks := time.NewTicker(watchInterval)
	defer ticks.Stop()
	last := ""
	for {
		text, err := o.text(ctx, client, terminal && !noColor())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && text == "" {
			return err
		}
		switch {
		case terminal:
			// Home, each line cleared to its end, and what is below it: no flicker.
			_, err = io.WriteString(out, "\x1b[H"+clearedLines(text)+"\x1b[J")
		case text != last || o.json:
			_, err = io.WriteString(out, text+"\n")
		default:
			err = nil
		}
		if err != nil {
			return err
		}
		last = text
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

func clearedLines(text string) string {
	var cleared []byte
	for i := range len(text) {
		if text[i] == '\n' {
			cleared = append(cleared, "\x1b[K"...)
		}
		cleared = append(cleared, text[i])
	}
	return string(cleared)
}
