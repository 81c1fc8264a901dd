package translate

import "strconv"

// WithConnections returns a network's document with the number of plugged interfaces set
// to n: the connections attribute of the root element, absent for n <= 0. libvirt prints
// it behind the namespace declarations and in front of all other attributes
// (virNetworkDefFormatBuf in network_conf.c, since 0.10.0). Every other byte stays, and
// a document whose root start tag cannot be read comes back as it is. In a status file
// it is the <network> inside that is edited.
func WithConnections(network string, n int) string {
	s := newScanner(network)
	var t token
	for {
		if !s.next(&t) {
			return network
		}
		if t.kind != startTag && t.kind != emptyTag {
			continue
		}
		if t.name == "network" {
			break
		}
		if t.depth > 1 && t.kind == startTag && s.open[0] == "networkstatus" {
			continue
		}
		if t.depth > 1 || t.name != "networkstatus" {
			return network
		}
	}
	var (
		value  span // what is between the quotes of the attribute that is there
		whole  span // it, with the white space in front
		insert = t.start + 1 + len(t.name)
		behind = insert // the end of the attribute before
	)
	eachAttribute(network, t, func(a attribute) {
		switch {
		case a.name == "connections" && value.start == 0:
			value = span{a.value, a.value + len(a.raw)}
			whole = span{behind, a.end}
		case a.name == "xmlns" || len(a.name) > 6 && a.name[:6] == "xmlns:":
			if insert == behind {
				insert = a.end
			}
		}
		behind = a.end
	})
	switch {
	case n <= 0 && value.start == 0:
		return network
	case n <= 0:
		return network[:whole.start] + network[whole.end:]
	case value.start == 0:
		return network[:insert] + " connections='" + strconv.Itoa(n) + "'" + network[insert:]
	case network[value.start:value.end] == strconv.Itoa(n):
		return network
	}
	return network[:value.start] + strconv.Itoa(n) + network[value.end:]
}
