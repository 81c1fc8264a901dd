package check

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hookbridge/translate"
)

// hooksSince is the first libvirt with the network hook (f1ab06e43), portsSince
// the first with port-created.
const (
	hooksSince = 1002002
	portsSince = 5005000
)

// checkVerdict tells which calls libvirtd makes itself, which an agent would
// make, and why.
func (h libvirtHost) checkVerdict() []Finding {
	if !h.local() {
		return []Finding{ok(NativeHooks, "", "no connection is to a libvirtd of this host: it runs no hooks here, and hookbridge makes "+
			listed(h.replayed(translate.Verdict{})))}
	}
	if h.daemonErr != nil {
		return []Finding{warning(NativeHooks, "libvirtd", "which calls libvirtd makes itself cannot be told while it does not run", startLibvirtd())}
	}
	version := h.version()
	subject := h.daemon.Program
	if h.daemon.MarksErr != nil && version == 0 {
		return []Finding{warning(NativeHooks, subject, "which calls libvirtd makes itself cannot be told: "+h.daemon.MarksErr.Error(), "sudo hookbridge check")}
	}
	verdict := h.daemon.Verdict(version)
	text := verdict.Reason
	if isBackport(h.daemon.Marks, version) {
		text += fmt.Sprintf(", though libvirt %s has none: a vendor's backport", translate.VersionText(version))
	}
	if len(verdict.Native) > 0 {
		text += "; libvirtd makes " + listed(verdict.Native)
	}
	if replayed := h.replayed(verdict); len(replayed) > 0 {
		text += "; hookbridge makes " + listed(replayed)
	} else {
		text += "; hookbridge stands by"
	}
	var all []Finding
	switch {
	case h.daemon.MarksErr != nil:
		all = append(all, warning(NativeHooks, subject, text+"; its files could not be read: "+h.daemon.MarksErr.Error(), "sudo hookbridge check"))
	case strings.Contains(h.daemon.Marks.Source, "upgraded"):
		all = append(all, warning(NativeHooks, subject, text, restartLibvirtd()))
	default:
		all = append(all, ok(NativeHooks, subject, text))
	}
	return append(all, h.checkDouble(verdict)...)
}

// listed names operations in a sentence, which may be broken between them.
func listed(ops translate.Ops) string { return strings.ReplaceAll(ops.String(), ",", ", ") }

func isBackport(m translate.Marks, version uint32) bool {
	return version != 0 && version < hooksSince && m.HookData && (m.Unplugged || m.PortCreated)
}

// replayed returns the operations that an agent would make.
func (h libvirtHost) replayed(v translate.Verdict) translate.Ops {
	if h.ops != nil {
		return h.ops
	}
	return v.Auto()
}

// sharesScripts tells whether libvirtd calls the scripts of the hook directory
// itself.
func (h libvirtHost) sharesScripts() bool {
	theirs := h.daemon.HookDirs
	if len(theirs) == 0 {
		theirs = []string{"/etc/libvirt/hooks"}
	}
	return slices.ContainsFunc(theirs, func(dir string) bool { return sameFile(dir, h.hookDir) })
}

func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// checkDouble tells of operations that a configuration asks for although libvirtd
// makes them, with the same scripts.
func (h libvirtHost) checkDouble(v translate.Verdict) []Finding {
	both := translate.Ops{}
	for op := range h.ops {
		if v.Native[op] {
			both[op] = true
		}
	}
	if len(both) == 0 || !h.sharesScripts() {
		return nil
	}
	return []Finding{warning(DoubleCalls, h.hookDir,
		fmt.Sprintf("%s would be made twice, by libvirtd and by hookbridge, with the scripts in %s", listed(both), h.hookDir),
		"Leave ops at \"auto\", or give hookbridge a hook-dir of its own.")}
}

// checkNames tells of scripts that were ported to port-created and still know
// plugged: beside libvirt 5.5 and newer they would act on both.
func (h libvirtHost) checkNames(scripts []string) []Finding {
	if h.daemonErr != nil || !h.local() {
		return nil
	}
	verdict := h.daemon.Verdict(h.version())
	if !verdict.Native[translate.OpPortCreated] || !h.replayed(verdict)[translate.OpPlugged] || !h.sharesScripts() {
		return nil
	}
	var all []Finding
	for _, path := range scripts {
		if namesBoth(path) {
			all = append(all, warning(DoubleNames, path,
				path+" names both plugged and port-created: libvirtd calls it with the one, hookbridge with the other, for the same interface",
				"Take one of the two names out of the script, or give hookbridge a hook-dir of its own."))
		}
	}
	return all
}
