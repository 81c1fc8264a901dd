package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// callFor makes up the call that a request means.
func (r *running) callFor(ctx context.Context, req FireRequest) (translate.Call, error) {
	call := translate.Call{Op: req.Op, Cause: translate.CauseManual, Network: req.Network, Undo: translate.Undo{}}
	switch {
	case !translate.NewOps(translate.AllOps()...)[req.Op]:
		return call, badRequest("unknown operation %q: the operations are %s", req.Op, translate.NewOps(translate.AllOps()...))
	case req.Network == "":
		return call, badRequest("no network named")
	case !req.Op.OnPort() && (req.Domain != "" || req.MAC != ""):
		return call, badRequest("%s is about a whole network: it takes neither a domain nor a MAC address", req.Op)
	}
	networks, err := r.networksFor(ctx, req)
	if err != nil {
		return call, err
	}
	if req.Op.OnPort() {
		return r.portCall(ctx, call, req, networks)
	}
	if len(networks) > 1 {
		return call, badRequest("network %s is there on several connections: choose with --connection one of\n%s",
			req.Network, lines(networks, func(n firedNetwork) string { return n.conn }))
	}
	n := networks[0]
	call.Conn, call.Documents.Network, call.Inexact = n.conn, n.live, n.inexact
	if req.Op == translate.OpStart {
		r.inactive(ctx, &call)
	}
	return call, nil
}

// firedNetwork is a network that a call by hand may be about.
type firedNetwork struct{ conn, live, inexact string }

// networksFor finds the networks of the name that was asked for, announced or not.
func (r *running) networksFor(ctx context.Context, req FireRequest) ([]firedNetwork, error) {
	var found []firedNetwork
	var troubles []error
	asked := map[string]bool{}
	for _, w := range r.watchers {
		conn := w.host.conn
		if asked[conn] || req.Connection != "" && req.Connection != w.uri && req.Connection != conn {
			continue
		}
		asked[conn] = true
		if n := r.ledger.network(conn, req.Network); n != nil {
			found = append(found, firedNetwork{conn, n.Live, n.Inexact})
			continue
		}
		text, err := r.askForNetwork(ctx, conn, req.Network)
		switch {
		case err == nil:
			found = append(found, firedNetwork{conn, text, ""})
		case !hasCode(err, libvirt.ERR_NO_NETWORK) && !hasCode(err, libvirt.ERR_NO_SUPPORT):
			troubles = append(troubles, fmt.Errorf("%s: %w", conn, err))
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case len(asked) == 0:
		return nil, badRequest("connection %s is not watched: choose one of\n%s", req.Connection, lines(r.watchers, func(w *watcher) string { return w.uri }))
	case len(troubles) > 0:
		return nil, fmt.Errorf("network %s is not announced, and libvirt could not be asked for it: %w", req.Network, errors.Join(troubles...))
	}
	return nil, &NotFoundError{fmt.Sprintf("there is no network %s", req.Network)}
}

// askForNetwork reads a network's document from libvirt.
func (r *running) askForNetwork(ctx context.Context, conn, name string) (string, error) {
	w := r.follower(conn)
	if w == nil {
		return "", ErrNoConnection
	}
	c, giveBack, err := w.live.borrow(ctx, w.uri)
	if err != nil {
		return "", err
	}
	defer giveBack()
	return readNetworkDoc(c, name)
}

// inactive puts the network's inactive document into a start call, where libvirt can be
// asked for it.
func (r *running) inactive(ctx context.Context, call *translate.Call) {
	w := r.follower(call.Conn)
	if w == nil {
		return
	}
	c, giveBack, err := w.live.borrow(ctx, w.uri)
	if err != nil {
		return
	}
	defer giveBack()
	seen, err := readNetwork(c, call.Conn, call.Network)
	if err == nil && seen.Inactive != "" {
		call.Documents.Network, call.Inexact = seen.Inactive, ""
	}
}

// firedInterface is an interface that a call by hand may be about.
type firedInterface struct {
	network firedNetwork
	domain  *translate.Domain
	nic     translate.Interface
}

func (i firedInterface) String() string {
	return fmt.Sprintf("--domain %s --mac %s --connection %s", i.domain.Name, i.nic.MAC, i.domain.Conn)
}

// portCall completes a call about an interface.
func (r *running) portCall(ctx context.Context, call translate.Call, req FireRequest, networks []firedNetwork) (translate.Call, error) {
	var found, all []firedInterface
	for _, n := range networks {
		plugged := r.ledger.interfacesIn(n, req.Network)
		all = append(all, plugged...)
		found = append(found, slices.DeleteFunc(slices.Clone(plugged), func(i firedInterface) bool { return !req.means(i) })...)
	}
	if len(found) == 0 && req.Domain != "" {
		found = r.askForInterfaces(ctx, req, networks)
	}
	switch {
	case len(found) == 0 && len(all) == 0:
		return call, &NotFoundError{fmt.Sprintf("%s is about a guest's interface, and none such is plugged into network %s", req.Op, req.Network)}
	case len(found) == 0:
		return call, &NotFoundError{fmt.Sprintf("no such interface is plugged into network %s; there are\n%s", req.Network, lines(all, firedInterface.String))}
	case len(found) > 1:
		return call, badRequest("%s is about one interface, and several can be meant: choose one of\n%s", req.Op, lines(found, firedInterface.String))
	}
	i := found[0]
	call.Conn = i.network.conn
	call.Domain = &translate.DomainRef{Conn: i.domain.Conn, Name: i.domain.Name, UUID: i.domain.UUID, ID: i.domain.ID}
	call.NIC = &translate.NICRef{MAC: i.nic.MAC, Alias: i.nic.Alias, Target: i.nic.Target}
	call.Documents = translate.Documents{Interface: i.nic, Network: i.network.live, Domain: i.domain.Live}
	call.Inexact = cmp.Or(i.network.inexact, i.domain.Inexact)
	return call, nil
}

// means reports whether an interface is one that was asked for.
func (req FireRequest) means(i firedInterface) bool {
	return (req.Domain == "" || req.Domain == i.domain.Name || req.Domain == i.domain.UUID) &&
		(req.MAC == "" || strings.EqualFold(req.MAC, i.nic.MAC)) &&
		(req.Connection == "" || req.Connection == i.domain.Conn || req.Connection == i.network.conn)
}

// interfacesIn returns what is plugged into a network.
func (l *ledger) interfacesIn(n firedNetwork, network string) (plugged []firedInterface) {
	l.eachDomain(func(d *translate.Domain) {
		if cmp.Or(d.NetworkConn, d.Conn) != n.conn {
			return
		}
		for i := range d.NICs {
			if d.NICs[i].Network == network {
				plugged = append(plugged, firedInterface{n, d, d.NICs[i]})
			}
		}
	})
	slices.SortStableFunc(plugged, func(a, b firedInterface) int { return strings.Compare(a.String(), b.String()) })
	return plugged
}

// askForInterfaces looks for the interfaces of a guest that is not announced.
func (r *running) askForInterfaces(ctx context.Context, req FireRequest, networks []firedNetwork) (found []firedInterface) {
	for _, w := range r.watchers {
		at := slices.IndexFunc(networks, func(n firedNetwork) bool { return n.conn == w.host.conn })
		if at < 0 || !w.live.connected() {
			continue
		}
		d := w.askForDomain(ctx, req.Domain)
		if d == nil {
			continue
		}
		for _, nic := range d.NICs {
			i := firedInterface{networks[at], d, nic}
			if nic.Network == req.Network && req.means(i) {
				found = append(found, i)
			}
		}
	}
	return found
}

// askForDomain reads a guest by its name or UUID from libvirt; nil if there is none.
func (w *watcher) askForDomain(ctx context.Context, name string) *translate.Domain {
	conn, giveBack, err := w.live.borrow(ctx, w.uri)
	if err != nil {
		return nil
	}
	defer giveBack()
	uuid := name
	if domain, err := conn.LookupDomainByName(name); err == nil {
		uuid, err = domain.GetUUIDString()
		_ = domain.Free()
		if err != nil {
			return nil
		}
	}
	seen, err := readDomain(conn, w.uri, uuid, false)
	if err != nil || seen.Live == "" {
		return nil
	}
	nics, _ := translate.Interfaces(seen.Live) // what can be read is there to be chosen
	d := &translate.Domain{Conn: w.uri, UUID: seen.UUID, Name: seen.Name, ID: seen.ID, Live: seen.Live, NetworkConn: w.host.conn, NICs: nics}
	if !seen.Running {
		d.Inexact = "the guest does not run; this is its inactive document"
	}
	return d
}

// lines lists choices, one a line.
func lines[T any](all []T, text func(T) string) string {
	var b strings.Builder
	for i, one := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("  " + text(one))
	}
	return b.String()
}
