//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"syscall"

	"hookbridge/internal/testhost"
)

// round is a storm with something that goes wrong in it.
type round struct {
	name   string
	script string        // what scripts do behind the rest
	amid   func(*steady) // what happens when a quarter of the calls is made
	loses  bool          // calls may be missing, or more: only what is announced in the end counts
	ends   bool          // libvirtd ends, and with it all guests
}

// faulty ends the hook script: it does what the round says.
const faulty = `[ ! -f "${0%/*}/fault" ] || . "${0%/*}/fault"
`

var (
	calm = round{name: "calm"}

	// The connection breaks, and breaks again as soon as it is back.
	cut = round{name: "broken connections", loses: true, amid: func(s *steady) {
		for range 5 {
			s.reconnect()
		}
	}}

	// libvirtd stands still until hookbridge has nothing left to do.
	stall = round{name: "short stall", amid: func(s *steady) {
		s.SignalDaemon(s.t, syscall.SIGSTOP)
		s.await("no calls left", func() bool { return metrics(s.t, s.socket())["hookbridge_calls_planned"] == 0 })
		s.SignalDaemon(s.t, syscall.SIGCONT)
	}}

	// libvirtd stands still until hookbridge gives the connection up.
	hangs = round{name: "long stall", loses: true, amid: func(s *steady) {
		s.SignalDaemon(s.t, syscall.SIGSTOP)
		s.await("the connection given up", func() bool { return metrics(s.t, s.socket())["hookbridge_connected"] == 0 })
		s.SignalDaemon(s.t, syscall.SIGCONT)
	}}

	restart = round{name: "restart of libvirtd", loses: true, ends: true, amid: func(s *steady) {
		if s.term = !s.term; s.term {
			s.RestartDaemon(s.t, syscall.SIGTERM)
		} else {
			s.RestartDaemon(s.t, syscall.SIGKILL)
		}
	}}

	reload = round{name: "reload", amid: func(s *steady) {
		s.parallel = 5 - s.parallel // 2 or 3
		s.configure()
		s.must(s.b.cmd.Process.Signal(syscall.SIGHUP))
		s.await("the new configuration", func() bool {
			var status struct{ Parallel int }
			text, err := ask(s.socket(), "/v1/status")
			s.must(err)
			s.must(json.Unmarshal(text, &status))
			return status.Parallel == s.parallel
		})
	}}

	// Some starts are refused, and undone.
	refuse = round{name: "refusals", loses: true, script: `case $2$mac in
plugged*[7a]) echo "refused $1 plugged $mac" >>"$log"; echo no >&2; exit 1 ;;
unplugged*[7a]) exit 3 ;;
esac
`}

	// Some run into their time limit, one of them does not hear the first word.
	hang = round{name: "hanging scripts", script: `case $mac in
*:0[12]:33) sleep 600 ;;
*:03:33) trap '' TERM; sleep 600 & wait; sleep 600 ;;
esac
`}

	// Some leave a process behind that keeps stdout.
	leave = round{name: "processes left behind", script: `case $mac in
*[0-3]c) sleep 3 & ;;
esac
`}

	everyRound = []round{calm, restart, cut, refuse, stall, hang, reload, leave, calm, hangs}
)

const steadyConfig = "/etc/hookbridge-test/steady.toml"

func (s *steady) configure() {
	s.t.Helper()
	s.WriteFile(s.t, steadyConfig, fmt.Appendf(nil, `hook_dir = %q
ops = ["start", "started", "stopped", "plugged", "unplugged"]
adopt = "record"
timeout = "1s"
parallel = %d
`, hookDir, s.parallel), 0o644)
}

// fault makes scripts do something more; "" makes them harmless.
func (s *steady) fault(commands string) {
	s.t.Helper()
	// Written at once: "." reads it while it is written.
	s.must(testhost.WriteProgram(s.Path(hookDir)+"/fault.new", []byte(commands), 0o644))
	s.must(syscall.Rename(s.Path(hookDir)+"/fault.new", s.Path(hookDir)+"/fault"))
}

// reconnect breaks hookbridge's connection and returns when it is back.
func (s *steady) reconnect() {
	s.t.Helper()
	before := metrics(s.t, s.socket())["hookbridge_reconnects_total"]
	s.relay.cut()
	s.await("a new connection", func() bool { return metrics(s.t, s.socket())["hookbridge_reconnects_total"] > before })
}
