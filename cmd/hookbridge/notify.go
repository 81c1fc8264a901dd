package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hookbridge/agent"
)

// status is the line that systemctl status shows.
func (r *running) status() string {
	// An agent that is being started, or hangs, answers later.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, up, plugged, err := r.agent.Summary(ctx)
	if err != nil {
		return "no news from the agent: " + err.Error()
	}
	return statusLine(s, up, plugged)
}

// statusLine sums up a status: what is watched, what is announced, what waits.
func statusLine(s agent.Status, up, plugged int) string {
	var watched, missing []string
	for _, c := range s.Connections {
		switch {
		case c.Connected:
			watched = append(watched, c.URI)
		case !c.Optional:
			missing = append(missing, c.URI)
		}
	}
	var parts []string
	switch {
	case len(watched) > 0:
		parts = append(parts, fmt.Sprintf("%s: %s, %s plugged", strings.Join(watched, ", "), count(up, "network"), count(plugged, "interface")))
	case len(missing) == 0:
		parts = append(parts, "waiting for a libvirtd")
	}
	if len(missing) > 0 {
		parts = append(parts, "waiting for "+strings.Join(missing, ", "))
	}
	if n := s.Queues.CallsPlanned + s.Queues.CallsHeld; n > 0 {
		parts = append(parts, count(n, "call")+" queued")
	}
	return strings.Join(parts, "; ")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
