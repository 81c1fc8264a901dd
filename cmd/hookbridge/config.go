package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hookbridge/agent"
	"hookbridge/internal/config"
	"hookbridge/internal/libvirtd"
)

// configuration is what a command is told by flags and by a file. Flags win.
type configuration struct {
	path  string
	flags config.Settings
	set   *pflag.FlagSet
}

// bind gives a command a flag for each option, and one for the file.
func (c *configuration) bind(cmd *cobra.Command) {
	c.flags = config.Default()
	c.set = cmd.Flags()
	c.set.StringVar(&c.path, "config", config.DefaultPath, "configuration `file`; the default one need not exist")
	_ = cmd.MarkFlagFilename("config", "toml")
	for _, o := range config.Options() {
		if o.Flag == "" {
			continue
		}
		c.set.VarP(o.Value(&c.flags), o.Flag, o.Short, o.Usage)
		completeOption(cmd, o)
	}
}

// load reads the file and puts the flags over it. The error names the flag, or the
// line of the file, and what would be right there.
func (c *configuration) load() (config.Settings, *config.File, error) {
	file, err := config.Load(c.path)
	if errors.Is(err, fs.ErrNotExist) && !c.set.Changed("config") {
		file, err = config.None(), nil
	}
	if err != nil {
		return config.Settings{}, nil, err
	}
	s := file.Settings()
	for _, o := range config.Options() {
		if c.isFlag(o.Key) {
			o.Copy(&s, &c.flags)
		}
	}
	s.Follow(func(key string) bool { return c.isFlag(key) || file.IsSet(key) })

	blame := func(key string, err error) error {
		if c.isFlag(key) {
			return fmt.Errorf("--%s: %w", strings.ReplaceAll(key, "_", "-"), err)
		}
		return file.Blame(key, err)
	}
	for _, uri := range s.Connect {
		if err := libvirtd.CheckURI(uri); err != nil {
			return s, nil, blame("connect", err)
		}
	}
	if _, err := agent.ParseFeatures(strings.Join(s.Without, ",")); err != nil {
		return s, nil, blame("without", err)
	}
	return s, file, nil
}

// isFlag reports whether an option was given on the command line.
func (c *configuration) isFlag(key string) bool {
	for _, o := range config.Options() {
		if o.Key == key {
			return o.Flag != "" && c.set.Changed(o.Flag)
		}
	}
	return false
}

// agentConfig makes of settings what the agent understands.
func agentConfig(s config.Settings, log *logrus.Logger) (agent.Config, error) {
	without, err := agent.ParseFeatures(strings.Join(s.Without, ","))
	if err != nil {
		return agent.Config{}, err
	}
	return agent.Config{
		Connect: s.Connect,
		HookDir: s.HookDir,

		StateDir:   s.StateDir,
		HistoryDir: s.HistoryDir,

		Ops:       s.Ops,
		OnFailure: agent.OnFailure(s.OnFailure),
		Adopt:     agent.Adopt(s.Adopt),
		Payload:   s.Payload,
		Without:   without,

		Timeout:           s.Timeout,
		Parallel:          s.Parallel,
		ReconcileInterval: s.ReconcileInterval,
		LibvirtRunDir:     s.LibvirtRunDir,
		LibvirtStateDir:   s.LibvirtStateDir,

		Log: log,
	}, nil
}
