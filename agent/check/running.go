package check

import "fmt"

// checkAgent tells whether the agent runs and answers. held is the process that
// has the state open, active what the service manager believes.
func checkAgent(socket string, answers error, held int, active bool) []Finding {
	switch {
	case answers == nil:
		return []Finding{ok(Agent, socket, "the agent answers on "+socket)}
	case held > 0:
		return []Finding{problem(Agent, socket, fmt.Sprintf("the agent with pid %d does not answer: %v", held, answers), restartAgent())}
	case held != 0 || active:
		return []Finding{problem(Agent, socket, fmt.Sprintf("the agent runs and does not answer: %v", answers), restartAgent())}
	}
	return []Finding{warning(Agent, socket, fmt.Sprintf("the agent does not run: %v", answers), startAgent())}
}

func startAgent() string {
	if c := serviceCommand("start", "hookbridge"); c != "" {
		return c
	}
	return "hookbridge run"
}

func restartAgent() string {
	if c := serviceCommand("restart", "hookbridge"); c != "" {
		return c
	}
	return "Stop it and start it again: hookbridge run"
}
