package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hookbridge/agent"
	"hookbridge/internal/api"
	"hookbridge/internal/config"
	"hookbridge/internal/gate/ask"
	"hookbridge/translate"
)

// reach is how a command finds the agent: by the same flags and the same file as the
// agent was given.
type reach struct {
	config, stateDir, socket string

	settings config.Settings // once resolved
}

func (r *reach) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.socket, "socket", "", "`path` of the agent's socket (default "+ask.DefaultSocket+")")
	f.StringVar(&r.stateDir, "state-dir", "", "the agent's state `directory`, for one with a state of its own")
	f.StringVar(&r.config, "config", config.DefaultPath, "the agent's configuration `file`")
	_ = cmd.MarkFlagDirname("state-dir")
	_ = cmd.MarkFlagFilename("config", "toml")
}

// resolve reads where the agent is. A configuration that cannot be read is none: who
// asks what is wrong should be answered all the same.
func (r *reach) resolve(cmd *cobra.Command) {
	file, err := config.Load(r.config)
	if err != nil {
		file = config.None()
	}
	r.settings = file.Settings()
	given := map[string]bool{"state_dir": r.stateDir != "", "socket": r.socket != ""}
	if r.stateDir != "" {
		r.settings.StateDir = r.stateDir
	}
	if r.socket != "" {
		r.settings.Socket = r.socket
	}
	r.settings.Follow(func(key string) bool {
		if flag := cmd.Flags().Lookup("history-dir"); key == "history_dir" && flag != nil && flag.Changed {
			return true
		}
		return given[key] || file.IsSet(key)
	})
	if r.socket != "" && r.stateDir == "" && !file.IsSet("state_dir") {
		r.settings.StateDir = filepath.Dir(r.socket)
	}
}

func (r *reach) client(cmd *cobra.Command) *api.Client {
	r.resolve(cmd)
	return api.NewClient(r.settings.Socket)
}

// asked gives an error from the agent its exit code.
func asked(err error) error {
	var unreachable *api.UnreachableError
	var response *api.ResponseError
	switch {
	case errors.As(err, &unreachable):
		return unreachableError{err}
	case errors.As(err, &response) && response.Status == http.StatusBadRequest:
		return usageError{err}
	case errors.As(err, &response) && response.Status == http.StatusServiceUnavailable:
		return unreachableError{err}
	}
	return err
}

// isDown reports whether an error says that no agent could be asked.
func isDown(err error) bool {
	var unreachable *api.UnreachableError
	return errors.As(err, &unreachable)
}

// completing is the agent's status for a shell that completes, as far as it can be had.
func (r *reach) completing(cmd *cobra.Command) agent.Status {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	status, _ := r.client(cmd).Status(ctx)
	return status
}

func opNames() []string {
	var names []string
	for _, op := range translate.AllOps() {
		names = append(names, string(op))
	}
	return names
}

// complete is a completion from the agent's status.
func (r *reach) complete(words func(agent.Status) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return words(r.completing(cmd)), cobra.ShellCompDirectiveNoFileComp
	}
}

func networkNames(s agent.Status) (names []string) {
	for _, n := range s.Networks {
		names = append(names, n.Name)
	}
	return names
}

func guestNames(s agent.Status) (names []string) {
	for _, n := range s.Networks {
		for _, i := range n.Interfaces {
			names = append(names, i.Guest)
		}
	}
	return names
}

func macs(s agent.Status) (all []string) {
	for _, n := range s.Networks {
		for _, i := range n.Interfaces {
			all = append(all, i.MAC+"\t"+i.Guest)
		}
	}
	return all
}
