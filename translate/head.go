package translate

// DomainHead is what names a domain.
type DomainHead struct {
	Name string
	UUID string
	Type string // qemu, kvm, lxc, …
	ID   int    // -1 when the document is that of a domain that does not run, or of one that is just being started or stopped
}

// ParseDomain reads what names a domain from its document, or from a status file of
// libvirt's. What could be read is returned beside an error. The document is read only
// as far as name and UUID take.
func ParseDomain(domain string) (DomainHead, error) {
	r := domainReader{scanner: newScanner(domain), wantHead: true}
	err := r.read()
	return r.head, err
}

// NetworkHead is what names a network and says what kind it is.
type NetworkHead struct {
	Name           string
	UUID           string
	ForwardMode    string // nat, route, open, bridge, private, vepa, passthrough, hostdev; empty for an isolated network
	Bridge         string // the device on the host, empty for networks without one
	Connections    int    // how many interfaces are plugged in, as libvirt counts them
	HasConnections bool   // Connections is given: libvirt prints it only where it is not 0, and knows it from 0.10.0 on
}

// ParseNetwork reads what names a network from its document, or from a status file of
// libvirt's. What could be read is returned beside an error.
func ParseNetwork(network string) (NetworkHead, error) {
	var (
		head  NetworkHead
		s     = newScanner(network)
		t     token
		depth int // of <network>, 0 in front of it
	)
	for s.next(&t) {
		if t.kind != startTag && t.kind != emptyTag {
			continue
		}
		if depth == 0 {
			switch {
			case t.name == "network" && (t.depth == 1 || t.depth == 2):
				depth = t.depth
				head.Connections, head.HasConnections = natural(attributeValue(network, t, "connections"))
			case t.depth == 1 && t.name != "networkstatus":
				return head, s.misplaced(t, "network")
			}
			continue
		}
		if t.depth != depth+1 {
			continue
		}
		switch t.name {
		case "name":
			if head.Name == "" && t.kind == startTag {
				head.Name = s.content()
			}
		case "uuid":
			if head.UUID == "" && t.kind == startTag {
				head.UUID = s.content()
			}
		case "forward":
			// libvirt reads <forward/> as nat (virNetworkForwardDefParseXML).
			if head.ForwardMode = attributeValue(network, t, "mode"); head.ForwardMode == "" {
				head.ForwardMode = "nat"
			}
		case "bridge":
			head.Bridge = attributeValue(network, t, "name")
		}
	}
	if err := s.err(); err != nil {
		return head, err
	}
	if depth == 0 {
		return head, &SyntaxError{Line: 1, Reason: "no <network> in the document"}
	}
	return head, nil
}

// natural reads a decimal number as libvirt prints ids and counts.
func natural(s string) (n int, ok bool) {
	const most = 1 << 31
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || n > most/10 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}
