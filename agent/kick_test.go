package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hookbridge/internal/libvirtd"
)

// kickRig watches directories as a libvirtd has them.
type kickRig struct {
	t     *testing.T
	dir   string
	queue *hintQueue
}

func newKickRig(t *testing.T) *kickRig {
	t.Helper()
	r := &kickRig{t: t, dir: t.TempDir(), queue: newHintQueue(nil)}
	for _, d := range []string{"run/qemu", "run/lxc", "run/network", "state/network"} {
		if err := os.MkdirAll(filepath.Join(r.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dirs := libvirtd.StatusDirs{Run: []string{filepath.Join(r.dir, "run"), filepath.Join(r.dir, "none")}, State: []string{filepath.Join(r.dir, "state")}}
	k, err := startKicks(dirs, "qemu", r.queue)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.stop)
	return r
}

func (r *kickRig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// replace writes as libvirt does since 0.9.7.
func (r *kickRig) replace(name string) {
	r.t.Helper()
	r.write(name+".new", "<x/>")
	if err := os.Rename(filepath.Join(r.dir, name+".new"), filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

// until takes hints until one is about the given object, and returns all.
func (r *kickRig) until(name string) []string {
	r.t.Helper()
	var got []string
	for {
		select {
		case <-r.queue.ready:
		case <-time.After(30 * time.Second):
			r.t.Fatalf("no kick for %s; got %q", name, got)
		}
		hints, _, _ := r.queue.take()
		for _, h := range hints {
			if !h.kick {
				r.t.Errorf("%s is no kick", h)
			}
			if h.kind == networkHint || h.kind == domainHint { // not this machine's links
				got = append(got, h.String())
			}
		}
		if slices.Contains(got, name) {
			return got
		}
	}
}

func TestKicksNameTheObject(t *testing.T) {
	r := newKickRig(t)
	r.replace("run/qemu/g.xml")
	if got := r.until("domain g"); slices.ContainsFunc(got, func(s string) bool { return s != "domain g" }) {
		t.Errorf("kicks %q", got)
	}
	r.write("run/qemu/old style.xml", "<x/>") // rewritten in place up to 0.9.6
	r.until("domain old style")
	r.replace("run/network/n.xml")
	r.until("network n")
	r.replace("state/network/old.xml")
	r.until("network old")
	if err := os.Remove(filepath.Join(r.dir, "run/network/n.xml")); err != nil {
		t.Fatal(err)
	}
	r.until("network n")
}

func TestWhatIsNoKick(t *testing.T) {
	r := newKickRig(t)
	r.write("run/lxc/c.xml", "<x/>")      // another connection's
	r.write("run/qemu/g.pid", "1\n")      // no status
	r.write("run/qemu/g.xml.new", "<x/>") // not there yet
	r.write("run/qemu/g.monitor", "")     // no status
	r.replace("run/qemu/last.xml")
	if got := r.until("domain last"); slices.ContainsFunc(got, func(s string) bool { return s != "domain last" }) {
		t.Errorf("kicks %q", got)
	}
}

func TestNoDirectoriesNoKicks(t *testing.T) {
	k, err := startKicks(libvirtd.StatusDirs{Run: []string{filepath.Join(t.TempDir(), "none")}}, "qemu", newHintQueue(nil))
	if k != nil || err != nil {
		t.Errorf("%v, %v", k, err)
	}
}
