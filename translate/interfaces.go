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
