package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hookbridge/internal/libvirtd"
)

func TestInstallAndRemoveWhereNothingWas(t *testing.T) {
	p := newPlace(t)
	p.mustState("not installed")
	p.mustInstall()
	g := p.mustState("installed")
	if g.Noticed != "not running" || g.Kept != "" || g.Version != shimVersion {
		t.Errorf("status: %+v", g)
	}
	text := p.read(p.path())
	if o := p.mustInstall(); !strings.Contains(o.Done, "already") {
		t.Errorf("installed twice: %s", o.Done)
	}
	if p.read(p.path()) != text {
		t.Error("installing again changed the shim")
	}
	p.mustRemove()
	p.mustRemove()
	if got := p.names(); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

func TestScriptIsKeptAndComesBack(t *testing.T) {
	for _, mode := range []os.FileMode{0o755, 0o700, 0o4750, 0o644} {
		p := newPlace(t)
		admin := p.write(p.path(), adminScript, mode)
		o := p.mustInstall()
		g := p.mustState("installed")
		p.same(p.keptPath(), admin)
		if g.Kept != p.keptPath() || !strings.Contains(o.Done, p.keptPath()) {
			t.Errorf("status: %+v, outcome: %+v", g, o)
		}
		if said := strings.Contains(strings.Join(o.Notes, ""), "not executable"); said != (mode == 0o644) {
			t.Errorf("mode %v: notes %v", mode, o.Notes)
		}
		p.mustInstall()
		p.same(p.keptPath(), admin)
		p.mustRemove()
		p.same(p.path(), admin)
		p.mustRemove()
		p.same(p.path(), admin)
		if got := p.names(); got != "qemu" {
			t.Errorf("left: %s", got)
		}
	}
}

func TestLinkIsKeptAsALink(t *testing.T) {
	for _, target := range []string{"real.sh", "/nowhere/at/all"} {
		p := newPlace(t)
		p.write(filepath.Join(p.dir, "real.sh"), adminScript, 0o755)
		if err := os.Symlink(target, p.path()); err != nil {
			t.Fatal(err)
		}
		link := p.info(p.path())
		p.mustInstall()
		p.mustState("installed")
		p.same(p.keptPath(), link)
		p.mustRemove()
		p.same(p.path(), link)
		if got, err := os.Readlink(p.path()); err != nil || got != target {
			t.Errorf("the link leads to %q, %v", got, err)
		}
	}
}

func TestPassThroughWhileLibvirtdRuns(t *testing.T) {
	p := newPlace(t)
	p.mustInstall()
	p.withDaemon(1)
	o := p.mustRemove()
	if !strings.Contains(strings.Join(o.Notes, ""), "systemctl stop libvirtd") {
		t.Errorf("the remedy is missing: %v", o.Notes)
	}
	p.mustState("pass-through")
	if o := p.mustRemove(); !strings.Contains(o.Done, "already") {
		t.Errorf("removed twice: %s", o.Done)
	}
	// One that started later has seen it all the more.
	p.withDaemon(1 << 40)
	p.mustRemove()
	p.mustState("pass-through")

	p.mustInstall()
	p.mustState("installed")
	p.mustRemove()
	p.mustState("pass-through")
	p.daemons = newPlace(t).daemons
	p.mustRemove()
	if got := p.names(); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// A daemon that has seen the shim fails if its place is taken by a file that is
// no hook.
func TestIdleScriptComesBackOnlyWithoutLibvirtd(t *testing.T) {
	p := newPlace(t)
	admin := p.write(p.path(), adminScript, 0o644)
	p.mustInstall()
	p.withDaemon(1)
	p.mustRemove()
	p.mustState("pass-through")
	p.same(p.keptPath(), admin)
	p.daemons = newPlace(t).daemons
	p.mustRemove()
	p.same(p.path(), admin)
	if got := p.names(); got != "qemu" {
		t.Errorf("left: %s", got)
	}
}

// A daemon that starts while the last file goes away has seen it.
func TestLibvirtdStartsDuringRemoval(t *testing.T) {
	p := newPlace(t)
	p.mustInstall()
	calls := 0
	p.daemons = func(string, string) ([]libvirtd.Process, error) {
		if calls++; calls == 1 {
			return nil, nil
		}
		return []libvirtd.Process{{PID: 1}}, nil
	}
	p.mustRemove()
	p.mustState("pass-through")
}

func TestNoticed(t *testing.T) {
	p := newPlace(t)
	p.withDaemon(1)
	if o := p.mustInstall(); !strings.Contains(strings.Join(o.Notes, ""), "SIGHUP") {
		t.Errorf("notes: %v", o.Notes)
	}
	if g := p.mustState("installed"); g.Noticed != "not yet" {
		t.Errorf("noticed: %q", g.Noticed)
	}
	p.withDaemon(1 << 40)
	if g := p.mustState("installed"); g.Noticed != "yes" || len(g.Notes) > 0 {
		t.Errorf("noticed: %q %v", g.Noticed, g.Notes)
	}
}

func TestSettingsChange(t *testing.T) {
	p := newPlace(t)
	admin := p.write(p.path(), adminScript, 0o755)
	p.mustInstall()
	before := p.mustState("installed")
	s := testSettings(t)
	s.Timeout = "3s"
	if o := p.install(s); o.Err != nil {
		t.Fatal(o.Err)
	}
	after := p.mustState("installed")
	if before.Timeout != "20s" || after.Timeout != "3s" {
		t.Errorf("timeouts %s, %s", before.Timeout, after.Timeout)
	}
	p.mustRemove()
	p.same(p.path(), admin)
}

func TestChangedByHand(t *testing.T) {
	both := func(p place) (string, string) { return p.read(p.path()), p.read(p.keptPath()) }
	t.Run("the shim was replaced", func(t *testing.T) {
		p := newPlace(t)
		p.write(p.path(), adminScript, 0o755)
		p.mustInstall()
		if err := os.Remove(p.path()); err != nil {
			t.Fatal(err)
		}
		p.write(p.path(), "#!/bin/sh\n# newer\n", 0o755)
		shim, kept := both(p)
		if o := p.install(testSettings(t)); o.Err == nil || !strings.Contains(o.Err.Error(), p.keptPath()) {
			t.Errorf("install: %v", o.Err)
		}
		if o := p.uninstall(); o.Err == nil || !strings.Contains(o.Err.Error(), p.keptPath()) {
			t.Errorf("remove: %v", o.Err)
		}
		if g := p.mustState("foreign"); len(g.Notes) != 1 {
			t.Errorf("notes: %v", g.Notes)
		}
		if s, k := both(p); s != shim || k != kept {
			t.Error("a script was changed")
		}
	})
	t.Run("the shim was replaced, nothing was kept", func(t *testing.T) {
		p := newPlace(t)
		p.mustInstall()
		if err := os.Remove(p.path()); err != nil {
			t.Fatal(err)
		}
		admin := p.write(p.path(), adminScript, 0o755)
		p.mustRemove()
		p.same(p.path(), admin)
		p.mustInstall()
		p.same(p.keptPath(), admin)
	})
	t.Run("the shim was edited", func(t *testing.T) {
		p := newPlace(t)
		p.mustInstall()
		p.write(p.path(), p.read(p.path())+"logger hello\n", 0o755)
		text := p.read(p.path())
		if o := p.install(testSettings(t)); o.Err == nil {
			t.Error("install: no error")
		}
		if o := p.uninstall(); o.Err == nil {
			t.Error("remove: no error")
		}
		p.mustState("changed")
		if p.read(p.path()) != text {
			t.Error("the change is lost")
		}
	})
	t.Run("the kept script was edited", func(t *testing.T) {
		p := newPlace(t)
		p.write(p.path(), adminScript, 0o755)
		p.mustInstall()
		edited := p.write(p.keptPath(), adminScript+"# and more\n", 0o755)
		if g := p.mustState("installed"); len(g.Notes) != 1 || !strings.Contains(g.Notes[0], "changed") {
			t.Errorf("notes: %v", g.Notes)
		}
		p.mustInstall()
		o := p.mustRemove()
		if !strings.Contains(strings.Join(o.Notes, ""), "changed") {
			t.Errorf("notes: %v", o.Notes)
		}
		p.same(p.path(), edited)
	})
	t.Run("the kept script was deleted", func(t *testing.T) {
		p := newPlace(t)
		p.write(p.path(), adminScript, 0o755)
		p.mustInstall()
		if err := os.Remove(p.keptPath()); err != nil {
			t.Fatal(err)
		}
		p.withDaemon(1)
		if g := p.mustState("installed"); !strings.Contains(strings.Join(g.Notes, ""), "not there any more") {
			t.Errorf("notes: %v", g.Notes)
		}
		if o := p.mustRemove(); len(o.Notes) != 2 {
			t.Errorf("notes: %v", o.Notes)
		}
		p.mustState("pass-through")
	})
	t.Run("the shim was deleted", func(t *testing.T) {
		p := newPlace(t)
		admin := p.write(p.path(), adminScript, 0o755)
		p.mustInstall()
		if err := os.Remove(p.path()); err != nil {
			t.Fatal(err)
		}
		if g := p.mustState("not installed"); len(g.Notes) != 1 {
			t.Errorf("notes: %v", g.Notes)
		}
		p.mustRemove()
		p.same(p.path(), admin)
	})
	t.Run("the shim lost its x bits", func(t *testing.T) {
		p := newPlace(t)
		p.mustInstall()
		if err := os.Chmod(p.path(), 0o644); err != nil {
			t.Fatal(err)
		}
		if g := p.mustState("installed"); len(g.Notes) != 1 {
			t.Errorf("notes: %v", g.Notes)
		}
		p.mustInstall()
		if g := p.mustState("installed"); len(g.Notes) != 0 {
			t.Errorf("notes: %v", g.Notes)
		}
	})
	t.Run("the hook is a directory", func(t *testing.T) {
		p := newPlace(t)
		if err := os.Mkdir(p.path(), 0o755); err != nil {
			t.Fatal(err)
		}
		if o := p.install(testSettings(t)); o.Err == nil {
			t.Error("no error")
		}
		if got := p.names(); got != "qemu" {
			t.Errorf("left: %s", got)
		}
	})
}

// libvirt's own directory of further scripts stays as it is.
func TestDirectoryOfScriptsIsLeftAlone(t *testing.T) {
	p := newPlace(t)
	if err := os.Mkdir(p.path()+".d", 0o755); err != nil {
		t.Fatal(err)
	}
	script := p.write(p.path()+".d/10-own", adminScript, 0o755)
	p.mustInstall()
	p.mustRemove()
	p.same(p.path()+".d/10-own", script)
	if got := p.names(); got != "qemu.d" {
		t.Errorf("left: %s", got)
	}
}

func TestBothGuestsByTheFrontDoor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc", "hooks")
	if r, err := Remove(dir, Guests); err != nil || len(r) != 2 {
		t.Errorf("no directory: %v %v", r, err)
	}
	r, err := Install(dir, Guests, Options{Binary: "/bin/true", Socket: "/nowhere.sock"})
	if err != nil || len(r) != 2 {
		t.Fatalf("%v %v", r, err)
	}
	s, err := Read(dir, Guests)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Guests) != 2 || s.Guests[1].State != "installed" || len(s.Agents) != 1 || s.Agents[0].Answers {
		t.Errorf("status: %+v", s)
	}
	if _, err := Remove(dir, []string{"lxc"}); err != nil {
		t.Fatal(err)
	}
	if s, err = Read(dir, Guests); err != nil || s.Guests[0].State != "installed" || s.Guests[1].State == "installed" {
		t.Errorf("status: %+v %v", s, err)
	}
}
