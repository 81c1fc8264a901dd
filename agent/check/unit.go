package check

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const unitName = "hookbridge.service"

// checkUnit tells whether the agent is started at boot, and in which order with
// libvirtd. active says that the service manager believes it runs.
func checkUnit(ctx context.Context) (all []Finding, active bool) {
	if !hasSystemd() {
		if _, err := os.Stat("/etc/init.d/hookbridge"); err == nil {
			return []Finding{ok(Unit, "/etc/init.d/hookbridge", "no systemd here; /etc/init.d/hookbridge is installed")}, false
		}
		return []Finding{ok(Unit, "", "no systemd here: the agent is started in another way")}, false
	}
	unit, err := showUnit(ctx)
	if err != nil {
		return []Finding{warning(Unit, unitName, "systemd does not tell about "+unitName+": "+err.Error(), "systemctl status hookbridge")}, false
	}
	active = unit["ActiveState"] == "active" || unit["ActiveState"] == "activating"
	if unit["LoadState"] == "not-found" {
		return []Finding{warning(Unit, unitName, unitName+" is not installed: nothing starts the agent at boot", "Install hookbridge's package, which brings it.")}, false
	}
	if unit["LoadState"] == "masked" {
		return []Finding{warning(Unit, unitName, unitName+" is masked: it cannot be started", "systemctl unmask hookbridge")}, false
	}
	if state := unit["UnitFileState"]; state == "disabled" {
		all = append(all, warning(Unit, unitName, unitName+" is disabled: the agent is not started at boot", "systemctl enable hookbridge"))
	}
	switch unit["ActiveState"] {
	case "failed":
		all = append(all, problem(Unit, unitName, unitName+" has failed ("+unit["Result"]+"); journalctl -u hookbridge -e tells why", "systemctl restart hookbridge"))
	case "inactive", "deactivating":
		all = append(all, warning(Unit, unitName, unitName+" is not running", "systemctl start hookbridge"))
	}
	if unit["NeedDaemonReload"] == "yes" {
		all = append(all, warning(Unit, unitName, "the file of "+unitName+" has changed, and systemd has not read it", "systemctl daemon-reload"))
	}
	if before := strings.Fields(unit["Before"]); !slices.ContainsFunc(libvirtdServices, func(name string) bool { return slices.Contains(before, name+".service") }) {
		all = append(all, warning(Unit, unitName, unitName+" is not ordered before libvirtd: at boot, guests start before the gate answers",
			"Say Before=libvirtd.service in its [Unit]: systemctl edit hookbridge"))
	}
	if len(all) == 0 {
		all = append(all, ok(Unit, unitName, unitName+" is enabled, running, and ordered before libvirtd"))
	}
	return all, active
}

// showUnit returns the properties of the unit that matter.
func showUnit(ctx context.Context) (map[string]string, error) {
	systemctl := program("systemctl")
	if systemctl == "" {
		return nil, exec.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	args := []string{"show", unitName}
	for _, p := range []string{"LoadState", "ActiveState", "UnitFileState", "Result", "NeedDaemonReload", "Before"} {
		args = append(args, "-p", p)
	}
	cmd := exec.CommandContext(ctx, systemctl, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	unit := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			unit[key] = value
		}
	}
	return unit, nil
}
