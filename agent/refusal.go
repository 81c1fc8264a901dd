package agent

import (
	"slices"
	"time"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// refusal is the undo of a change that is under way. Meanwhile the record is
// already as it has to be afterwards, in memory only: the events that the undo
// brings about find nothing to announce. The store learns of it with the calls
// that follow, in one transaction, at the undo's end or when an event tells that
// the guest's run or the network's life has ended. An agent that is killed before
// finds the refused call in the store and makes it again.
type refusal struct {
	call   translate.Call
	before *translate.Domain // the domain's record, for an undo that fails
	cut    []store.CallID    // the refused call and those that are not made with it

	// settled says that an event has ended what the undo was about; the record
	// that is there now, if any, is another run's. unplugged is how many interfaces
	// of the guest were announced as unplugged with that.
	settled   bool
	unplugged int
}

// settle notes that an event has ended what the undo was about, with these calls. There
// may be none under way: nil.
func (r *refusal) settle(calls []translate.Call) {
	if r == nil {
		return
	}
	r.settled = true
	for i := range calls {
		if calls[i].Op == translate.OpUnplugged {
			r.unplugged++
		}
	}
}

// refused is what the ledger knows of a task's object when its script has
// refused it.
type refused int

const (
	refusedStands   refused = iota // it is still as it was announced
	refusedObject                  // only the interface has gone or has moved on
	refusedIsBygone                // the run, or the network's life, has ended
)

// split divides the calls behind a refused one into those that are made all the
// same and those that are not.
func split(call translate.Call, rest []task) (kept, cut []task) {
	for _, t := range rest {
		drop := false
		switch call.Undo.Kind {
		case translate.UndoNetwork, translate.UndoDomain:
			drop = true
		case translate.UndoUpdate:
			// The interface goes back to where it was: it has never left.
			drop = t.call.Op == translate.OpUnplugged && t.call.Network == call.Undo.Interface.Network &&
				t.call.NIC.MAC == call.Undo.Interface.MAC
		}
		if drop {
			cut = append(cut, t)
		} else {
			kept = append(kept, t)
		}
	}
	return kept, cut
}

func callIDs(tasks ...task) []store.CallID {
	ids := make([]store.CallID, len(tasks))
	for i := range tasks {
		ids[i] = tasks[i].id
	}
	return ids
}

// beginNetwork begins the undo of start or started.
func (l *ledger) beginNetwork(t task, cut []task) (*translate.Network, *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.networks[t.network()]
	if a == nil || a.life != t.life {
		return nil, nil
	}
	a.refusal = &refusal{call: t.call, cut: callIDs(append(cut, t)...)}
	return a.Network, a.refusal
}

// giveUp ends an undo that did not come about: the object goes on as if the
// script had not refused it.
func (l *ledger) giveUp(t task, r *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.settled {
		return
	}
	if t.call.Domain == nil {
		l.networks[t.network()].refusal = nil
		return
	}
	a := l.domains[guestKey(t.call)]
	l.setDomain(guestKey(t.call), a, r.before, nil)
	a.refusal, a.since = nil, time.Now()
}

// endNetwork ends an undo: the network is down. Natively a refused start means
// that nothing was up, so nothing more is said; a refused started is followed by
// stopped. No look at the network may be under way.
func (l *ledger) endNetwork(t task, r *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := t.network()
	if a := l.networks[k]; !r.settled {
		delete(l.networks, k)
		var calls []translate.Call
		if t.call.Op != translate.OpStart {
			_, calls = a.Look(translate.NetworkSeen{Conn: a.Conn, Name: a.Name, UUID: a.UUID, Cause: t.call.Cause})
		}
		l.send(change{conn: a.Conn, bucket: store.Networks, key: k, calls: calls, cut: r.cut})
	}
	l.undone[k] = time.Now()
}

// forgetNetwork takes back the calls that were planned about a life of a network
// which has ended while its start was being refused.
func (l *ledger) forgetNetwork(t task, cut []task) {
	if t.call.Op != translate.OpStart {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	first := true
	gone := l.withdraw("", t.network(), func(c translate.Call) bool {
		drop := first && c.Op == translate.OpStopped
		first = false
		return drop
	})
	l.keeper.cut(append(callIDs(append(cut, t)...), gone...))
}

// beginDomain begins the undo of a plugged call. The record changes at once.
func (l *ledger) beginDomain(t task, cut []task) (*refusal, refused) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.domains[guestKey(t.call)]
	if a == nil || a.id != t.call.Domain.ID {
		return nil, refusedIsBygone
	}
	before := a.record()
	after, ok := before.Refuse(t.call)
	if !ok {
		return nil, refusedObject
	}
	a.refusal = &refusal{call: t.call, before: before, cut: callIDs(append(cut, t)...)}
	l.setDomain(guestKey(t.call), a, after, nil)
	return a.refusal, refusedStands
}

// endDomain ends an undo: the guest is gone, or its interface has been dealt
// with. docs are the documents of the networks of the guest's other interfaces.
// It returns how many of these are announced as unplugged, be it by the event of the
// guest's end.
func (l *ledger) endDomain(t task, r *refusal, docs translate.NetworkDocs) (unplugged int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := guestKey(t.call)
	switch a := l.domains[k]; {
	case r.settled:
		unplugged = r.unplugged
	case t.call.Undo.Kind == translate.UndoDomain:
		was := a.record()
		l.dropDomain(k, was)
		l.hasEnded(k, was.ID)
		_, calls, _ := was.Look(gone(was, t.call.Cause), docs)
		l.send(change{conn: was.Conn, bucket: store.Domains, key: k, guest: k, calls: calls, cut: r.cut})
		unplugged = len(calls)
	default:
		a.refusal, a.since = nil, time.Now()
		l.send(change{conn: a.conn, bucket: store.Domains, key: k, guest: k, packed: a.packed, cut: r.cut})
	}
	return unplugged
}

// forgetPlugs takes back the calls that wait and are about interfaces which the
// script was not told of, or has refused: the refused one, those whose plugged
// is cut, and, where the guest goes, those hot-plugged since.
func (l *ledger) forgetPlugs(t task, cut []task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	never := []translate.Call{t.call}
	for i := range cut {
		if cut[i].call.Op == translate.OpPlugged {
			never = append(never, cut[i].call)
		}
	}
	gone := l.withdraw(orderKey(t.call), "", func(c translate.Call) bool {
		if c.Domain.ID != t.call.Domain.ID {
			return false
		}
		if c.Op == translate.OpPlugged && t.call.Undo.Kind == translate.UndoDomain {
			never = append(never, c)
			return true
		}
		return c.Op == translate.OpUnplugged && slices.ContainsFunc(never, func(n translate.Call) bool {
			return n.Network == c.Network && *n.NIC == *c.NIC
		})
	})
	l.keeper.cut(append(callIDs(append(cut, t)...), gone...))
}

// guestKey is the key of the domain that a call is about.
func guestKey(c translate.Call) string { return key(c.Domain.Conn, c.Domain.UUID) }

// orderKey names the guest that a call is about for the order of calls. A transient
// guest that is made again has another UUID; for a script, and for libvirt, which
// has no two of one name, it is the same.
func orderKey(c translate.Call) string { return key(c.Domain.Conn, c.Domain.Name) }

// pluggedInto counts the announced interfaces in a network.
func (l *ledger) pluggedInto(conn, network string) (n int) {
	l.eachDomain(func(d *translate.Domain) {
		for i := range d.NICs {
			if d.NICs[i].Network == network && (d.NetworkConn == conn || d.NetworkConn == "") {
				n++
			}
		}
	})
	return n
}

// undoneSince reports whether a network was taken down by an undo after a time:
// what libvirt said of it before is no news.
func (l *ledger) undoneSince(conn, name string, t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.undone[key(conn, name)].After(t)
}
