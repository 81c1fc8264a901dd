package config

import (
	"hookbridge/internal/gate/ask"
	"hookbridge/translate"
)

// Option is one thing that can be configured.
type Option struct {
	// Key is its name in the file, "gate.timeout" for timeout in table [gate].
	Key string

	// Flag and Short are the names of the flag of "hookbridge run", and Usage is
	// its help. Flag is empty where the agent has no use for the option.
	Flag, Short, Usage string

	// Words are all values that it takes; nil: there are too many to list.
	Words []string

	kind  kind
	field func(*Settings) any // a pointer to where the value is kept
}

// kind says what a value is and how it is written in the file.
type kind int

const (
	kindWord     kind = iota // one of Words
	kindPath                 // a path, absolute in the file
	kindPathOff              // the same, or empty
	kindURIs                 // an array of strings
	kindNames                // an array of strings, or a string with commas
	kindOps                  // the same, or "auto"
	kindWhole                // an integer, not negative
	kindDuration             // a string such as "300s"
	kindAddress              // host:port, or empty
)

// Options returns all options, in the order in which they are explained.
func Options() []Option {
	return []Option{
		{Key: "connect", Flag: "connect", Short: "c", kind: kindURIs,
			Usage: "libvirt connection `URI` to watch; may be repeated (default: qemu:///system and lxc:///, whichever the host offers)",
			field: func(s *Settings) any { return &s.Connect }},
		{Key: "hook_dir", Flag: "hook-dir", kind: kindPath,
			Usage: "`directory` of the hook scripts",
			field: func(s *Settings) any { return &s.HookDir }},
		{Key: "state_dir", Flag: "state-dir", kind: kindPath,
			Usage: "`directory` where the announced state is kept until the next boot",
			field: func(s *Settings) any { return &s.StateDir }},
		{Key: "history_dir", Flag: "history-dir", kind: kindPathOff,
			Usage: "`directory` where the runs of scripts are written down; empty: nowhere",
			field: func(s *Settings) any { return &s.HistoryDir }},
		{Key: "socket", Flag: "socket", kind: kindPath,
			Usage: "`path` of the socket on which the agent answers",
			field: func(s *Settings) any { return &s.Socket }},
		{Key: "ops", Flag: "ops", kind: kindOps,
			Usage: "operations to replay: a comma separated `list`, or auto for those that libvirtd does not run itself",
			field: func(s *Settings) any { return &s.Ops }},
		{Key: "on_failure", Flag: "on-failure", kind: kindWord, Words: []string{"undo", "log"},
			Usage: "what a failing script leads to: undo the change that it refused, or log",
			field: func(s *Settings) any { return &s.OnFailure }},
		{Key: "adopt", Flag: "adopt", kind: kindWord, Words: []string{"announce", "record"},
			Usage: "what to do with what already runs at the first start: announce, or record without a call",
			field: func(s *Settings) any { return &s.Adopt }},
		{Key: "payload", Flag: "payload", kind: kindWord, Words: texts(translate.Payloads()),
			Usage: "`form` of the document of plugged and unplugged: that of libvirt 1.2.3, of 1.2.2, or seed for that without the interface",
			field: func(s *Settings) any { return &s.Payload }},
		{Key: "timeout", Flag: "timeout", kind: kindDuration,
			Usage: "end a script that runs longer than this; 0 never",
			field: func(s *Settings) any { return &s.Timeout }},
		{Key: "parallel", Flag: "parallel", kind: kindWhole,
			Usage: "how many scripts may run at once (default: the number of cores)",
			field: func(s *Settings) any { return &s.Parallel }},
		{Key: "without", Flag: "without", kind: kindNames,
			Usage: "behave as if libvirt lacked these features: a comma separated `list`",
			field: func(s *Settings) any { return &s.Without }},
		{Key: "reconcile_interval", Flag: "reconcile-interval", kind: kindDuration,
			Usage: "how often to compare everything; 0: every 30s where libvirt lacks events, negative: never",
			field: func(s *Settings) any { return &s.ReconcileInterval }},
		{Key: "libvirt_run_dir", Flag: "libvirt-run-dir", kind: kindPathOff,
			Usage: "`directory` of libvirtd's status files, such as /run/libvirt (default: found out)",
			field: func(s *Settings) any { return &s.LibvirtRunDir }},
		{Key: "libvirt_state_dir", Flag: "libvirt-state-dir", kind: kindPathOff,
			Usage: "`directory` of libvirtd's state, such as /var/lib/libvirt (default: found out)",
			field: func(s *Settings) any { return &s.LibvirtStateDir }},
		{Key: "log_level", Flag: "log-level", kind: kindWord, Words: []string{"debug", "info", "warning", "error"},
			Usage: "least level to log: debug, info, warning, error",
			field: func(s *Settings) any { return &s.LogLevel }},
		{Key: "log_format", Flag: "log-format", kind: kindWord, Words: []string{"auto", "text", "json"},
			Usage: "text, json, or auto: with colours on a terminal, with fields in the journal",
			field: func(s *Settings) any { return &s.LogFormat }},
		{Key: "gate.timeout", Flag: "gate-timeout", kind: kindDuration,
			Usage: "how long the scripts of one guest may hold up its start at the gate",
			field: func(s *Settings) any { return &s.Gate.Timeout }},
		{Key: "gate.unavailable", kind: kindWord, Words: texts([]ask.Policy{ask.Allow, ask.Deny}),
			field: func(s *Settings) any { return &s.Gate.Unavailable }},
		{Key: "metrics.listen", Flag: "metrics-listen", kind: kindAddress,
			Usage: "`host:port` where Prometheus may fetch metrics without the socket; :port is 127.0.0.1:port (default: nowhere)",
			field: func(s *Settings) any { return &s.Metrics.Listen }},
	}
}

func texts[S ~string](words []S) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

func optionOf(key string) (Option, bool) {
	for _, o := range Options() {
		if o.Key == key {
			return o, true
		}
	}
	return Option{}, false
}
