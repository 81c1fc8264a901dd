package gate

import (
	"fmt"
	"path/filepath"
	"time"

	"hookbridge/internal/gate/ask"
)

// Status is the state of the gate on this host.
type Status struct {
	HookDir string        `json:"hook_dir"`
	Guests  []GuestStatus `json:"guests"`
	Agents  []AgentStatus `json:"agents"`
}

// GuestStatus is the state of one guest's hook.
type GuestStatus struct {
	Guest string `json:"guest"`
	Path  string `json:"path"`
	// State is "not installed", "installed", "pass-through", "foreign" or "changed".
	State string `json:"state"`
	// Version is that of the shim, 0 where there is none.
	Version int `json:"version,omitempty"`
	// Kept is the path of the script that was there before, if one is kept.
	Kept string `json:"kept,omitempty"`
	// Noticed tells whether libvirtd has seen the hook: "yes", "not yet", or "not
	// running". A reload cannot be seen from outside.
	Noticed string `json:"noticed,omitempty"`

	Binary      string     `json:"binary,omitempty"`
	Socket      string     `json:"socket,omitempty"`
	Timeout     string     `json:"timeout,omitempty"`
	Unavailable ask.Policy `json:"unavailable,omitempty"`

	// Notes are what the administrator has to know or do.
	Notes []string `json:"notes,omitempty"`
}

// AgentStatus tells whether the agent answers on a socket that a shim uses.
type AgentStatus struct {
	Socket  string `json:"socket"`
	Answers bool   `json:"answers"`
	Error   string `json:"error,omitempty"`
}

// Read tells the state of the given guests' hooks. It changes nothing.
func Read(hookDir string, guests []string) (Status, error) {
	dir, err := filepath.Abs(hookDir)
	if err != nil {
		return Status{}, err
	}
	if err := checkGuests(guests); err != nil {
		return Status{}, err
	}
	all := Status{HookDir: dir}
	asked := map[string]bool{}
	for _, guest := range guests {
		g, err := newHook(dir, guest).status()
		if err != nil {
			return Status{}, err
		}
		all.Guests = append(all.Guests, g)
		if g.Socket != "" && !asked[g.Socket] {
			asked[g.Socket] = true
			a := AgentStatus{Socket: g.Socket, Answers: true}
			if err := ask.Healthz(g.Socket); err != nil {
				a.Answers, a.Error = false, err.Error()
			}
			all.Agents = append(all.Agents, a)
		}
	}
	return all, nil
}

func (h hook) status() (GuestStatus, error) {
	g := GuestStatus{Guest: h.guest, Path: h.path()}
	f, err := h.look()
	if err != nil {
		return g, err
	}
	note := func(format string, args ...any) { g.Notes = append(g.Notes, fmt.Sprintf(format, args...)) }
	s := f.settings
	if f.kept != nothingKept {
		g.Kept = h.keptPath()
	}
	switch f.state {
	case absent:
		g.State = "not installed"
		if g.Kept != "" {
			note("the shim is gone, and %s holds the script that was there before it: hookbridge gate remove puts that back", g.Kept)
		}
	case edited:
		g.State = "changed"
		note("%s is hookbridge's, but somebody changed it: hookbridge leaves it alone", g.Path)
	case foreign:
		g.State = "foreign"
		switch {
		case f.halfway():
			g.Kept = ""
			note("gate install was interrupted; the next install or remove cleans up")
		case g.Kept != "":
			note("%s is not hookbridge's any more, and %s still holds the script that was there before the gate", g.Path, g.Kept)
		}
	case passing:
		g.State, g.Version = "pass-through", s.Version
		note("%s", passThroughStays(g.Path))
	case active:
		g.State, g.Version = "installed", s.Version
		g.Binary, g.Socket, g.Timeout, g.Unavailable = s.Binary, s.Socket, s.Timeout, s.Unavailable
		h.noteActive(f, note)
	}
	if f.fresh && !f.halfway() {
		note("a command was interrupted and left %s; the next install or remove deletes it", h.freshPath())
	}
	if f.state == active || f.state == passing {
		seen, err := h.seen(s.Since)
		if err != nil {
			return g, err
		}
		g.Noticed = string(seen)
		if seen == seenNot && f.state == active {
			note("%s", notSeen)
		}
	}
	return g, nil
}

func (h hook) noteActive(f found, note func(string, ...any)) {
	switch {
	case f.kept == nothingKept && f.settings.Kept != "":
		note("%s, the script that was there before the gate, is not there any more", h.keptPath())
	case f.kept == keptIdle:
		note("%s is not executable: libvirt did not run it, and the gate does not", h.keptPath())
	case f.kept == keptRuns:
		if now, err := sumOf(h.keptPath()); err == nil && now != f.settings.Kept {
			note("%s was changed since it is kept; that is what runs now", h.keptPath())
		}
	}
	if !runs(f.settings.Binary) {
		note("%s cannot be run: the gate lets everything pass", f.settings.Binary)
	}
	if !runs(h.path()) {
		note("%s is not executable: libvirtd does not run it, and fails every start of a guest if it was executable before", h.path())
	}
}

// seeing tells whether libvirtd has seen a hook.
type seeing string

const (
	seenYes   seeing = "yes"
	seenNot   seeing = "not yet"
	noDaemons seeing = "not running"
)

// seen tells whether all running daemons have started since the hook is there.
func (h hook) seen(since moment) (seeing, error) {
	daemons, err := h.daemons(h.dir, h.guest)
	if err != nil || len(daemons) == 0 {
		return noDaemons, err
	}
	current, err := now()
	if err != nil {
		return noDaemons, err
	}
	for _, d := range daemons {
		if !current.startedAfter(d, since) {
			return seenNot, nil
		}
	}
	return seenYes, nil
}

// Stands reports whether a guest's hook is the gate and libvirtd may have seen it, as
// far as that can be told from outside: then a guest that starts unasked went past it.
// A libvirtd that was started within a second of the installation counts as one that
// has.
func Stands(hookDir, guest string) bool {
	h := newHook(hookDir, guest)
	f, err := h.look()
	if err != nil || f.state != active {
		return false
	}
	since := f.settings.Since
	since.Ticks -= int64(time.Second / tick)
	seen, err := h.seen(since)
	return err == nil && seen == seenYes
}
