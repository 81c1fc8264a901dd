package translate

import "strings"

// sameDefinition tells whether two documents of a network say the same apart from how
// many interfaces are plugged in. That number is in two places: on the root element, and
// on each device of a forward pool (libvirt's commit 92a830408, 0.10.0); both change
// whenever a guest comes or goes, without virNetworkUpdate.
func sameDefinition(a, b string) bool {
	return a == b || withoutCounts(a) == withoutCounts(b)
}

// withoutCounts takes the connections attributes away. A document that cannot be read to
// its end comes back as it is.
func withoutCounts(network string) string {
	var (
		s   = newScanner(network)
		t   token
		out strings.Builder
		pos int
	)
	for s.next(&t) {
		if t.kind != startTag && t.kind != emptyTag {
			continue
		}
		inForward := t.depth > 1 && s.open[t.depth-2] == "forward"
		if t.name != "network" && (t.name != "interface" || !inForward) {
			continue
		}
		behind := t.start + 1 + len(t.name)
		eachAttribute(network, t, func(a attribute) {
			if a.name == "connections" {
				out.WriteString(network[pos:behind])
				pos = a.end
			}
			behind = a.end
		})
	}
	if s.err() != nil {
		return network
	}
	out.WriteString(network[pos:])
	return out.String()
}
