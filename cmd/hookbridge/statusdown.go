package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"hookbridge/internal/api"
	"hookbridge/internal/config"
	"hookbridge/internal/history"
	"hookbridge/internal/process"
	"hookbridge/internal/store"
)

// outside is what can be known of an agent that does not answer. Its JSON form is
// stable.
type outside struct {
	Reachable bool   `json:"reachable"` // false
	Socket    string `json:"socket"`
	Error     string `json:"error"`
	Remedy    string `json:"remedy"`

	// Holder is the process that has the state open: the agent runs, but does not answer.
	// -1: some process has.
	Holder int `json:"state_holder,omitempty"`

	// Networks, Guests and Calls are what an agent that was stopped has left: announced
	// networks and guests, and calls that it makes when it is started again.
	Networks int `json:"networks_announced"`
	Guests   int `json:"guests_announced"`
	Calls    int `json:"calls_left"`

	StateDir   string `json:"state_dir"`
	StateError string `json:"state_error,omitempty"`

	Service string `json:"service,omitempty"` // what systemd says of it

	LastRun *history.Entry `json:"last_run,omitempty"`
}

// lookFromOutside finds out what can be known without the agent.
func lookFromOutside(ctx context.Context, s config.Settings, why error) outside {
	o := outside{Socket: s.Socket, StateDir: s.StateDir, Error: why.Error()}
	var unreachable *api.UnreachableError
	if errors.As(why, &unreachable) {
		o.Error, o.Remedy = unreachable.Reason, unreachable.Remedy
	}
	about, err := store.Inspect(s.StateDir)
	var held *store.HeldError
	switch {
	case errors.As(err, &held):
		if o.Holder = held.PID; o.Holder == 0 {
			o.Holder = -1
		}
	case err == nil:
		if boot, bootErr := process.Boot(); bootErr == nil && boot == about.Boot {
			o.Networks, o.Guests, o.Calls = about.Kept[store.Networks], about.Kept[store.Domains], about.Kept[store.Calls]
		}
	case !errors.Is(err, fs.ErrNotExist):
		o.StateError = err.Error()
	}
	for e, err := range history.Last(history.Read(s.HistoryDir, history.Filter{}), 1) {
		if err == nil {
			o.LastRun = &e
		}
	}
	o.Service = serviceState(ctx)
	return o
}

// serviceState is what systemd says of the agent, empty where there is none.
func serviceState(ctx context.Context) string {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", "show", "-p", "LoadState,ActiveState,SubState,Result", "hookbridge.service").Output()
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func (p *sheet) outside(o outside, now time.Time) {
	p.line("", bad, "the agent cannot be reached: "+o.Error)
	p.line("  socket    ", "", o.Socket)
	switch {
	case o.Holder > 0:
		p.line("  process   ", doubt, fmt.Sprintf("pid %d has the state in %s open: it runs, and does not answer", o.Holder, o.StateDir))
	case o.Holder < 0:
		p.line("  process   ", doubt, fmt.Sprintf("some process has the state in %s open: it runs, and does not answer", o.StateDir))
	case o.StateError != "":
		p.line("  state     ", bad, o.StateError)
	case o.Networks+o.Guests+o.Calls > 0:
		p.line("  state     ", "", fmt.Sprintf("%s and %s are announced, %s to be made when it is started",
			plural(o.Networks, "network"), plural(o.Guests, "guest"), plural(o.Calls, "call")))
	default:
		p.line("  state     ", "", "nothing is announced in "+o.StateDir)
	}
	if o.Service != "" {
		p.line("  service   ", "", o.Service)
	}
	if o.LastRun != nil {
		p.line("  last run  ", "", runLine(o.LastRun, clock(o.LastRun.Time, now)))
	}
	p.line("  remedy    ", bold, o.Remedy)
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
