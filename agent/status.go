package agent

import (
	"time"

	"hookbridge/agent/book"
	"hookbridge/translate"
)

// Status is what a running agent believes and what it is doing. Its JSON form is
// stable: fields are added, and none is renamed or removed. Times are absent where
// they are not known, lists are never null.
type Status struct {
	Version string    `json:"version"` // of hookbridge; entered by who serves the status
	PID     int       `json:"pid"`
	Now     time.Time `json:"now"`     // when the status was taken
	Started time.Time `json:"started"` // of the agent; all counters are since then

	HookDir        string    `json:"hook_dir"`
	OnFailure      OnFailure `json:"on_failure"`
	Parallel       int       `json:"parallel"`        // scripts that may run at once
	LibvirtLibrary string    `json:"libvirt_library"` // version of the client library, or why there is none

	Connections []ConnectionStatus `json:"connections"`

	// Networks are those announced as up, by connection and name, and those that are
	// not and have interfaces plugged in.
	Networks []NetworkStatus `json:"networks"`

	// Running are the calls whose scripts have not ended, the longest first.
	Running []book.RunningCall `json:"running"`

	// Failures are the last calls that failed, the newest first, 16 at most.
	Failures []book.CallResult `json:"failures"`

	Queues     QueueStatus     `json:"queues"`
	Calls      CallStatus      `json:"calls"`
	Undo       UndoStatus      `json:"undo"`
	Reconciles ReconcileStatus `json:"reconciles"`
	Gate       GateStatus      `json:"gate"`
	History    HistoryStatus   `json:"history"`
}

// ConnectionStatus is how one libvirt connection stands.
type ConnectionStatus struct {
	URI       string `json:"uri"`
	Optional  bool   `json:"optional"` // nobody asked for it: a host without it is nothing to worry about
	Connected bool   `json:"connected"`

	// Ready: everything that was there when the session began has been looked at.
	Ready bool `json:"ready"`

	Since time.Time `json:"since,omitzero"` // when Connected became as it is

	// LastError is why the last session ended, or none came about.
	LastError     string    `json:"last_error,omitempty"`
	LastErrorTime time.Time `json:"last_error_time,omitzero"`

	LibvirtDaemon string `json:"libvirt_daemon,omitempty"` // version of the daemon at the last session
	DaemonRun     string `json:"daemon_run,omitempty"`     // its process

	// FollowsNetworks: of the connections to one host, this is the one through which
	// the networks are followed.
	FollowsNetworks bool `json:"follows_networks"`

	// NetworksKnownBy is the connection whose name stands for the host's networks.
	NetworksKnownBy string `json:"networks_known_by"`

	Reconnects int `json:"reconnects"` // sessions after the first

	Ops     []OpStatus     `json:"ops"`
	Sources []SourceStatus `json:"sources"`

	HintsWaiting int `json:"hints_waiting"` // in memory
	HintsSpilled int `json:"hints_spilled"` // in the store
	HintsDropped int `json:"hints_dropped"` // so far, for want of room
	Overflows    int `json:"overflows"`     // each was answered by a comparison

	// GuestsUnseen counts the guests that were started and gone before any document of
	// them could be read: what interfaces they had is unknown, so no call was made.
	GuestsUnseen int `json:"guests_unseen"`
}

// OpState says who makes the calls of an operation.
type OpState string

// The states. Replayed: hookbridge does. Native: libvirtd does. Off: nobody. Unknown:
// there has been no connection yet.
const (
	OpReplayed OpState = "replayed"
	OpNative   OpState = "native"
	OpOff      OpState = "off"
	OpUnknown  OpState = "unknown"
)

// OpStatus is the verdict on one operation.
type OpStatus struct {
	Op    translate.Op `json:"op"`
	State OpState      `json:"state"`
	Why   string       `json:"why"`
}

// Source says how something is noticed.
type Source string

// The sources. Event: libvirt says so. Kick: a status file or the kernel gives it away.
// Reconcile: found by comparing, at the interval. Poll: by asking again and again. Off:
// not before the next comparison, whatever leads to it.
const (
	SourceEvent     Source = "event"
	SourceKick      Source = "kick"
	SourceReconcile Source = "reconcile"
	SourcePoll      Source = "poll"
	SourceOff       Source = "off"
)

// SourceStatus is how one kind of change is noticed.
type SourceStatus struct {
	// Change is one of guests, networks, interfaces-added, interfaces-removed,
	// interfaces-moved, connection-lost.
	Change  string  `json:"change"`
	Source  Source  `json:"source"`
	Feature Feature `json:"feature,omitempty"` // of libvirt's that brings the event
}

// NetworkStatus is an announced network.
type NetworkStatus struct {
	Name       string `json:"name"`
	Connection string `json:"connection"`
	UUID       string `json:"uuid,omitempty"`

	// Up: started has been announced. A network that is not up is listed for the
	// interfaces that are plugged into it: it was taken down below its guests.
	Up bool `json:"up"`

	Since    time.Time        `json:"since,omitzero"`      // when it was noticed to come up
	LastCall *book.CallResult `json:"last_call,omitempty"` // about the network itself
	Planned  int              `json:"planned"`             // calls in its queue, those that run included
	Inexact  string           `json:"inexact,omitempty"`   // why its document is a substitute

	Interfaces []InterfaceStatus `json:"interfaces"`
}

// InterfaceStatus is an interface of a guest in a network.
type InterfaceStatus struct {
	Guest      string `json:"guest"`
	UUID       string `json:"uuid"`
	ID         int    `json:"id"`         // of the guest's run
	Connection string `json:"connection"` // of the guest
	MAC        string `json:"mac"`
	Target     string `json:"target,omitempty"` // device on the host, where libvirt names one

	// Refused: the script has refused it, and it could not be taken away yet. It is not
	// plugged.
	Refused bool `json:"refused"`

	Since    time.Time        `json:"since,omitzero"` // when it was noticed to be plugged in
	LastCall *book.CallResult `json:"last_call,omitempty"`
}

// QueueStatus sums up what waits.
type QueueStatus struct {
	HintsWaiting int `json:"hints_waiting"` // of all connections
	HintsSpilled int `json:"hints_spilled"`
	HintsDropped int `json:"hints_dropped"`
	Overflows    int `json:"overflows"`

	CallsPlanned int `json:"calls_planned"` // that have not ended
	CallsHeld    int `json:"calls_held"`    // of an earlier run of the agent, until its connection is back
	Running      int `json:"running"`       // calls whose scripts run
	Lanes        int `json:"lanes"`         // networks with calls
}

// CallStatus counts calls.
type CallStatus struct {
	Made    int64 `json:"made"`
	Inexact int64 `json:"inexact"` // of these with a substitute for a document that was gone
}

// UndoStatus counts refusals by what became of them; Done and Failed by kind.
type UndoStatus struct {
	Done    map[translate.UndoKind]int `json:"done"`
	Failed  map[translate.UndoKind]int `json:"failed"`
	NotDone int                        `json:"not_done"` // must not be undone, or need not
}

// ReconcileStatus is about comparisons of everything with what was announced.
type ReconcileStatus struct {
	Made  map[Comparison]int   `json:"made"`  // by reason, of all connections
	Found map[translate.Op]int `json:"found"` // calls that they led to
	Last  time.Time            `json:"last,omitzero"`
}

// GateStatus counts calls at the gate.
type GateStatus struct {
	Asked   int64 `json:"asked"`   // guest starts that the scripts were asked about
	Refused int64 `json:"refused"` // guest starts that were refused
	Unasked int64 `json:"unasked"` // that the scripts could not be asked about
	Passed  int64 `json:"passed"`  // calls of a libvirtd that has the network hook itself
}

// HistoryStatus is about the history of runs.
type HistoryStatus struct {
	Dir     string `json:"dir,omitempty"` // empty: none is kept
	Dropped uint64 `json:"dropped"`       // entries that could not be written
}
