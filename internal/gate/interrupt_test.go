package gate

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// Every command, ended by a crash after each change that it makes on disk: no
// script is lost, the path of a hook is there all the time, and the next command
// of either kind comes to its proper end.
func TestInterrupted(t *testing.T) {
	type scenario struct {
		name    string
		admin   fs.FileMode // mode of the script that was there first; 0 for none
		link    bool
		daemon  bool
		prepare func(*place)
		command func(*place)
	}
	install := func(p *place) { p.install(testSettings(p.t)) }
	remove := func(p *place) { p.uninstall() }
	installed := func(p *place) { p.mustInstall() }
	var all []scenario
	for _, mode := range []fs.FileMode{0, 0o755, 0o644} {
		for _, daemon := range []bool{false, true} {
			all = append(all,
				scenario{name: "install", admin: mode, daemon: daemon, command: install},
				scenario{name: "install other settings", admin: mode, daemon: daemon, prepare: installed, command: func(p *place) {
					s := testSettings(p.t)
					s.Timeout = "7s"
					p.install(s)
				}},
				scenario{name: "remove", admin: mode, daemon: daemon, prepare: installed, command: remove},
				scenario{name: "install over what a removal left", admin: mode, daemon: daemon, prepare: func(p *place) {
					p.mustInstall()
					p.withDaemon(1)
					p.mustRemove()
				}, command: install},
				scenario{name: "remove what a removal left", admin: mode, daemon: daemon, prepare: func(p *place) {
					p.mustInstall()
					p.withDaemon(1)
					p.mustRemove()
				}, command: remove},
				scenario{name: "remove after the shim was deleted", admin: mode, daemon: daemon, prepare: func(p *place) {
					p.mustInstall()
					if err := os.Remove(p.path()); err != nil {
						p.t.Fatal(err)
					}
				}, command: remove},
			)
		}
	}
	all = append(all,
		scenario{name: "install over a link", admin: 0o755, link: true, command: install},
		scenario{name: "remove over a link", admin: 0o755, link: true, prepare: installed, command: remove},
	)

	points := 0
	for _, sc := range all {
		for _, next := range []string{"install", "remove"} {
			for crash := 1; ; crash++ {
				name := fmt.Sprintf("%s, script %v, daemon %v, crash %d, then %s", sc.name, sc.admin, sc.daemon, crash, next)
				p := newPlace(t)
				var admin fs.FileInfo
				switch {
				case sc.link:
					if err := os.Symlink("/bin/true", p.path()); err != nil {
						t.Fatal(err)
					}
					admin = p.info(p.path())
				case sc.admin != 0:
					admin = p.write(p.path(), adminScript, sc.admin)
				}
				if sc.prepare != nil {
					sc.prepare(&p)
				}
				p.daemons = newPlace(t).daemons
				if sc.daemon {
					p.withDaemon(1)
				}
				began, _ := lstat(p.path())

				crashed := runUntil(&p, crash, sc.command, func() {
					if admin != nil {
						atHome, _ := lstat(p.path())
						kept, _ := lstat(p.keptPath())
						if (atHome == nil || !os.SameFile(atHome, admin)) && (kept == nil || !os.SameFile(kept, admin)) {
							t.Errorf("%s: the script is lost", name)
						}
					}
					if sc.daemon && began != nil && admin == nil {
						if !runs(p.path()) {
							t.Errorf("%s: the hook is missing", name)
						}
					}
					if began != nil && admin != nil {
						if i, _ := lstat(p.path()); i == nil {
							t.Errorf("%s: the path is missing", name)
						}
					}
				})
				if !crashed {
					break
				}
				points++
				if _, err := p.status(); err != nil {
					t.Errorf("%s: status: %v", name, err)
				}
				finishInterrupted(t, name, &p, next, admin, sc.daemon)
			}
		}
	}
	t.Logf("%d interruptions", points)
	if points < 100 {
		t.Errorf("only %d interruptions", points)
	}
}

// runUntil lets a command crash after its nth change, and tells whether it came
// that far.
func runUntil(p *place, n int, command func(*place), after func()) (crashed bool) {
	type crash struct{}
	defer func() {
		p.step = func(string) {}
		switch r := recover(); r.(type) {
		case nil:
		case crash:
			crashed = true
		default:
			panic(r)
		}
	}()
	p.step = func(string) {
		after()
		if n--; n == 0 {
			panic(crash{})
		}
	}
	command(p)
	return false
}

// finishInterrupted checks that one further command ends well.
func finishInterrupted(t *testing.T, name string, p *place, next string, admin fs.FileInfo, daemon bool) {
	t.Helper()
	switch next {
	case "install":
		if o := p.install(testSettings(t)); o.Err != nil {
			t.Errorf("%s: %v", name, o.Err)
		}
		p.mustState("installed")
		want := "qemu"
		if admin != nil {
			want = "qemu qemu.hookbridge-kept"
			p.same(p.keptPath(), admin)
		}
		if got := p.names(); got != want {
			t.Errorf("%s: %s is left", name, got)
		}
	case "remove":
		if o := p.uninstall(); o.Err != nil {
			t.Errorf("%s: %v", name, o.Err)
		}
		if g, err := p.status(); err == nil && g.State == "pass-through" {
			if !daemon {
				t.Errorf("%s: a pass-through without a daemon", name)
			}
			p.daemons = newPlace(t).daemons
			p.mustRemove()
		}
		if admin != nil {
			p.same(p.path(), admin)
		}
		if got := p.names(); strings.Contains(got, "hookbridge") || (admin != nil) != (got == "qemu") {
			t.Errorf("%s: %q is left", name, got)
		}
	}
}
