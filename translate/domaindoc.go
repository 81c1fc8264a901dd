package translate

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

	depth    int       // of <domain>; 0 in front of it
	nic      Interface // that is being read
	nicStart int
	inActual bool
}

// domainPlace is where in a domain's document a reader is.
type domainPlace int

const (
	outsideDomain domainPlace = iota // in front of <domain>
	inDomain
	inDevices
	inInterface
	behindDomain // what follows in a status file is libvirt's own
)

// read reads as far as is wanted. The error is a *[SyntaxError].
func (r *domainReader) read() error {
	r.head.ID = -1
	var t token
	place := outsideDomain
	for r.next(&t) {
		switch place {
		case outsideDomain:
			if place = r.begin(&t); place == behindDomain {
				return r.misplaced(t, "domain")
			}
		case inDomain:
			if place = r.child(&t); r.wantHead && !r.wantInterfaces && r.head.Name != "" && r.head.UUID != "" {
				return nil
			}
		case inDevices:
			place = r.device(&t)
		case inInterface:
			place = r.interfacePart(&t)
		}
	}
	if err := r.err(); err != nil {
		return err
	}
	if r.depth == 0 {
		return &SyntaxError{Line: 1, Reason: "no <domain> in the document"}
	}
	return nil
}

// begin looks for <domain>, the root or, in a status file, its child. With another root
// it is behind the domain at once.
func (r *domainReader) begin(t *token) domainPlace {
	switch {
	case t.kind != startTag && t.kind != emptyTag:
	case t.name == "domain" && (t.depth == 1 || t.depth == 2):
		r.depth = t.depth
		r.head.Type = attributeValue(r.doc, *t, "type")
		if id, ok := natural(attributeValue(r.doc, *t, "id")); ok {
			r.head.ID = id
		}
		return inDomain
	case t.depth == 1 && t.name != "domstatus":
		return behindDomain
	}
	return outsideDomain
}

// child reads what stands directly in <domain>.
func (r *domainReader) child(t *token) domainPlace {
	switch {
	case t.kind == endTag && t.depth == r.depth:
		return behindDomain
	case t.depth != r.depth+1 || t.kind != startTag:
	case t.name == "devices" && r.wantInterfaces:
		return inDevices
	case t.name == "name" && r.wantHead && r.head.Name == "":
		r.head.Name = r.content()
	case t.name == "uuid" && r.wantHead && r.head.UUID == "":
		r.head.UUID = r.content()
	}
	return inDomain
}

// device looks for interfaces in <devices>.
func (r *domainReader) device(t *token) domainPlace {
	switch {
	case t.kind == endTag && t.depth == r.depth+1:
		return inDomain
	case t.depth != r.depth+2 || t.name != "interface" || t.kind == endTag:
		return inDevices
	}
	r.nic = Interface{Type: attributeValue(r.doc, *t, "type"), Indent: indentation(r.doc, t.start)}
	r.nicStart, r.inActual = t.start, false
	if t.kind == emptyTag {
		return r.endInterface(t)
	}
	return inInterface
}

// interfacePart reads what stands in <interface>, <actual> included.
func (r *domainReader) interfacePart(t *token) domainPlace {
	switch {
	case t.kind == endTag && t.depth == r.depth+2:
		return r.endInterface(t)
	case t.name == "actual" && t.depth == r.depth+3:
		r.inActual = t.kind == startTag
		if t.kind != endTag {
			r.nic.ActualType = attributeValue(r.doc, *t, "type")
		}
	case t.kind != startTag && t.kind != emptyTag:
	case t.depth == r.depth+3:
		r.nic.child(r.doc, *t)
	case r.inActual && t.depth == r.depth+4 && t.name == "source":
		r.nic.ActualBridge = attributeValue(r.doc, *t, "bridge")
		r.nic.ActualDev = attributeValue(r.doc, *t, "dev")
		r.nic.ActualMode = attributeValue(r.doc, *t, "mode")
	}
	return inInterface
}

// endInterface takes an interface whose element ends with this tag.
func (r *domainReader) endInterface(t *token) domainPlace {
	r.nic.Text = r.doc[r.nicStart:t.end]
	r.interfaces = append(r.interfaces, r.nic)
	return inDevices
}
