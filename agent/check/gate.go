package check

import (
	"fmt"
	"os"

	"hookbridge/internal/gate"
	"hookbridge/internal/gate/ask"
)

// checkGate tells the state of libvirt's guest hooks.
func checkGate(o Options) []Finding {
	status, err := gate.Read(o.HookDir, gate.Guests)
	if err != nil {
		return []Finding{warning(Gate, o.HookDir, "the gate cannot be looked at: "+err.Error(), "hookbridge gate status")}
	}
	answers := map[string]gate.AgentStatus{}
	for _, a := range status.Agents {
		answers[a.Socket] = a
	}
	var all []Finding
	for _, g := range status.Guests {
		all = append(all, checkGuestHook(o, g, answers[g.Socket])...)
	}
	return all
}

func checkGuestHook(o Options, g gate.GuestStatus, agent gate.AgentStatus) []Finding {
	install := fmt.Sprintf("hookbridge gate install --guest %s --hook-dir %s", g.Guest, word(o.HookDir))
	switch g.State {
	case "not installed":
		if g.Kept != "" {
			return []Finding{problem(Gate, g.Path, fmt.Sprintf("the gate at %s is gone, and the script that was there before it waits in %s", g.Path, g.Kept),
				fmt.Sprintf("hookbridge gate remove --guest %s --hook-dir %s", g.Guest, word(o.HookDir)))}
		}
		return []Finding{ok(Gate, g.Path, g.Path+": no gate; a refused guest is destroyed after its start")}
	case "foreign":
		if g.Kept != "" {
			return []Finding{warning(Gate, g.Path, fmt.Sprintf("%s took the gate's place, and %s holds the script that was there before", g.Path, g.Kept),
				fmt.Sprintf("Make the two one script, or delete one of them; then: hookbridge gate install --guest %s", g.Guest))}
		}
		return []Finding{ok(Gate, g.Path, g.Path+": a script of this host, no gate")}
	case "changed":
		return []Finding{warning(Gate, g.Path, g.Path+" is the gate, and somebody has changed it: hookbridge leaves it alone",
			fmt.Sprintf("rm %s && %s", word(g.Path), install))}
	case "pass-through":
		return []Finding{ok(Gate, g.Path, g.Path+": the gate was removed; what stays does nothing, for a libvirtd that has seen it")}
	}
	return checkInstalledGate(o, g, agent, install)
}

// checkInstalledGate tells whether a gate that is there works.
func checkInstalledGate(o Options, g gate.GuestStatus, agent gate.AgentStatus, install string) []Finding {
	var all []Finding
	if !executable(g.Path) {
		all = append(all, problem(Gate, g.Path, "the gate "+g.Path+" is not executable: libvirtd fails every start of a guest if it has seen it before",
			"chmod 0755 "+word(g.Path)))
	}
	if !executable(g.Binary) {
		all = append(all, warning(Gate, g.Path, fmt.Sprintf("the gate %s cannot run %s: it lets everything pass", g.Path, g.Binary), install))
	}
	if !agent.Answers {
		f := warning(Gate, g.Path, fmt.Sprintf("the gate %s asks the agent, who does not answer (%s): guests are let pass", g.Path, agent.Error), startAgent())
		if g.Unavailable == ask.Deny {
			f.Level = Problem
			f.Text = fmt.Sprintf("the gate %s asks the agent, who does not answer (%s): every start of a guest is refused", g.Path, agent.Error)
		}
		all = append(all, f)
	}
	if g.Socket != o.Socket {
		all = append(all, warning(Gate, g.Path, fmt.Sprintf("the gate %s asks at %s, the agent is meant to listen on %s", g.Path, g.Socket, o.Socket),
			install+" --socket "+word(o.Socket)))
	}
	if g.Noticed == "not yet" {
		all = append(all, warning(Gate, g.Path, "libvirtd has not seen the gate "+g.Path+" yet, unless it was reloaded", restartLibvirtd()))
	}
	if len(all) == 0 {
		text := g.Path + ": the gate is installed, the agent answers"
		if g.Noticed == "yes" {
			text += ", libvirtd has seen it"
		}
		all = append(all, ok(Gate, g.Path, text))
	}
	return all
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
