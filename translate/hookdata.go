package translate

import (
	"errors"
	"fmt"
	"strings"
)

// Payload names a form of the document on the script's stdin.
type Payload string

// The forms of the document for plugged and unplugged. They are the same for all other
// operations.
const (
	// Payload123 is what libvirt 1.2.3 to 5.4 send: interface, network, domain, each
	// indented by two.
	Payload123 Payload = "1.2.3"
	// Payload122 is what libvirt 1.2.2 and the backports in RHEL 6.6 send: the interface
	// is indented by six, by mistake (put right in libvirt's commit ca6dc7b58).
	Payload122 Payload = "1.2.2"
	// PayloadSeed is the form in which the hook was first proposed, without the
	// interface (libvirt's commit f1ab06e43; no release had it).
	PayloadSeed Payload = "seed"
)

// Payloads returns all forms, the default first.
func Payloads() []Payload { return []Payload{Payload123, Payload122, PayloadSeed} }

// interfaceIndent is the number of columns in front of <interface>.
func (p Payload) interfaceIndent() int {
	if p == Payload122 {
		return 6
	}
	return 2
}

// Parts are the children of <hookData>, as libvirt printed them. Absent ones are empty.
type Parts struct {
	Interface   Interface // its Text and Indent
	Network     string
	Domain      string
	NetworkPort string

	// Moved, unless nil, is where the domain is taken from and left for the next document.
	Moved *Moved
}

// Moved is a domain's document as it stands in a <hookData>, for others that it stands in,
// too: a guest with several interfaces has a call about each. The zero value is none.
type Moved struct {
	of   string
	text []byte
}

// HookData writes the document for the script's stdin: <hookData> with the parts that
// are there, in the order interface, network, domain, network port. There is no XML
// declaration in front and no line break behind. The parts are libvirt's texts, byte for
// byte, except for the white space where libvirt's formatter begins a line, and without
// what only its files have: an XML declaration, and the warning not to edit.
//
// The error says which parts could not be read (each is a *[SyntaxError] inside). Such a
// part is in the document as it is, only its first line being indented: the bytes are
// complete with and without an error.
func HookData(p Payload, parts Parts) ([]byte, error) {
	const frame = "<hookData>\n</hookData>"
	var (
		errs []error
		size = len(parts.Interface.Text) + len(parts.Network) + len(parts.Domain) + len(parts.NetworkPort)
		out  = make([]byte, 0, len(frame)+size+size/8)
	)
	add := func(kind, doc string, from, to int) (read bool) {
		if blank(doc) {
			return false
		}
		var err error
		if out, err = appendMoved(out, doc, from, to); err != nil {
			errs = append(errs, fmt.Errorf("%s document: %w", kind, err))
			out = appendUnread(out, doc, to)
		}
		return err == nil
	}
	out = append(out, "<hookData>\n"...)
	if p != PayloadSeed {
		add("interface", parts.Interface.Text, parts.Interface.Indent, p.interfaceIndent())
	}
	add("network", parts.Network, -1, 2)
	if m := parts.Moved; m != nil && m.text != nil && m.of == parts.Domain {
		out = append(out, m.text...)
	} else if begin := len(out); add("domain", parts.Domain, -1, 2) && m != nil {
		*m = Moved{parts.Domain, out[begin:len(out):len(out)]}
	}
	add("network port", parts.NetworkPort, -1, 2)
	out = append(out, "</hookData>"...)
	return out, errors.Join(errs...)
}

// appendUnread appends a document whose line starts are not known, so that what can be
// known from it is not withheld.
func appendUnread(dst []byte, doc string, to int) []byte {
	if hasDeclaration(doc) {
		if n := strings.Index(doc, "?>"); n >= 0 {
			doc = doc[n+2:]
		}
	}
	dst = appendBlanks(dst, to)
	dst = append(dst, strings.TrimLeft(doc, " \t\r\n")...)
	if dst[len(dst)-1] != '\n' {
		dst = append(dst, '\n')
	}
	return dst
}

// Unwrap returns the <domain> or <network> that is inside one of libvirt's files, with
// the layout of a document of its API: without XML declaration, without the warning not
// to edit, without <domstatus> or <networkstatus> around it. Of a document that cannot
// be read to its end it returns the text unchanged, and the error.
//
// A status file shows more than a public document: <actual> in interfaces, and passwords
// of graphics devices.
func Unwrap(doc string) (string, error) {
	var (
		s     = newScanner(doc)
		t     token
		inner span
		from  int
	)
	for s.next(&t) {
		switch {
		case t.kind != startTag && t.kind != emptyTag && t.kind != endTag:
		case t.depth == 1 && t.kind != endTag && (t.name == "domain" || t.name == "network"):
			inner = span{0, len(doc)}
			from = -1
		case t.depth == 2 && (t.name == "domain" || t.name == "network") && inner.end == 0:
			if t.kind != endTag {
				inner.start = t.start
				from = indentation(doc, t.start)
			}
			if t.kind != startTag {
				inner.end = t.end
			}
		}
	}
	if err := s.err(); err != nil {
		return doc, err
	}
	if inner.end == 0 {
		return doc, &SyntaxError{Line: 1, Reason: "neither a <domain> nor a <network> in the document"}
	}
	moved, err := appendMoved(nil, doc[inner.start:inner.end], from, 0)
	if err != nil {
		return doc, err
	}
	return string(moved), nil
}
