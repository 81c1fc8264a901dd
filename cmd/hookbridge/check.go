package main

import (
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"hookbridge/agent/check"
	"hookbridge/internal/config"
)

// checkOptions are what the check command is told.
type checkOptions struct {
	configuration // that of the agent it would be

	json       bool
	askLibvirt string // see check.AskArgs
}

// errWouldNotWork makes the exit status of a check that found a problem. The
// report has said everything.
var errWouldNotWork = errors.New("")

func checkCommand() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell whether hookbridge would work on this host, and what mends it",
		Long: `Looks at everything that stops such an agent in practice: libvirt's client
library, libvirtd, the hooks that it runs itself, the hook directory and its
scripts, the gate, the store, the clock, free space, the systemd unit, the
agent. Each finding is ok, a warning, or a problem, and what is not ok has the
command that mends it. Nothing is changed, and it ends in seconds. The options
are those of run: give it the ones that the agent has.

The exit status is 0 if hookbridge would work, also with warnings, and 1 if
there is a problem. With --json it prints

  {"ok": BOOL, "findings": [{"id", "level", "subject", "text", "remedy"}, …]}

where id and level are stable, and a remedy that begins with a capital letter
is advice, any other a command.`,
		Example: `  hookbridge check
  hookbridge check --json | jq '.findings[] | select(.level != "ok")'
  hookbridge check --config /etc/hookbridge/hookbridge.toml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.askLibvirt != "" {
				return check.Answer(cmd.OutOrStdout(), o.askLibvirt)
			}
			return o.run(cmd)
		},
	}
	o.bind(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.askLibvirt, "ask-libvirt", "", "")
	_ = f.MarkHidden("ask-libvirt")
	return cmd
}

func (o *checkOptions) run(cmd *cobra.Command) error {
	settings, given, err := o.settings()
	if err != nil {
		return usageError{err}
	}
	report := check.Run(cmd.Context(), check.Options{
		Connect:    settings.Connect,
		HookDir:    settings.HookDir,
		StateDir:   settings.StateDir,
		HistoryDir: settings.HistoryDir,
		Socket:     settings.Socket,
		Ops:        settings.Ops,
	}, given...)
	out := cmd.OutOrStdout()
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = report.Print(out, isTerminal(out) && !noColor())
	}
	if err == nil && !report.OK {
		err = errWouldNotWork
	}
	return err
}

// settings reads the configuration and tells of mistakes in the file; then the
// rest is checked with flags and defaults alone. The error is about a flag.
func (o *checkOptions) settings() (config.Settings, []check.Finding, error) {
	settings, file, err := o.load()
	var mistakes config.Errors
	var mistake *config.Error
	var unread *fs.PathError
	var found []check.Finding
	switch {
	case err == nil && file.Path == "":
		return settings, nil, nil
	case err == nil:
		return settings, []check.Finding{check.ConfigOK(file.Path)}, nil
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			found = append(found, check.ConfigProblem(o.path, m.Error()))
		}
	case errors.As(err, &mistake), errors.As(err, &unread):
		found = []check.Finding{check.ConfigProblem(o.path, err.Error())}
	default:
		return settings, nil, err
	}
	settings = o.flags
	settings.Follow(o.isFlag)
	return settings, found, nil
}
