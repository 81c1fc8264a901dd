package agent

import (
	"os"
	"path/filepath"

	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// gateNetworks is what the gate knows of a guest's networks.
type gateNetworks struct {
	docs    translate.NetworkDocs
	refused string // one that is being taken down since its script has refused it
	down    string // one that is not active
}

// networks finds the documents of a guest's networks without libvirt: those that have
// been announced, else libvirtd's own files. A network that has come up and is not
// announced yet is announced now: start and started come before plugged.
func (g *gate) networks(w *watcher, d libvirtd.Caller, nics []translate.Interface) (n gateNetworks) {
	known := map[string]networkLife{}
	n.docs = func(name string) (string, string) { return known[name].live, known[name].inexact }
	for i := range nics {
		name := nics[i].Network
		if _, done := known[name]; done || name == "" {
			continue
		}
		if g.dispatcher.undoing(key(w.host.conn, name)) {
			n.refused = name
			return n
		}
		life, announced := g.ledger.networkLife(w.host.conn, name)
		if life.refused {
			n.refused = name
			return n
		}
		status := d.StatusDirs.Network(name)
		if status.Absent {
			n.down = name
			return n
		}
		if !announced || anotherLife(status, name, life, d.StatusDirs) {
			if g.announce(w, d, name, status) {
				life, announced = g.ledger.networkLife(w.host.conn, name)
			}
		}
		if !announced {
			n.down = name
			return n
		}
		known[name] = life
	}
	return n
}

// anotherLife reports whether the network has been restarted since it was announced,
// as far as its bridge tells.
func anotherLife(status libvirtd.NetworkStatus, name string, was networkLife, dirs libvirtd.StatusDirs) bool {
	if was.generation == "" || status.Text == "" {
		return false
	}
	now, rewritten := generation(translate.NetworkSeen{Name: name, Live: was.live}, dirs)
	return now != "" && !rewritten && now != was.generation
}

// announce enters a network from libvirtd's files and reports whether that could be
// done.
func (g *gate) announce(w *watcher, d libvirtd.Caller, name string, status libvirtd.NetworkStatus) bool {
	live, err := translate.Unwrap(status.Text)
	if err != nil || status.Text == "" {
		return false
	}
	head, err := translate.ParseNetwork(live)
	if err != nil {
		return false
	}
	seen := translate.NetworkSeen{
		Conn: w.host.conn, Name: name, UUID: head.UUID, Active: true, Live: live, Cause: translate.CauseReconcile,
		Inexact: "libvirtd answers nobody while it starts a guest; this is from its files",
	}
	if w.host.known() {
		// All networks have been listed, so this one has come up since, and its event
		// or kick is on the way.
		seen.Cause = translate.CauseEvent
	}
	config := filepath.Join(filepath.Dir(g.hookDir()), "qemu", "networks", name+".xml")
	if text, err := os.ReadFile(config); err == nil {
		if inactive, err := translate.Unwrap(string(text)); err == nil {
			seen.Inactive = inactive
		}
	}
	seen.Generation, seen.Rewritten = generation(seen, d.StatusDirs)
	g.ledger.enterNetwork(seen)
	return true
}
