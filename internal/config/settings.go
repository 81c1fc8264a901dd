package config

import (
	"path/filepath"
	"time"

	"hookbridge/exec"
	"hookbridge/internal/gate/ask"
	"hookbridge/translate"
)

// DefaultPath is where the configuration file is looked for. It need not exist.
const DefaultPath = "/etc/hookbridge/hookbridge.toml"

// Settings are the values of all options.
type Settings struct {
	// Connect are the connection URIs to watch; none: qemu and lxc, whichever the
	// host offers.
	Connect []string

	HookDir    string // of the scripts
	StateDir   string // of the announced state, until the next boot
	HistoryDir string // of the runs of scripts; empty: they are not written down
	Socket     string // on which the agent answers

	// Ops are the operations to replay; nil, written "auto": those that libvirtd
	// does not run itself.
	Ops translate.Ops

	OnFailure string // undo or log
	Adopt     string // announce or record
	Payload   translate.Payload
	Without   []string // features of libvirt's to do without

	Parallel int           // scripts that may run at once; 0: the number of cores
	Timeout  time.Duration // of a script; 0: none

	// ReconcileInterval is how often everything is compared; 0: as needed,
	// negative: never.
	ReconcileInterval time.Duration

	// LibvirtRunDir and LibvirtStateDir are where libvirtd keeps its files; empty:
	// found out.
	LibvirtRunDir   string
	LibvirtStateDir string

	LogLevel  string // debug, info, warning or error
	LogFormat string // auto, text or json

	Gate    Gate
	Metrics Metrics
}

// Gate is what a guest hook that asks the agent may expect.
type Gate struct {
	Timeout     time.Duration // for queue and scripts of one guest
	Unavailable ask.Policy    // what happens to the guest without an answer
}

// Metrics is where they are to be had, besides on the socket.
type Metrics struct {
	Listen string // host:port; empty: nowhere
}

// Default returns the defaults.
func Default() Settings {
	return Settings{
		HookDir:    exec.DefaultDir,
		StateDir:   ask.RunDir,
		HistoryDir: "/var/lib/hookbridge/history",
		Socket:     ask.DefaultSocket,
		OnFailure:  "undo",
		Adopt:      "announce",
		Payload:    translate.Payload123,
		Timeout:    300 * time.Second,
		LogLevel:   "info",
		LogFormat:  "auto",
		Gate:       Gate{Timeout: ask.DefaultTimeout, Unavailable: ask.Allow},
	}
}

// Follow lets what nobody has set follow from what somebody has: an agent with a
// state of its own, beside another, has a history and a socket of its own.
func (s *Settings) Follow(set func(key string) bool) {
	if !set("state_dir") {
		return
	}
	if !set("history_dir") {
		s.HistoryDir = filepath.Join(s.StateDir, "history")
	}
	if !set("socket") {
		s.Socket = filepath.Join(s.StateDir, "hookbridge.sock")
	}
}
