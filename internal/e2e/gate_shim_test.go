//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/testhost"
)

// gated is a private host with a gate in libvirt's own hook directory, and no
// agent.
type gated struct {
	*testhost.Host
	t       *testing.T
	program string // a copy of hookbridge that a test may delete
	runs    int
}

const nativeHookDir = "/etc/libvirt/hooks"

func newGated(t *testing.T, opts ...testhost.Option) *gated {
	t.Helper()
	t.Parallel()
	g := &gated{Host: testhost.Start(t, opts...), t: t}
	g.program = filepath.Join(g.Scratch(), "hookbridge")
	g.putProgram()
	return g
}

func (g *gated) putProgram() {
	g.t.Helper()
	program, err := os.ReadFile(binary(g.t))
	if err != nil {
		g.t.Fatal(err)
	}
	if err := testhost.WriteProgram(g.program, program, 0o755); err != nil {
		g.t.Fatal(err)
	}
}

// gate runs hookbridge gate.
func (g *gated) gate(args ...string) string {
	g.t.Helper()
	out, err := g.Command(g.t.Context(), g.program, append([]string{"gate"}, args...)...).CombinedOutput()
	if err != nil {
		g.t.Fatalf("gate %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// says checks what a gate command tells.
func (g *gated) says(out string, texts ...string) {
	g.t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			g.t.Errorf("%q is missing in:\n%s", text, out)
		}
	}
}

// guestsWork takes a QEMU guest through everything that has a hook, and an LXC
// guest too if it was defined.
func (g *gated) guestsWork(container bool) {
	g.t.Helper()
	g.runs++
	file := filepath.Join(g.Scratch(), "saved")
	for _, c := range [][]string{
		{"start", "g"}, {"save", "g", file}, {"restore", file},
		{"managedsave", "g"}, {"start", "g"}, {"suspend", "g"}, {"resume", "g"}, {"destroy", "g"},
	} {
		g.Virsh(g.t, c...)
	}
	if container {
		g.VirshLXC(g.t, "start", "c")
		g.VirshLXC(g.t, "destroy", "c")
	}
}

func (g *gated) defineGuests(container bool) {
	g.t.Helper()
	g.DefineAndStart(g.t, testhost.NAT("front", 81))
	g.DefineGuest(g.t, testhost.Guest{Name: "g", NICs: nics("front")})
	if container {
		g.DefineContainer(g.t, testhost.Container{Name: "c", NICs: nics("front")})
	}
}

func (g *gated) hooks() string {
	g.t.Helper()
	entries, err := os.ReadDir(g.Path(nativeHookDir))
	if err != nil {
		g.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// Where nobody had a guest hook: guests work with the gate and no agent, without
// the program, after the gate's removal, and after that of what removal leaves.
func TestGateNeverHoldsUpGuests(t *testing.T) {
	g := newGated(t, testhost.WithLXC(), testhost.WithoutNativeHooks())
	g.defineGuests(true)
	g.says(g.gate("install"), "the gate is installed", "SIGHUP")
	g.says(g.gate("status"), "libvirtd has not seen it yet", "no agent runs")
	g.guestsWork(true)

	g.RestartDaemon(t, syscall.SIGTERM)
	g.says(g.gate("status"), "qemu: installed (version 1; libvirtd has seen it)", "lxc: installed (version 1; libvirtd has seen it)")
	g.guestsWork(true)

	if err := os.Remove(g.program); err != nil {
		t.Fatal(err)
	}
	g.guestsWork(true)
	g.putProgram()

	// libvirtd is not touched from here on.
	daemon := g.DaemonPID(t)
	g.says(g.gate("remove"), "a script that does nothing stays", "systemctl stop libvirtd")
	g.guestsWork(true)
	g.says(g.gate("remove"), "removed already")
	if err := os.Remove(g.program); err != nil {
		t.Fatal(err)
	}
	g.guestsWork(true)
	g.putProgram()
	if g.DaemonPID(t) != daemon {
		t.Error("libvirtd was restarted")
	}
	if got := g.hooks(); got != "lxc qemu" {
		t.Errorf("in the hook directory: %s", got)
	}

	// A pass-through that libvirtd has seen at its start has to stay, too.
	g.RestartDaemon(t, syscall.SIGTERM)
	g.says(g.gate("remove"), "its pass-through stays")
	g.StopDaemon(t)
	g.says(g.gate("remove"), "the gate is removed")
	if got := g.hooks(); got != "" {
		t.Errorf("in the hook directory: %s", got)
	}
	g.StartDaemon(t)
	g.guestsWork(true)
}

// A guest that runs must not die of a restart of libvirtd, nor of its own end,
// where starts are refused.
func TestGateDeniesWithoutTheAgent(t *testing.T) {
	g := newGated(t, testhost.WithLXC(), testhost.WithoutNativeHooks())
	g.defineGuests(true)
	g.Virsh(t, "start", "g")
	g.VirshLXC(t, "start", "c")
	g.gate("install", "--unavailable", "deny", "--timeout", "1s")
	g.RestartDaemon(t, syscall.SIGTERM)
	for uri, guest := range map[string]string{"qemu:///system": "g", "lxc:///system": "c"} {
		if got := g.Virsh(t, "-c", uri, "domstate", guest); got != "running" {
			t.Errorf("%s is %s after the restart of libvirtd", guest, got)
		}
		g.Virsh(t, "-c", uri, "destroy", guest)
		began := time.Now()
		_, err := g.VirshErr("-c", uri, "start", guest)
		if err == nil || !strings.Contains(err.Error(), "gate.unavailable = deny") {
			t.Errorf("%s: %v", guest, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: refused after %v", guest, took)
		}
	}
	g.gate("remove")
	g.guestsWork(true)
}

// A script that was there keeps its say, and hears the same.
func TestGateBesideAnAdministratorsScript(t *testing.T) {
	g := newGated(t, testhost.WithDomainHooks())
	g.RestartDaemon(t, syscall.SIGTERM) // surely after the scripts were put there
	g.defineGuests(false)
	before := g.Path(nativeHookDir + "/qemu")
	script, err := os.Stat(before)
	if err != nil {
		t.Fatal(err)
	}
	scripts := g.hooks()

	g.Native().Clear(t)
	g.guestsWork(false)
	want := domainCalls(g.Native().MustCalls(t))
	g.says(g.gate("install"), "is kept as /etc/libvirt/hooks/qemu.hookbridge-kept and runs first")
	// It was there when libvirtd started.
	g.says(g.gate("status"), "qemu: installed (version 1; libvirtd has seen it)")
	g.Native().Clear(t)
	g.guestsWork(false)
	if diff := cmp.Diff(want, domainCalls(g.Native().MustCalls(t))); diff != "" {
		t.Errorf("calls of the script without the gate (-) and with it (+):\n%s", diff)
	}

	refusal := g.Native().Set(t, "g", "prepare", testhost.Rule{Exit: 3, Stderr: "not on a Sunday"})
	if _, err := g.VirshErr("start", "g"); err == nil || !strings.Contains(err.Error(), "not on a Sunday") {
		t.Errorf("the script was not obeyed: %v", err)
	}
	refusal.Remove(t)

	g.says(g.gate("remove"), "the script that was there before is back")
	if now, err := os.Stat(before); err != nil || !os.SameFile(now, script) || now.Mode() != script.Mode() || !now.ModTime().Equal(script.ModTime()) {
		t.Errorf("it is not what it was: %v %v", now, err)
	}
	if got := g.hooks(); got != scripts {
		t.Errorf("in the hook directory: %s", got)
	}
	g.Native().Clear(t)
	g.guestsWork(false)
	if diff := cmp.Diff(want, domainCalls(g.Native().MustCalls(t))); diff != "" {
		t.Errorf("calls of the script before the gate (-) and after it (+):\n%s", diff)
	}
}

var ofOneRun = regexp.MustCompile(` id='\d+'|portid='[^']*'|vnet\d+`)

// domainCalls returns the calls of guest hooks as text: their arguments, and their
// documents without what changes from run to run.
func domainCalls(calls []testhost.Call) []string {
	var all []string
	for _, c := range calls {
		if hook, _, _ := strings.Cut(c.Hook(), "."); hook != "qemu" {
			continue
		}
		document := ofOneRun.ReplaceAllString(string(c.Stdin), "…")
		env := slices.DeleteFunc(slices.Clone(c.Env), func(v string) bool {
			return strings.HasPrefix(v, "_=") || strings.HasPrefix(v, "PWD=") || strings.HasPrefix(v, "OLDPWD=") || strings.HasPrefix(v, "SHLVL=")
		})
		slices.Sort(env)
		all = append(all, strings.Join(c.Args[1:], " ")+" in "+c.Cwd+" with "+strings.Join(env, " ")+":\n"+document)
	}
	return all
}

// libvirt takes the shim's output for the guest's document at the target.
func TestGateAtTheTargetOfAMigration(t *testing.T) {
	source := newGated(t, testhost.WithoutNativeHooks())
	target := &gated{Host: testhost.Start(t, testhost.WithoutNativeHooks()), t: t, program: source.program}
	for _, g := range []*gated{source, target} {
		g.DefineAndStart(t, testhost.NAT("front", 81))
	}
	// A place that both hosts see; the gate is installed by its own host's.
	target.program = filepath.Join(target.Scratch(), "hookbridge")
	target.putProgram()
	target.gate("install")
	target.RestartDaemon(t, syscall.SIGTERM)
	source.CreateGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	out, err := exec.Command("virsh", "-c", source.URI("qemu:///system"), "migrate", "--live", "--unsafe", "g",
		"--desturi", target.URI("qemu:///system"), "--migrateuri", "unix://"+filepath.Join(source.Scratch(), "migration.sock")).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh migrate: %v\n%s", err, bytes.TrimSpace(out))
	}
	if got := target.Virsh(t, "domstate", "g"); got != "running" {
		t.Errorf("the guest is %s", got)
	}
	target.Virsh(t, "destroy", "g")
}
