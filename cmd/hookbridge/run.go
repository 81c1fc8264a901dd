package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"hookbridge/agent"
	"hookbridge/translate"
)

// runOptions are the flags of the run command.
type runOptions struct {
	connect   []string
	hookDir   string
	stateDir  string
	adopt     string
	without   string
	reconcile time.Duration
	runDir    string
	libDir    string
	onFailure string

	historyDir string
	ops        string
	timeout    time.Duration
	parallel   int
	logLevel   string
	logFormat  string
}

func runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Watch libvirtd and run the network hook",
		Long: `Watches libvirtd and runs the network hook until it gets SIGTERM or SIGINT.
A libvirtd that is not there, or goes away, is waited for.`,
		Example: `  hookbridge run
  hookbridge run --connect qemu:///system --hook-dir /etc/libvirt/hooks
  hookbridge run --ops plugged,unplugged`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.historyDir = "/var/lib/hookbridge/history"
			if cmd.Flags().Changed("state-dir") {
				o.historyDir = filepath.Join(o.stateDir, "history")
			}
			a, err := o.agent()
			if err != nil {
				return usageError{err}
			}
			return a.Run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.connect, "connect", "c", nil, "libvirt connection `URI` to watch; may be repeated (default: qemu:///system and lxc:///, whichever the host offers)")
	f.StringVar(&o.hookDir, "hook-dir", "/etc/libvirt/hooks", "`directory` of the hook scripts")
	f.StringVar(&o.stateDir, "state-dir", "/run/hookbridge", "`directory` where the announced state is kept until the next boot")
	f.StringVar(&o.adopt, "adopt", "announce", "what to do with what already runs at the first start: announce, or record without a call")
	f.StringVar(&o.without, "without", "", "behave as if libvirt lacked these features: a comma separated `list`")
	f.DurationVar(&o.reconcile, "reconcile-interval", 0, "how often to compare everything; 0: every 30s where libvirt lacks events, negative: never")
	f.StringVar(&o.runDir, "libvirt-run-dir", "", "`directory` of libvirtd's status files, such as /run/libvirt (default: found out)")
	f.StringVar(&o.libDir, "libvirt-state-dir", "", "`directory` of libvirtd's state, such as /var/lib/libvirt (default: found out)")
	f.StringVar(&o.onFailure, "on-failure", "undo", "what a failing script leads to: undo the change that it refused, or log")
	f.StringVar(&o.ops, "ops", "auto", "operations to replay: a comma separated `list`, or auto for those that libvirtd does not run itself")
	f.DurationVar(&o.timeout, "timeout", 300*time.Second, "end a script that runs longer than this; 0 never")
	f.IntVar(&o.parallel, "parallel", 0, "how many scripts may run at once (default: the number of cores)")
	f.StringVar(&o.logLevel, "log-level", "info", "least level to log: debug, info, warning, error")
	f.StringVar(&o.logFormat, "log-format", "auto", "text, json, or auto: text with colours and times on a terminal only")
	return cmd
}

func (o runOptions) agent() (*agent.Agent, error) {
	var ops translate.Ops
	if o.ops != "auto" {
		var err error
		if ops, err = translate.ParseOps(o.ops); err != nil {
			return nil, fmt.Errorf("--ops: %w", err)
		}
	}
	without, err := agent.ParseFeatures(o.without)
	if err != nil {
		return nil, fmt.Errorf("--without: %w", err)
	}
	log, err := newLogger(o.logLevel, o.logFormat)
	if err != nil {
		return nil, err
	}
	return agent.New(agent.Config{
		Connect:  o.connect,
		HookDir:  o.hookDir,
		StateDir: o.stateDir,
		Adopt:    agent.Adopt(o.adopt),
		Without:  without,

		ReconcileInterval: o.reconcile,
		LibvirtRunDir:     o.runDir,
		LibvirtStateDir:   o.libDir,

		Ops: ops,

		OnFailure:  agent.OnFailure(o.onFailure),
		HistoryDir: o.historyDir,

		Timeout:  o.timeout,
		Parallel: o.parallel,
		Log:      log,
	})
}

// newLogger returns a logger that writes to stderr. Off a terminal the text
// form carries no time of its own: the journal has it.
func newLogger(level, format string) (*logrus.Logger, error) {
	log := logrus.New()
	l, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	log.SetLevel(l)
	switch format {
	case "auto":
		terminal := isTerminal(log.Out)
		log.SetFormatter(&logrus.TextFormatter{
			DisableTimestamp: !terminal, DisableColors: !terminal || noColor(), FullTimestamp: true,
		})
	case "text":
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: true})
	case "json":
		log.SetFormatter(&logrus.JSONFormatter{})
	default:
		return nil, fmt.Errorf("--log-format: %q is none of auto, text, json", format)
	}
	return log, nil
}
