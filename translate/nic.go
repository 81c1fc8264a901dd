package translate

import (
	"slices"
	"strings"
)

// nicsOf completes the interfaces of a live document with the network that each belongs
// to. inactive may be empty; see [DomainSeen]. known are the interfaces of the same run
// as they were announced.
//
// libvirt 1.2.2 to 1.2.10 show an interface as what it has become, without its network
// (commit 7d5bf4847; undone by a36091217 in 1.2.11). The order of what is believed: a
// status file, which is about the running guest; what was announced, as long as the
// interface looks the same; the inactive document, which may hold edits that are waiting
// for the next start, unless the network that it names cannot have led there.
func nicsOf(nics []Interface, inactive string, known []Interface, networks NetworkDocs) []Interface {
	if !slices.ContainsFunc(nics, hidesNetwork) {
		return nics
	}
	var configured []Interface
	if inactive != "" {
		configured, _ = Interfaces(inactive) // what can be read of it is all there is to know
	}
	announced := counterparts(nics, known)
	named := counterparts(nics, configured)
	for i := range nics {
		if !hidesNetwork(nics[i]) {
			continue
		}
		was, conf := announced[i], named[i]
		switch {
		case conf != nil && conf.ActualType != "":
			nics[i].Network, nics[i].Portgroup = conf.Network, conf.Portgroup
		case was != nil && hidden(*was) && was.looksLike(nics[i]):
			nics[i].Network, nics[i].Portgroup = was.Network, was.Portgroup
		case conf != nil && conf.Network != "" && nics[i].mayBeOf(conf.Network, networks):
			nics[i].Network, nics[i].Portgroup = conf.Network, conf.Portgroup
		}
	}
	return nics
}

// hidesNetwork tells whether the interface may belong to a network that its document
// does not name.
func hidesNetwork(nic Interface) bool {
	return nic.Network == "" && (nic.Type == "bridge" || nic.Type == "direct" || nic.Type == "hostdev")
}

// hidden tells whether the interface's own text leaves open which network it belongs to.
// Where it does not, a look without the name is news: an update to a plain bridge.
func hidden(nic Interface) bool {
	return nic.Network == "" || !strings.Contains(nic.Text, " network=")
}

// looksLike tells whether two documents show the same interface in the same place, apart
// from the network that one of them may hide.
func (nic Interface) looksLike(other Interface) bool {
	return nic.Type == other.Type && nic.MAC == other.MAC && nic.Alias == other.Alias &&
		nic.Bridge == other.Bridge && nic.Dev == other.Dev && nic.Mode == other.Mode
}

// mayBeOf tells whether a network can have given the interface its place, as far as the
// network's document shows.
func (nic Interface) mayBeOf(network string, networks NetworkDocs) bool {
	doc, inexact := networks(network)
	head, err := ParseNetwork(doc)
	if err != nil || inexact != "" {
		return true
	}
	switch nic.Type {
	case "bridge":
		return head.ForwardMode == "bridge" && (head.Bridge == "" || head.Bridge == nic.Bridge)
	case "direct":
		return slices.Contains([]string{"bridge", "private", "vepa", "passthrough"}, head.ForwardMode)
	default:
		return head.ForwardMode == "hostdev"
	}
}

// counterparts returns, for each of nics, which of others it is; nil where it is none.
func counterparts(nics, others []Interface) []*Interface {
	found := make([]*Interface, len(nics))
	for i, m := range match(nics, others, nil)[:len(nics)] {
		found[i] = m.now
	}
	return found
}

// pair is an interface of two documents; one side is nil where it is only in the other.
// The pointers point into the slices given to match.
type pair struct{ was, now *Interface }

// match finds out which interface of one document is which of the other: by MAC and
// network, then by MAC alone (a device update that moved it). Where both have an alias it
// must be the same: updates keep it, so another alias is another interface that took the
// first one's place. Two interfaces may share a MAC: each is used once, in document
// order. Pairs come in the order of was, then what is only in now.
//
// removed are aliases that have no counterpart. An interface of now with such an alias
// does not count, the document having been read too early, unless was has the alias with
// another MAC: then it is a new one that got a free alias.
func match(was, now []Interface, removed []string) []pair {
	var (
		pairs = make([]pair, len(was), len(was)+len(now))
		taken = make([]bool, len(now))
		gone  = make([]bool, len(was))
	)
	take := func(i int, same func(a, b *Interface) bool) (int, bool) {
		for j := range now {
			if !taken[j] && same(&was[i], &now[j]) {
				taken[j] = true
				return j, true
			}
		}
		return 0, false
	}
	var reused []string // removed aliases that now has with another MAC, if at all
	for i := range was {
		pairs[i].was = &was[i]
		if a := was[i].Alias; a != "" && slices.Contains(removed, a) {
			gone[i] = true
			if _, listed := take(i, sameDevice); !listed {
				reused = append(reused, a)
			}
		}
	}
	for j := range now {
		if a := now[j].Alias; a != "" && slices.Contains(removed, a) && !slices.Contains(reused, a) {
			taken[j] = true
		}
	}
	for _, same := range []func(a, b *Interface) bool{samePlace, sameAddress} {
		for i := range was {
			if pairs[i].now != nil || gone[i] {
				continue
			}
			if j, ok := take(i, same); ok {
				pairs[i].now = &now[j]
			}
		}
	}
	for j := range now {
		if !taken[j] {
			pairs = append(pairs, pair{now: &now[j]})
		}
	}
	return pairs
}

// sameDevice is for aliases that libvirt itself has named.
func sameDevice(a, b *Interface) bool {
	return a.Alias != "" && a.Alias == b.Alias && a.MAC == b.MAC
}

func samePlace(a, b *Interface) bool {
	return sameAddress(a, b) && a.Network == b.Network
}

func sameAddress(a, b *Interface) bool {
	return a.MAC == b.MAC && (a.Alias == "" || b.Alias == "" || a.Alias == b.Alias)
}

// withoutRemoved keeps the interfaces that take part in a pair: what libvirt has reported
// as removed is not remembered as plugged.
func withoutRemoved(nics []Interface, pairs []pair) []Interface {
	kept := make([]Interface, 0, len(nics))
	for i := range nics {
		if slices.ContainsFunc(pairs, func(m pair) bool { return m.now == &nics[i] }) {
			kept = append(kept, nics[i])
		}
	}
	return kept
}
