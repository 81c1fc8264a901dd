package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hookbridge/exec"
	"hookbridge/internal/config"
	"hookbridge/internal/gate"
	"hookbridge/internal/gate/ask"
	_ "hookbridge/internal/gate/early" // answers "gate run"
)

// gateOptions are the flags of the gate commands.
type gateOptions struct {
	config      string
	guests      []string
	hookDir     string
	socket      string
	timeout     time.Duration
	unavailable ask.Policy
	json        bool
}

func gateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Let scripts refuse a guest before it starts",
		Long: `libvirtd calls its guest hooks, qemu and lxc, before a guest exists, and obeys
their exit status. The gate is a small script in their place that asks the
agent: so the network hook's plugged runs before the guest does, and can
refuse it. A guest hook that is there already is kept, and runs first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(gateInstallCommand(), gateRemoveCommand(), gateStatusCommand(), gateRunCommand())
	return cmd
}

// where adds the flags that say which hooks are meant.
func (o *gateOptions) where(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&o.guests, "guest", gate.Guests, "guest hooks: a comma separated `list` of qemu and lxc")
	cmd.Flags().StringVar(&o.hookDir, "hook-dir", exec.DefaultDir, "libvirt's hook `directory`")
}

func gateInstallCommand() *cobra.Command {
	o := gateOptions{unavailable: ask.Allow}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put the gate into libvirt's guest hooks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.configure(cmd); err != nil {
				return usageError{err}
			}
			if o.timeout <= 0 {
				return usageError{errors.New("--timeout: libvirtd waits meanwhile, so there must be one")}
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			report, err := gate.Install(o.hookDir, o.guests, gate.Options{
				Binary: self, Socket: o.socket, Timeout: o.timeout, Unavailable: o.unavailable,
			})
			printReport(cmd.OutOrStdout(), report)
			return gateError(err)
		},
	}
	o.where(cmd)
	f := cmd.Flags()
	f.StringVar(&o.config, "config", config.DefaultPath, "configuration `file` for what is not said here")
	f.StringVar(&o.socket, "socket", ask.DefaultSocket, "the agent's socket")
	f.DurationVar(&o.timeout, "timeout", ask.DefaultTimeout, "how long the agent may take for the scripts of one guest")
	f.Var(&o.unavailable, "unavailable", "what happens to a guest when the agent cannot be asked")
	return cmd
}

// configure takes from the configuration file what the flags do not say.
func (o *gateOptions) configure(cmd *cobra.Command) error {
	file, err := config.Load(o.config)
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config") {
		return nil
	}
	if err != nil {
		return err
	}
	s := file.Settings()
	s.Follow(file.IsSet)
	if !cmd.Flags().Changed("socket") {
		o.socket = s.Socket
	}
	if !cmd.Flags().Changed("timeout") {
		o.timeout = s.Gate.Timeout
	}
	if !cmd.Flags().Changed("unavailable") {
		o.unavailable = s.Gate.Unavailable
	}
	return nil
}

func gateRemoveCommand() *cobra.Command {
	var o gateOptions
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Take the gate out of libvirt's guest hooks",
		Long: `Takes the gate out and puts back the script that was there before. Where there
was none, a script that does nothing stays while a libvirtd runs that may have
seen the hook: it would fail every start of a guest otherwise. Removing again
while libvirtd is stopped deletes that, too.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := gate.Remove(o.hookDir, o.guests)
			printReport(cmd.OutOrStdout(), report)
			return gateError(err)
		},
	}
	o.where(cmd)
	return cmd
}

func gateStatusCommand() *cobra.Command {
	var o gateOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell what is installed, and whether libvirtd and the agent know",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := gate.Read(o.hookDir, o.guests)
			if err != nil {
				return gateError(err)
			}
			if o.json {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(status)
			}
			printGateStatus(cmd.OutOrStdout(), status)
			return nil
		},
	}
	o.where(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// gateRunCommand is there for the help: package early answers it.
func gateRunCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "run",
		Short:              "Ask the agent about one call; for the shim",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch ask.Main(args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()) {
			case exitOK:
				return nil
			case exitUsage:
				return usageError{errors.New("wrong call of gate run")}
			}
			return errors.New("the guest is refused")
		},
	}
}

func gateError(err error) error {
	var usage gate.UsageError
	if errors.As(err, &usage) {
		return usageError{err}
	}
	return err
}

func printReport(w io.Writer, report gate.Report) {
	for _, o := range report {
		if o.Err != nil {
			continue // the command's error says it
		}
		fmt.Fprintf(w, "%s: %s\n", o.Path, o.Done)
		printNotes(w, o.Notes)
	}
}

func printNotes(w io.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "  note: %s\n", n)
	}
}

func printGateStatus(w io.Writer, s gate.Status) {
	for _, g := range s.Guests {
		var about []string
		if g.Version != 0 {
			about = append(about, fmt.Sprintf("version %d", g.Version))
		}
		if g.Noticed != "" {
			about = append(about, map[string]string{
				"yes":         "libvirtd has seen it",
				"not yet":     "libvirtd has not seen it yet, unless it was reloaded",
				"not running": "libvirtd does not run",
			}[g.Noticed])
		}
		fmt.Fprintf(w, "%s: %s", g.Path, g.State)
		if len(about) > 0 {
			fmt.Fprintf(w, " (%s)", strings.Join(about, "; "))
		}
		fmt.Fprintln(w)
		if g.Kept != "" {
			fmt.Fprintf(w, "  kept script: %s\n", g.Kept)
		}
		if g.Socket != "" {
			fmt.Fprintf(w, "  asks %s for %s at most; without the agent: %s\n", g.Socket, g.Timeout, g.Unavailable)
		}
		printNotes(w, g.Notes)
	}
	for _, a := range s.Agents {
		if a.Answers {
			fmt.Fprintf(w, "agent: answers on %s\n", a.Socket)
		} else {
			fmt.Fprintf(w, "agent: does not answer: %s\n", a.Error)
		}
	}
}
