package check

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// systemctl stands for systemd's: it shows a file of properties and changes it.
const systemctl = `#!/bin/sh
state=/run/systemd/state
set_to() { sed -i "s/^$1=.*/$1=$2/" $state; }
case $1 in
show) cat $state;;
enable) set_to UnitFileState enabled;;
unmask) set_to LoadState loaded;;
start|restart) set_to ActiveState active;;
daemon-reload) set_to NeedDaemonReload no;;
*) exit 1;;
esac
`

// startSystemd makes the test's thread see a host that systemd runs.
func startSystemd(t *testing.T, state string) {
	t.Helper()
	privateMounts(t)
	tmpfs(t, "/run", "mode=755")
	mkdir(t, "/run/systemd/system", 0o755)
	write(t, "/run/systemd/state", state, 0o644)
	write(t, "/run/systemctl", systemctl, 0o755)
	write(t, "/run/systemd/system/hookbridge.service", "", 0o644)
	if path := program("systemctl"); path != "" {
		mountOn(t, path, "/run/systemctl", "", unix.MS_BIND, "")
		t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
		return
	}
	tmpfs(t, "/usr/local/bin", "mode=755")
	write(t, "/usr/local/bin/systemctl", systemctl, 0o755)
	t.Setenv("PATH", "/usr/local/bin:"+os.Getenv("PATH"))
}

const goodUnit = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nResult=success\nNeedDaemonReload=no\nBefore=libvirtd.service multi-user.target\n"

func TestUnitFaults(t *testing.T) {
	for _, tt := range []struct {
		name, key, value string
		level            Level
		says, remedy     string
	}{
		{"masked", "LoadState", "masked", Warning, "is masked", "systemctl unmask hookbridge"},
		{"disabled", "UnitFileState", "disabled", Warning, "not started at boot", "systemctl enable hookbridge"},
		{"failed", "ActiveState", "failed", Problem, "has failed", "systemctl restart hookbridge"},
		{"inactive", "ActiveState", "inactive", Warning, "is not running", "systemctl start hookbridge"},
		{"changed on disk", "NeedDaemonReload", "yes", Warning, "has changed", "systemctl daemon-reload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			startSystemd(t, goodUnit)
			run(t, "sed -i 's/^"+tt.key+"=.*/"+tt.key+"="+tt.value+"/' /run/systemd/state")
			look := func() []Finding { all, _ := checkUnit(t.Context()); return all }
			mended(t, Unit, tt.level, tt.says, tt.remedy, look)
			mustFind(t, Unit, OK, look())
		})
	}
}

func TestUnitNotInstalled(t *testing.T) {
	startSystemd(t, "LoadState=not-found\nActiveState=inactive\n")
	all, active := checkUnit(t.Context())
	mustFind(t, Unit, Warning, all)
	if active {
		t.Error("it is told to be active")
	}
}

func TestUnitOrder(t *testing.T) {
	startSystemd(t, goodUnit)
	run(t, "sed -i 's/^Before=.*/Before=shutdown.target/' /run/systemd/state")
	all, active := checkUnit(t.Context())
	mustFind(t, Unit, Warning, all)
	if !active {
		t.Error("it is told to be inactive")
	}
}

func TestWithoutSystemd(t *testing.T) {
	privateMounts(t)
	tmpfs(t, "/run", "mode=755")
	all, _ := checkUnit(t.Context())
	mustFind(t, Unit, OK, all)
}

// With systemd, remedies speak to it.
func TestServiceCommands(t *testing.T) {
	startSystemd(t, goodUnit)
	write(t, "/run/systemd/system/libvirt-bin.service", "", 0o644)
	for got, want := range map[string]string{
		startAgent():                           "systemctl start hookbridge",
		serviceCommand("start", "libvirt-bin"): "systemctl start libvirt-bin",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
