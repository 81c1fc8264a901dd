package translate

// Interface is one network interface of a domain as its document shows it. The zero
// value stands for none.
type Interface struct {
	// Text is the <interface> element verbatim: from "<interface" to the '>' that ends it.
	Text string
	// Indent is the number of bytes of white space in front of the element on its line
	// in the document; libvirt puts four there.
	Indent int

	// The fields below are attribute values with references resolved; empty where the
	// element does not have them.

	Type      string // of <interface>: network, bridge, direct, hostdev, user, …
	MAC       string // of <mac>
	Network   string // of <source>, whatever Type says: libvirt ≥ 1.2.11 names it for type bridge too
	Bridge    string // of <source>
	Portgroup string // of <source>
	PortID    string // of <source>, libvirt ≥ 5.5: the UUID of the network port
	Dev       string // of <source>, type direct: the host's device
	Mode      string // of <source>, type direct: bridge, private, vepa or passthrough
	Target    string // of <target>: the device on the host, vnet0, macvtap0, …
	Alias     string // of <alias>: net0, or hostdev0 for a passed-through device

	// Of <actual>, which only libvirt's status files have: what the interface became
	// when its network gave it a place. Public documents of libvirt ≥ 1.2.2 show this in
	// Type and <source>.

	ActualType   string `json:",omitempty"`
	ActualBridge string `json:",omitempty"`
	ActualDev    string `json:",omitempty"`
	ActualMode   string `json:",omitempty"`
}

// Interfaces cuts the interfaces out of a domain's document: the direct children of
// <devices>, in document order. It reads the documents of libvirt's API and its status
// files, which wrap the domain in <domstatus>.
//
// Of a document that cannot be read to its end it returns the interfaces that were
// complete before the error (a *[SyntaxError]).
func Interfaces(domain string) ([]Interface, error) {
	r := domainReader{scanner: newScanner(domain), wantInterfaces: true}
	err := r.read()
	return r.interfaces, err
}

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

// domainText is a document that has been read.
type domainText struct {
	text       string
	head       DomainHead
	headErr    error
	interfaces []Interface
	err        error
}

// document reads the live document, once for all that is to be known of it.
func (seen *DomainSeen) document() *domainText {
	if seen.read == nil || seen.read.text != seen.Live {
		r := domainReader{scanner: newScanner(seen.Live), wantHead: true, wantInterfaces: true}
		err := r.read()
		seen.read = &domainText{text: seen.Live, head: r.head, headErr: err, interfaces: r.interfaces, err: err}
		if r.head.Name != "" && r.head.UUID != "" {
			seen.read.headErr = nil
		}
	}
	return seen.read
}

// Head is [ParseDomain] of the live document.
func (seen *DomainSeen) Head() (DomainHead, error) {
	d := seen.document()
	return d.head, d.headErr
}

// Interfaces is [Interfaces] of the live document. They are not to be changed.
func (seen *DomainSeen) Interfaces() ([]Interface, error) {
	d := seen.document()
	return d.interfaces, d.err
}

// domainReader walks over a domain's document.
type domainReader struct {
	scanner
	wantHead       bool // stop when name and UUID are known
	wantInterfaces bool

	head       DomainHead
	interfaces []Interface
}

func (r *domainReader) read() error {
	r.head.ID = -1
	const (
		outside = iota // in front of <domain>
		inDomain
		inDevices
		inInterface
		behind
	)
	var (
		place    = outside
		depth    int // of <domain>
		t        token
		nic      Interface
		nicStart int
		inActual bool
		named    bool
	)
	for r.next(&t) {
		switch place {
		case outside:
			if t.kind != startTag && t.kind != emptyTag {
				break
			}
			switch {
			case t.name == "domain" && (t.depth == 1 || t.depth == 2):
				place, depth, named = inDomain, t.depth, true
				r.head.Type = attributeValue(r.doc, t, "type")
				if id, ok := natural(attributeValue(r.doc, t, "id")); ok {
					r.head.ID = id
				}
			case t.depth == 1 && t.name != "domstatus":
				return r.misplaced(t, "domain")
			}
		case inDomain:
			if t.kind == endTag && t.depth == depth {
				place = behind // what follows in a status file is libvirt's own
				break
			}
			if t.depth != depth+1 || t.kind != startTag {
				break
			}
			switch t.name {
			case "devices":
				if r.wantInterfaces {
					place = inDevices
				}
			case "name":
				if r.wantHead && r.head.Name == "" {
					r.head.Name = r.content()
				}
			case "uuid":
				if r.wantHead && r.head.UUID == "" {
					r.head.UUID = r.content()
				}
			}
			if r.wantHead && !r.wantInterfaces && r.head.Name != "" && r.head.UUID != "" {
				return nil
			}
		case inDevices:
			switch {
			case t.kind == endTag && t.depth == depth+1:
				place = inDomain
			case t.depth != depth+2 || t.name != "interface" || t.kind == endTag:
			default:
				nic = Interface{Type: attributeValue(r.doc, t, "type")}
				nicStart = t.start
				nic.Indent = indentation(r.doc, t.start)
				if t.kind == emptyTag {
					nic.Text = r.doc[t.start:t.end]
					r.interfaces = append(r.interfaces, nic)
					break
				}
				place, inActual = inInterface, false
			}
		case inInterface:
			switch {
			case t.kind == endTag && t.depth == depth+2:
				nic.Text = r.doc[nicStart:t.end]
				r.interfaces = append(r.interfaces, nic)
				place = inDevices
			case t.name == "actual" && t.depth == depth+3:
				inActual = t.kind == startTag
				if t.kind != endTag {
					nic.ActualType = attributeValue(r.doc, t, "type")
				}
			case t.kind != startTag && t.kind != emptyTag:
			case t.depth == depth+3:
				nic.child(r.doc, t)
			case inActual && t.depth == depth+4 && t.name == "source":
				nic.ActualBridge = attributeValue(r.doc, t, "bridge")
				nic.ActualDev = attributeValue(r.doc, t, "dev")
				nic.ActualMode = attributeValue(r.doc, t, "mode")
			}
		}
	}
	if err := r.err(); err != nil {
		return err
	}
	if !named {
		return &SyntaxError{Line: 1, Reason: "no <domain> in the document"}
	}
	return nil
}

// child reads a direct child of <interface>.
func (nic *Interface) child(doc string, t token) {
	switch t.name {
	case "mac":
		nic.MAC = attributeValue(doc, t, "address")
	case "target":
		nic.Target = attributeValue(doc, t, "dev")
	case "alias":
		nic.Alias = attributeValue(doc, t, "name")
	case "source":
		eachAttribute(doc, t, func(a attribute) {
			switch a.name {
			case "network":
				nic.Network = unescape(a.raw)
			case "bridge":
				nic.Bridge = unescape(a.raw)
			case "portgroup":
				nic.Portgroup = unescape(a.raw)
			case "portid":
				nic.PortID = unescape(a.raw)
			case "dev":
				nic.Dev = unescape(a.raw)
			case "mode":
				nic.Mode = unescape(a.raw)
			}
		})
	}
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

func (s *scanner) misplaced(t token, want string) error {
	s.fail(t.start, "root element <%s> where <%s> is expected", printable(t.name), want)
	return s.err()
}

// content reads the text of the element whose start tag was the last token, up to the
// next tag, and leaves that to be read next.
func (s *scanner) content() string {
	var (
		t    token
		text string
	)
	for {
		before := *s
		if !s.next(&t) {
			return text
		}
		switch t.kind {
		case textRun:
			text += unescape(s.doc[t.start:t.end])
		case cdataRun:
			text += s.doc[t.start+len("<![CDATA[") : t.end-len("]]>")]
		case startTag, emptyTag, endTag:
			*s = before
			return text
		}
	}
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

// indentation counts the blanks and tabs between the start of a line and at; 0 when
// something else stands there.
func indentation(doc string, at int) int {
	i := at
	for i > 0 && (doc[i-1] == ' ' || doc[i-1] == '\t') {
		i--
	}
	if i > 0 && doc[i-1] != '\n' {
		return 0
	}
	return at - i
}
