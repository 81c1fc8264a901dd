package check

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hookbridge/internal/gate"
)

// freeDirs are those whose programs a libvirtd that is confined by the usual
// profile may start, unconfined.
var freeDirs = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin"}

// checkAppArmor tells whether libvirtd is confined, where AppArmor is on: the
// gate, and natively called scripts, run under its profile. Calls of hookbridge's
// own do not.
func checkAppArmor(hookDir string, daemon int) []Finding {
	enabled, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if err != nil || strings.TrimSpace(string(enabled)) != "Y" {
		return nil // not on this host
	}
	all := []Finding{ok(AppArmor, "", "AppArmor is on; hookbridge and the scripts that it calls have no profile")}
	profile := confinedBy(daemon)
	if profile != "" {
		all[0].Text = fmt.Sprintf("libvirtd runs under the AppArmor profile %s, hookbridge and the scripts that it calls do not", profile)
	}
	all = append(all, ownProfiles(hookDir)...)
	if !strings.Contains(profile, "(enforce)") {
		return all
	}
	status, err := gate.Read(hookDir, gate.Guests)
	if err != nil {
		return all
	}
	for _, g := range status.Guests {
		if g.Binary != "" && !slices.Contains(freeDirs, filepath.Dir(g.Binary)) {
			all = append(all, warning(AppArmor, g.Path, fmt.Sprintf("the gate in %s runs %s, which libvirtd's AppArmor profile may forbid", g.Path, g.Binary),
				"Install hookbridge in /usr/bin, and the gate with that program."))
		}
	}
	return all
}

// confinedBy returns a process's profile and its mode, empty if it has none.
func confinedBy(pid int) string {
	if pid == 0 {
		return ""
	}
	label, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/apparmor/current", pid)) // Linux 5.8
	if err != nil {
		if label, err = os.ReadFile(fmt.Sprintf("/proc/%d/attr/current", pid)); err != nil {
			return ""
		}
	}
	profile := strings.TrimRight(string(label), "\x00\n ")
	if profile == "unconfined" {
		return ""
	}
	return profile
}

// ownProfiles tells of profiles that the host has for hookbridge or a script.
func ownProfiles(hookDir string) []Finding {
	list, err := os.ReadFile("/sys/kernel/security/apparmor/profiles")
	if err != nil {
		return nil
	}
	var all []Finding
	for line := range strings.Lines(string(list)) {
		name, mode, _ := strings.Cut(strings.TrimSpace(line), " ")
		mine := strings.HasPrefix(name, hookDir+"/") || filepath.Base(name) == "hookbridge"
		if mine && mode == "(enforce)" {
			all = append(all, warning(AppArmor, name, "the AppArmor profile "+name+" is enforced: what it does not allow fails in scripts, too",
				"aa-complain "+word(name)))
		}
	}
	return all
}
