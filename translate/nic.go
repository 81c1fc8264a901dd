package translate

import "slices"

// nicsOf returns the interfaces of a live document with the network that each
// belongs to. inactive may be empty; see [DomainSeen].
func nicsOf(live, inactive string) ([]Interface, error) {
	nics, err := Interfaces(live)
	if inactive == "" {
		return nics, err
	}
	hidden := func(nic Interface) bool {
		return nic.Network == "" && (nic.Type == "bridge" || nic.Type == "direct" || nic.Type == "hostdev")
	}
	if !slices.ContainsFunc(nics, hidden) {
		return nics, err
	}
	configured, _ := Interfaces(inactive)
	for _, m := range match(nics, configured, nil) {
		if m.was != nil && m.now != nil && hidden(*m.was) {
			m.was.Network, m.was.Portgroup = m.now.Network, m.now.Portgroup
		}
	}
	return nics, err
}

// pair is an interface of two documents; one side is nil where it is only in
// the other. The pointers point into the slices given to match.
type pair struct{ was, now *Interface }

// match finds out which interface of one document is which of the other: first
// by device alias and MAC, then by MAC and network, then by MAC alone (a device
// update that moved it; a document without aliases). Two interfaces may share a
// MAC: each is used once, in document order. removed are aliases in now that do
// not count. Pairs come in the order of was, then what is only in now.
func match(was, now []Interface, removed []string) []pair {
	pairs := make([]pair, len(was))
	taken := make([]bool, len(now))
	gone := make([]bool, len(was))
	for i := range was {
		pairs[i].was = &was[i]
		if a := was[i].Alias; a != "" && slices.Contains(removed, a) {
			gone[i] = true
		}
	}
	for j := range now {
		if a := now[j].Alias; a != "" && slices.Contains(removed, a) {
			taken[j] = true
		}
	}
	same := []func(a, b *Interface) bool{
		func(a, b *Interface) bool { return a.Alias != "" && a.Alias == b.Alias && a.MAC == b.MAC },
		func(a, b *Interface) bool { return a.MAC == b.MAC && a.Network == b.Network },
		func(a, b *Interface) bool { return a.MAC == b.MAC },
	}
	for _, eq := range same {
		for i := range was {
			if pairs[i].now != nil || gone[i] {
				continue
			}
			for j := range now {
				if !taken[j] && eq(&was[i], &now[j]) {
					pairs[i].now, taken[j] = &now[j], true
					break
				}
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

// withoutRemoved keeps the interfaces that take part in a pair: what libvirt
// has reported as removed is not remembered as plugged.
func withoutRemoved(nics []Interface, pairs []pair) []Interface {
	kept := make([]Interface, 0, len(nics))
	for i := range nics {
		if slices.ContainsFunc(pairs, func(m pair) bool { return m.now == &nics[i] }) {
			kept = append(kept, nics[i])
		}
	}
	return kept
}
