package agent

import (
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// undoNetwork takes down a network whose start or started was refused. Natively
// a refused started leaves bridge and dnsmasq behind (networkStartNetwork, 1.2.2
// to 9.0); here they go.
func (u *undoer) undoNetwork(t task, rest []task) (outcome Undone, kept []task, stands bool) {
	w, conn, giveBack, err := u.borrow(func(w *watcher) bool { return w.host.conn == t.call.Conn })
	if err != nil {
		return undoFailed(err), rest, true
	}
	defer giveBack()
	kept, cut := split(t.call, rest)
	was, r := u.ledger.beginNetwork(t, cut)
	if r == nil {
		u.ledger.forgetNetwork(t, cut)
		return notUndone("the network has been stopped meanwhile"), kept, false
	}
	end := w.destroyNetwork(conn, was)
	if end.stays() {
		u.ledger.giveUp(t, r)
		kept = rest
	} else {
		// What was read before the network was down has been entered once this lock
		// is had.
		w.host.reading.Lock()
		u.ledger.endNetwork(t, r)
		w.host.reading.Unlock()
	}
	w.live.look(hint{kind: networkHint, name: t.call.Network, kick: true, id: -1, arrived: time.Now()})
	return end.Undone, kept, end.stays()
}

// ending is an undo's outcome; gone says that its object has ended without it.
type ending struct {
	Undone
	gone bool
}

// stays reports whether the object is still there, so that all goes on.
func (e ending) stays() bool { return e.Result != translate.UndoDone && !e.gone }

// destroyNetwork destroys the network unless it has another life by now, or
// interfaces are plugged into it.
func (w *watcher) destroyNetwork(conn *libvirt.Connect, was *translate.Network) ending {
	seen, err := readNetwork(conn, was.Conn, was.Name)
	if err != nil {
		return ending{Undone: undoFailed(err)}
	}
	if seen.Active && libvirtd.OnThisHost(w.uri) {
		seen.Generation, seen.Rewritten = generation(seen, w.live.statusDirs())
	}
	switch {
	case !seen.Active:
		return ending{notUndone("the network has been stopped meanwhile"), true}
	case !was.SameLife(seen):
		return ending{notUndone("the network has been restarted meanwhile"), true}
	}
	plugged := w.ledger.pluggedInto(was.Conn, was.Name)
	if head, err := translate.ParseNetwork(seen.Live); err == nil {
		plugged = max(plugged, head.Connections) // also of guests that nobody watches
	}
	if plugged > 0 {
		return ending{Undone: notUndone(fmt.Sprintf("%s plugged into the network", count(plugged, "interface is", "interfaces are")))}
	}
	network, err := conn.LookupNetworkByUUIDString(seen.UUID)
	if err == nil {
		defer func() { _ = network.Free() }()
		err = network.Destroy()
	}
	if err != nil {
		if active, lookErr := networkActive(conn, was.Name); lookErr == nil && !active {
			return ending{notUndone("the network has been stopped meanwhile"), true}
		}
		return ending{Undone: undoFailed(err)}
	}
	return ending{Undone: undone("the network was destroyed")}
}

func networkActive(conn *libvirt.Connect, name string) (bool, error) {
	seen, err := readNetwork(conn, "", name)
	return seen.Active, err
}

// count says a number with its noun and verb.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
