package book

import (
	"cmp"
	"iter"
	"time"

	"hookbridge/internal/history"
	"hookbridge/translate"
)

// Restore makes empty entries for what an earlier run of the agent has announced:
// networks and domains, under whatever keys. What belongs into them is in the history,
// if anywhere; see [Book.Recall].
func (b *Book) Restore(networks map[string]*translate.Network, domains map[string]*translate.Domain) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range networks {
		b.networks[keyOf(n.Conn, n.Name)] = &Note{}
	}
	for _, d := range domains {
		for i := range d.NICs {
			if d.NICs[i].Network != "" {
				b.plug(interfaceKey{keyOf(cmp.Or(d.NetworkConn, d.Conn), d.NICs[i].Network), d.UUID, d.NICs[i].MAC}, time.Time{})
			}
		}
	}
}

// Recall fills in, the first time that it is called, what an earlier run of the agent
// knew: from the history of this boot, the oldest entry first, as far as it can be read.
func (b *Book) Recall(entries iter.Seq2[history.Entry, error]) {
	b.recalled.Do(func() { b.recall(entries) })
}

func (b *Book) recall(entries iter.Seq2[history.Entry, error]) {
	networks, nics := recalled(entries)
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, n := range b.networks {
		b.networks[k] = fill(n, networks[k])
	}
	for uuid, all := range b.guests {
		for i := range all {
			n := &all[i]
			known := nics[interfaceKey{n.network.Value(), uuid, n.mac}]
			if n.since.IsZero() {
				n.since = known.Since
			}
			if n.last == nil && known.Last != nil {
				n.last = lastCallOf(*known.Last)
			}
		}
	}
}

// recalled reads what was known of networks and interfaces when the history ended.
func recalled(entries iter.Seq2[history.Entry, error]) (networks map[networkKey]Note, nics map[interfaceKey]Note) {
	networks, nics = map[networkKey]Note{}, map[interfaceKey]Note{}
	for e, err := range entries {
		if err != nil {
			break
		}
		network := keyOf(e.Conn, e.Network)
		last, begins, ends := resultOf(e), false, false
		switch translate.Op(e.Op) {
		case translate.OpStart, translate.OpPlugged, translate.OpPortCreated:
			begins = e.Cause != string(translate.CauseManual)
		case translate.OpStopped, translate.OpUnplugged, translate.OpPortDeleted:
			ends = e.Cause != string(translate.CauseManual)
		}
		amend := func(n Note) Note {
			if begins && e.Cause != string(translate.CauseRestart) {
				n = Note{Since: e.Time.Add(-time.Duration(e.Latency)), Last: n.Last}
			}
			if n.Last == nil || n.Last.Run != last.Run || !n.Last.Failed { // else another script of that call has failed
				n.Last = &last
			}
			return n
		}
		nic := interfaceKey{network, e.UUID, e.MAC}
		switch {
		case ends && e.MAC == "":
			delete(networks, network)
		case ends:
			delete(nics, nic)
		case e.MAC == "":
			networks[network] = amend(networks[network])
		default:
			nics[nic] = amend(nics[nic])
		}
	}
	return networks, nics
}

// fill puts what is recalled where nothing is known.
func fill(n *Note, recalled Note) *Note {
	filled := *n
	if filled.Since.IsZero() {
		filled.Since = recalled.Since
	}
	if filled.Last == nil {
		filled.Last = recalled.Last
	}
	return &filled
}
