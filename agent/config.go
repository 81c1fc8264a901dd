package agent

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/exec"
	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// Config is what an agent needs to know. The zero value of a field means its
// default where one is named.
type Config struct {
	// Connect are the URIs of the libvirt connections to watch. Those to this
	// host share its networks, which are followed through one of them. Default:
	// qemu and lxc, whichever the host offers.
	Connect []string

	// HookDir is the directory of the hook scripts. Default /etc/libvirt/hooks.
	HookDir string

	// StateDir is the directory where the announced state is kept for the time
	// of this boot. Empty: an agent that is restarted begins anew.
	StateDir string

	// Ops are the operations to replay. nil: decided for each connection by what
	// its libvirtd runs itself.
	Ops translate.Ops

	// Adopt says what happens with networks and guests that are there when the
	// agent first comes to a host in a boot. Default AdoptAnnounce.
	Adopt Adopt

	// Without are features of libvirt's to do without, as if this libvirt did not
	// have them.
	Without []Feature

	// LibvirtRunDir and LibvirtStateDir are where libvirtd keeps its status files:
	// /run/libvirt and /var/lib/libvirt. Empty: found out from the running
	// libvirtd.
	LibvirtRunDir   string
	LibvirtStateDir string

	// ReconcileInterval is how often everything is compared with what was
	// announced. 0: every 30 s where libvirt lacks events, else only after a
	// connect and after an overflow. Negative: never on its own.
	ReconcileInterval time.Duration

	// OnFailure says what a script that fails leads to. Default OnFailureUndo.
	OnFailure OnFailure

	// Payload is the form of the document on the script's stdin.
	// Default translate.Payload123.
	Payload translate.Payload

	// Timeout ends a script that runs longer; 0 means never.
	Timeout time.Duration

	// Parallel is how many scripts may run at once. Default: the number of
	// cores.
	Parallel int

	// Log receives everything the agent has to say. Default: logrus' standard
	// logger.
	Log *logrus.Logger

	// HistoryDir is the directory where the runs of scripts are written down.
	// Empty: they are not.
	HistoryDir string

	// OnCall, when set, is told of each finished call. It runs on the goroutine
	// that ran the script and holds up that network.
	OnCall func(Finished)

	// OnReady, when set, is called once per connection when its events are
	// registered and everything that was there has been looked at.
	OnReady func(uri string)

	// OnSettled, when set, is called once: when every connection is ready or has
	// failed for the first time. A libvirtd that is not there is not waited for.
	OnSettled func()
}

// checked fills in the defaults. The error says what is wrong with a field.
func (cfg Config) checked() (Config, error) {
	for _, uri := range cfg.Connect {
		if err := libvirtd.CheckURI(uri); err != nil {
			return cfg, err
		}
	}
	if cfg.Parallel < 0 || cfg.Timeout < 0 {
		return cfg, errors.New("neither the number of parallel scripts nor their timeout can be negative")
	}
	if cfg.HookDir == "" {
		cfg.HookDir = exec.DefaultDir
	}
	var err error
	if cfg.HookDir, err = filepath.Abs(cfg.HookDir); err != nil {
		return cfg, fmt.Errorf("hook directory: %w", err)
	}
	switch cfg.Adopt {
	case "":
		cfg.Adopt = AdoptAnnounce
	case AdoptAnnounce, AdoptRecord:
	default:
		return cfg, fmt.Errorf("what is there already can be met with %q or %q, not with %q", AdoptAnnounce, AdoptRecord, cfg.Adopt)
	}
	switch cfg.OnFailure {
	case "":
		cfg.OnFailure = OnFailureUndo
	case OnFailureUndo, OnFailureLog:
	default:
		return cfg, fmt.Errorf("a script that fails can lead to %q or %q, not to %q", OnFailureUndo, OnFailureLog, cfg.OnFailure)
	}
	if cfg.Payload == "" {
		cfg.Payload = translate.Payload123
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = runtime.NumCPU()
	}
	if cfg.Log == nil {
		cfg.Log = logrus.StandardLogger()
	}
	return cfg, nil
}

// Finished is a call that was made, or could not be made.
type Finished struct {
	Run     string // the run's id, HOOKBRIDGE_RUN of the script
	Call    translate.Call
	Stdin   []byte // not to be changed: the next call may have parts of it
	Report  exec.Report
	Planned time.Time // when the change was noticed
	Undo    Undone    // what a refusal led to
	Retry   bool      // the call may have been made before
}

// DefaultConnect returns the connections that are watched when none is named;
// those that the host does not offer are left alone.
func DefaultConnect() []string { return slices.Clone(defaultConnect) }

var defaultConnect = []string{"qemu:///system", "lxc:///"}

// Adopt is what an agent does with what it finds running at its first start.
type Adopt string

// What an agent can do with what it finds.
const (
	AdoptAnnounce Adopt = "announce" // the script is called as if it began now
	AdoptRecord   Adopt = "record"   // only remembered
)

// OnFailure is what follows when a script fails.
type OnFailure string

// What can follow.
const (
	OnFailureUndo OnFailure = "undo" // the change that the script refused is undone
	OnFailureLog  OnFailure = "log"  // only told
)
