package agent

import (
	"os"
	"path/filepath"
	"strings"

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
func (g *gate) networks(w *watcher, d knownDaemon, nics []translate.Interface) (n gateNetworks) {
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
		status := d.dirs.networkStatus(name)
		if status.absent {
			n.down = name
			return n
		}
		if !announced || status.anotherLife(name, life, d.dirs) {
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

// networkStatus is libvirtd's status file of a network.
type networkStatus struct {
	text   string // empty: there is none, or nobody knows where it is
	absent bool   // the directory is there, the file is not
}

func (d statusDirs) networkStatus(name string) networkStatus {
	if strings.Contains(name, "/") { // libvirt has no such networks
		return networkStatus{}
	}
	var s networkStatus
	for _, dir := range d.networks() {
		text, err := os.ReadFile(filepath.Join(dir, name+".xml"))
		if err == nil {
			return networkStatus{text: string(text)}
		}
		if _, err := os.Stat(dir); err == nil {
			s.absent = true
		}
	}
	return s
}

// anotherLife reports whether the network has been restarted since it was announced,
// as far as its bridge tells.
func (s networkStatus) anotherLife(name string, was networkLife, dirs statusDirs) bool {
	if was.generation == "" || s.text == "" {
		return false
	}
	now, rewritten := generation(translate.NetworkSeen{Name: name, Live: was.live}, dirs)
	return now != "" && !rewritten && now != was.generation
}

// announce enters a network from libvirtd's files and reports whether that could be
// done.
func (g *gate) announce(w *watcher, d knownDaemon, name string, status networkStatus) bool {
	live, err := translate.Unwrap(status.text)
	if err != nil || status.text == "" {
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
	seen.Generation, seen.Rewritten = generation(seen, d.dirs)
	g.ledger.enterNetwork(seen)
	return true
}
