package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hookbridge/agent"
	"hookbridge/exec"
	"hookbridge/translate"
)

// fireOptions are the flags of the fire command.
type fireOptions struct {
	reach
	request agent.FireRequest
	json    bool
}

func fireCommand() *cobra.Command {
	var o fireOptions
	cmd := &cobra.Command{
		Use:   "fire NETWORK OPERATION",
		Short: "Make one hook call by hand",
		Long: `Makes one call of the network hook by hand: after a script was mended, or to try
one. The documents are those that were announced last, or those that libvirt
has for what is not announced. The call waits for its turn behind those that
are planned for the network and the guest; its cause is "manual".

It changes nothing else: neither what is announced, nor the connections that
the network's document counts, and a script that fails has no consequences.
Operations are ` + translate.NewOps(translate.AllOps()...).String() + `;
those on an interface take --domain and --mac, where several are plugged in.

--dry-run runs nothing, and prints the scripts with their arguments, their
environment, and the document on stdin.

The exit status is 1 if a script failed, or would not be run.`,
		Example: `  hookbridge fire default started
  hookbridge fire default plugged --domain web1 --dry-run
  hookbridge fire default plugged --domain web1 --mac 52:54:00:12:34:56
  hookbridge fire default started --dry-run --json | jq -r .stdin | ./new-script default started begin -`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return networkNames(o.completing(cmd)), cobra.ShellCompDirectiveNoFileComp
			case 1:
				return opNames(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.request.Network, o.request.Op = args[0], translate.Op(args[1])
			return o.run(cmd)
		},
	}
	o.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&o.request.Domain, "domain", "", "the guest, by `name` or UUID")
	f.StringVar(&o.request.MAC, "mac", "", "the interface, by its MAC `address`")
	f.StringVar(&o.request.Connection, "connection", "", "the connection's `URI`, where several have a network or guest of that name")
	f.BoolVar(&o.request.DryRun, "dry-run", false, "only print what would be run")
	f.BoolVar(&o.json, "json", false, "print JSON")
	_ = cmd.RegisterFlagCompletionFunc("domain", o.complete(guestNames))
	_ = cmd.RegisterFlagCompletionFunc("mac", o.complete(macs))
	_ = cmd.RegisterFlagCompletionFunc("connection", o.complete(func(s agent.Status) (uris []string) {
		for _, c := range s.Connections {
			uris = append(uris, c.URI)
		}
		return uris
	}))
	return cmd
}

// scriptFailedError makes the exit status of a call that failed. The report has said
// everything.
type scriptFailedError struct{}

func (scriptFailedError) Error() string { return "" }

func (o *fireOptions) run(cmd *cobra.Command) error {
	if !slices.Contains(opNames(), string(o.request.Op)) {
		return usageError{fmt.Errorf("unknown operation %q: the operations are %s", o.request.Op, translate.NewOps(translate.AllOps()...))}
	}
	report, err := o.client(cmd).Fire(cmd.Context(), o.request)
	if err != nil {
		return asked(err)
	}
	out := cmd.OutOrStdout()
	switch {
	case o.json:
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	case report.DryRun:
		_, err = io.WriteString(out, dryRunText(&report))
	default:
		p := &sheet{coloured: isTerminal(out) && !noColor()}
		p.fired(&report)
		_, err = io.WriteString(out, p.String())
	}
	if err == nil && report.Failed {
		err = scriptFailedError{}
	}
	return err
}

// fired writes what a call by hand has come to.
func (p *sheet) fired(r *agent.FireReport) {
	p.line("", bold, fmt.Sprintf("%s, by hand (run %s)", called(r.CallRef), r.Run))
	if r.Inexact != "" {
		p.line("  ! ", doubt, r.Inexact)
	}
	for _, f := range r.Findings {
		p.line("  ! ", doubt, f)
	}
	if len(r.Scripts) == 0 {
		p.line("  ", "", "there is no hook script")
	}
	for i := range r.Scripts {
		s := &r.Scripts[i]
		colour := good
		if s.Error != "" {
			colour = bad
		}
		p.line("  ", colour, fmt.Sprintf("%s: %s in %s", s.Argv[0], s.Result, took(time.Duration(s.Duration))))
		if s.Exit == nil && s.Signal == 0 && s.Error != "" {
			p.line("    ", "", s.Error)
		}
		for _, output := range []string{s.Stderr, s.Stdout} {
			for line := range strings.Lines(output) {
				p.line("    | ", "", line)
			}
		}
	}
}

// dryRunText is what would be run, to be copied into a shell; the document is as it is.
func dryRunText(r *agent.FireReport) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "# %s\n", f)
	}
	if r.Inexact != "" {
		fmt.Fprintf(&b, "# %s\n", r.Inexact)
	}
	if len(r.Scripts) == 0 {
		b.WriteString("# there is no hook script; it would be called with\n")
		fmt.Fprintf(&b, "#   %s\n", commandLine([]string{r.Network, string(r.Op), r.Op.SubOp(), "-"}))
	} else {
		b.WriteString("# would be run\n")
	}
	for i := range r.Scripts {
		fmt.Fprintf(&b, "%s\n", commandLine(r.Scripts[i].Argv))
		if e := r.Scripts[i].Error; e != "" {
			fmt.Fprintf(&b, "# not: %s\n", e)
		}
	}
	b.WriteString("# in / with the environment\n")
	for _, v := range r.Env {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&b, "%s=%s\n", name, exec.Quote(value))
	}
	fmt.Fprintf(&b, "# and on stdin %d bytes\n%s\n", len(r.Stdin), r.Stdin)
	return b.String()
}

// commandLine writes arguments as a shell reads them.
func commandLine(argv []string) string {
	all := make([]string, len(argv))
	for i, arg := range argv {
		all[i] = exec.Quote(arg)
	}
	return strings.Join(all, " ")
}
