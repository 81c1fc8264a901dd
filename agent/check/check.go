package check

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"hookbridge/agent"
	"hookbridge/internal/config"
	"hookbridge/internal/gate/ask"
	"hookbridge/translate"
)

// Options say which host to look at: the settings that an agent there would have.
// Empty ones are its defaults.
type Options struct {
	Connect    []string // default: qemu:///system and lxc:///, whichever the host offers
	HookDir    string   // default exec.DefaultDir
	StateDir   string   // default ask.RunDir
	HistoryDir string   // empty: runs are not written down
	Socket     string   // the agent's; default ask.DefaultSocket

	// Ops are the operations to replay; nil: those that libvirtd does not run
	// itself.
	Ops translate.Ops

	// Ask asks libvirt, in at most the time that ctx leaves. It must return
	// ctx.Err() when it is over. Default: a process of this same program, which
	// must answer to [AskArgs].
	Ask func(ctx context.Context, uri string) (agent.Answer, error)

	// Patience is how long libvirt may take to answer. Default 5 s.
	Patience time.Duration
}

func (o Options) withDefaults() Options {
	agents := config.Default()
	for path, byDefault := range map[*string]string{
		&o.HookDir:    agents.HookDir,
		&o.StateDir:   agents.StateDir,
		&o.HistoryDir: "",
		&o.Socket:     agents.Socket,
	} {
		if *path == "" {
			*path = byDefault
		}
		if abs, err := filepath.Abs(*path); err == nil && *path != "" {
			*path = abs
		}
	}
	if o.Ask == nil {
		o.Ask = askInChild
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	return o
}

// Run looks at the host. given are findings that the caller has made already,
// about the configuration for instance; they come first.
func Run(ctx context.Context, o Options, given ...Finding) Report {
	o = o.withDefaults()
	r := Report{OK: true}
	r.add(given...)
	r.add(checkRoot()...)
	library := checkLibrary()
	r.add(library...)

	host := lookAtLibvirt(ctx, o)
	if library[0].Level != Problem {
		r.add(host.checkAnswers()...)
	}
	r.add(host.checkVerdict()...)
	r.add(checkHookDir(o.HookDir)...)
	r.add(checkPlaces(o.HookDir, host.daemon.HookDirs)...)
	scripts, found := checkScripts(o.HookDir)
	r.add(found...)
	r.add(host.checkNames(scripts)...)
	r.add(checkSELinux(ctx, scripts)...)
	r.add(checkAppArmor(o.HookDir, host.daemon.PID)...)
	r.add(checkGate(o)...)
	agentErr := ask.Healthz(o.Socket)
	stored, held := checkStore(o.StateDir)
	r.add(stored...)
	r.add(checkSpace(o)...)
	r.add(checkClock(time.Now())...)
	unit, active := checkUnit(ctx)
	r.add(unit...)
	r.add(checkAgent(o.Socket, agentErr, held, active)...)
	return r
}

// checkRoot says when not everything can be seen.
func checkRoot() []Finding {
	if os.Geteuid() == 0 {
		return nil
	}
	return []Finding{warning(Root, "", "not run as root, as the agent is: some of the following may look worse than it is, or not be seen",
		"sudo hookbridge check")}
}
