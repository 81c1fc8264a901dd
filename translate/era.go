package translate

import "fmt"

// Marks are strings found in the files that a running libvirtd maps. They show
// which hooks it has been built with, backports included; its version does not
// (RHEL 6.6 and later have the hooks in 0.10.2).
type Marks struct {
	// HookData: "<hookData>", which only the network driver writes
	// (networkRunHook).
	HookData bool

	// Unplugged and PortCreated: operation names of the virHookNetworkOp enum in
	// virhook.c, NUL-delimited. (Not "plugged": the linker merges it into the tail
	// of "unplugged".)
	Unplugged   bool
	PortCreated bool

	// Source says where the marks were looked for; empty if they could not be.
	Source string
}

// Verdict says which operations a libvirtd runs itself, and why that is believed.
type Verdict struct {
	Native Ops
	Reason string
}

// Judge tells from the marks which operations a libvirtd runs itself, or, where
// there are no marks, from its version number. The version is the second best: vendors
// backport.
func Judge(m Marks, version uint32) Verdict {
	if m.Source == "" {
		return judgeByVersion(version)
	}
	switch {
	case m.HookData && m.PortCreated:
		return Verdict{portEra(), fmt.Sprintf("%s has the network hook with port-created", m.Source)}
	case m.HookData && m.Unplugged:
		return Verdict{classicEra(version), fmt.Sprintf("%s has the network hook with plugged and unplugged", m.Source)}
	default:
		return Verdict{Ops{}, fmt.Sprintf("%s has no network hook", m.Source)}
	}
}

func judgeByVersion(version uint32) Verdict {
	const (
		hooks   = 1002002 // f1ab06e43
		updated = 2001000 // 128a8b2c9
		ports   = 5005000 // 6394cf9768
	)
	text := VersionText(version)
	switch {
	case version >= ports:
		return Verdict{portEra(), "libvirt " + text + " has the network hook with port-created (judged by its version alone)"}
	case version >= hooks:
		return Verdict{classicEra(version), "libvirt " + text + " has the network hook with plugged and unplugged (judged by its version alone)"}
	default:
		return Verdict{Ops{}, "libvirt " + text + " has no network hook (judged by its version alone)"}
	}
}

func portEra() Ops {
	return NewOps(OpStart, OpStarted, OpStopped, OpUpdated, OpPortCreated, OpPortDeleted)
}

func classicEra(version uint32) Ops {
	ops := NewOps(ClassicOps()...)
	if version >= 2001000 {
		ops[OpUpdated] = true
	}
	return ops
}

// Auto returns the operations to replay beside such a libvirtd: those of the
// classic five that it does not run itself.
func (v Verdict) Auto() Ops {
	replay := Ops{}
	for _, op := range ClassicOps() {
		if !v.Native[op] {
			replay[op] = true
		}
	}
	return replay
}

// VersionText prints one of libvirt's version numbers, which are
// major*1000000 + minor*1000 + release: "1.2.3" for 1002003.
func VersionText(version uint32) string {
	return fmt.Sprintf("%d.%d.%d", version/1000000, version/1000%1000, version%1000)
}
