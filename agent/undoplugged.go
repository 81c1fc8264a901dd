package agent

import (
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// undoPlugged takes back that an interface was plugged: with its guest if that was
// booted just now, else alone.
func (u *undoer) undoPlugged(t task, rest []task) (outcome Undone, kept []task, stands bool) {
	call := t.call
	w, conn, giveBack, err := u.borrow(func(w *watcher) bool { return w.uri == call.Domain.Conn })
	if err != nil {
		return undoFailed(err), rest, true
	}
	defer giveBack()
	kept, cut := split(call, rest)
	r, state := u.ledger.beginDomain(t, cut)
	switch state {
	case refusedObject:
		// Not so the other interfaces of the guest.
		u.ledger.forgetPlugs(t, nil)
		return notUndone("the interface has been detached or moved meanwhile"), rest, false
	case refusedIsBygone:
		if call.Undo.Kind != translate.UndoDomain {
			kept, cut = rest, nil
		}
		u.ledger.forgetPlugs(t, cut)
		return notUndone("the guest has been stopped meanwhile"), kept, false
	}
	end, docs := w.takeBack(conn, call)
	if end.stays() {
		u.ledger.giveUp(t, r)
		kept = rest
	} else if n := u.ledger.endDomain(t, r, docs); call.Undo.Kind == translate.UndoDomain {
		u.ledger.forgetPlugs(t, cut)
		if n > 0 && end.Result == translate.UndoDone {
			end.Text += "; " + count(n, "interface that was plugged gets", "interfaces that were plugged get") + " unplugged"
		}
	}
	w.live.look(hint{kind: domainHint, name: call.Domain.Name, kick: true, id: -1, arrived: time.Now()})
	return end.Undone, kept, end.stays()
}

// takeBack asks libvirt for what the undo of a plugged call takes. docs are the
// networks' documents for the calls that follow.
func (w *watcher) takeBack(conn *libvirt.Connect, call translate.Call) (ending, translate.NetworkDocs) {
	bygone := ending{notUndone("the guest has been stopped meanwhile"), true}
	seen, err := readDomain(conn, w.uri, call.Domain.UUID, false)
	if err != nil {
		return ending{Undone: undoFailed(err)}, nil
	}
	was := w.ledger.domain(w.uri, call.Domain.UUID)
	docs, err := w.networkDocs(conn, was, translate.DomainSeen{}, nil)
	if err != nil {
		return ending{Undone: undoFailed(err)}, nil
	}
	if !seen.Running || seen.ID != call.Domain.ID {
		return bygone, docs
	}
	domain, err := conn.LookupDomainByUUIDString(call.Domain.UUID)
	if hasCode(err, libvirt.ERR_NO_DOMAIN) {
		return bygone, docs
	}
	if err != nil {
		return ending{Undone: undoFailed(err)}, docs
	}
	defer func() { _ = domain.Free() }()

	var outcome Undone
	switch nic, listed := call.Find(seen.Live); {
	case call.Undo.Kind == translate.UndoDomain:
		outcome, err = undone("the guest was destroyed"), domain.Destroy()
	case !listed:
		return ending{notUndone("the interface has been detached or moved meanwhile"), true}, docs
	case call.Undo.Kind == translate.UndoPlug:
		outcome, err = detach(domain, call, nic)
	default:
		back := call.Undo.Interface
		outcome, err = undone("the interface was updated back to %s", place(back)), domain.UpdateDeviceFlags(back.Text, libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
	}
	if err != nil {
		if now, lookErr := readDomain(conn, w.uri, call.Domain.UUID, false); lookErr == nil && (!now.Running || now.ID != call.Domain.ID) {
			return bygone, docs
		}
		return ending{Undone: undoFailed(err)}, docs
	}
	return ending{Undone: outcome}, docs
}

// detach takes an interface away by its whole live document: two may have one MAC
// address. A QEMU guest is only asked, and may answer later or never; libvirt
// waits a few seconds for it (qemuDomainWaitForDeviceRemoval).
func detach(domain *libvirt.Domain, call translate.Call, nic translate.Interface) (Undone, error) {
	if err := domain.DetachDeviceFlags(nic.Text, libvirt.DOMAIN_DEVICE_MODIFY_LIVE); err != nil {
		return Undone{}, err
	}
	if live, err := domain.GetXMLDesc(0); err == nil {
		if _, there := call.Find(live); !there {
			return undone("the interface was detached"), nil
		}
	}
	return undone("the guest was asked to give the interface back, and has not done so yet"), nil
}

// place says where an interface is plugged in.
func place(nic translate.Interface) string {
	if nic.Network != "" {
		return "network " + nic.Network
	}
	return "what it was"
}
