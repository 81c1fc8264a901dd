package translate

import (
	"fmt"
	"strings"
)

// Bounds of what the scanner accepts. They exist so that a hostile document costs an
// error value and never memory or stack; no document that a libvirtd can send comes near
// them.
const (
	// MaxDocument is the size in bytes of the largest document that is read. libvirt's
	// own limit for one string on its wire is 4 MiB (REMOTE_STRING_MAX), and its largest
	// message 32 MiB.
	MaxDocument = 16 << 20
	// MaxDepth is the deepest nesting of elements that is read: libxml2's own limit
	// (xmlParserMaxDepth), so libvirt itself cannot have parsed anything deeper.
	MaxDepth = 256
	// MaxAttribute is the size in bytes of the largest attribute value that is read.
	MaxAttribute = 1 << 20
)

// SyntaxError says where a document stops being one that this package can read, and why.
type SyntaxError struct {
	Offset int // bytes from the start of the document
	Line   int // counted from 1
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Offset, e.Reason)
}

// tokenKind tells the pieces of a document apart.
type tokenKind uint8

const (
	startTag    tokenKind = iota // <a …>
	emptyTag                     // <a …/>
	endTag                       // </a>
	textRun                      // everything between two pieces of markup, references not resolved
	cdataRun                     // <![CDATA[…]]>
	commentRun                   // <!--…-->
	instruction                  // <?…?>
)

// token is one piece of a document: doc[start:end]. Tokens follow each other without gaps.
type token struct {
	kind       tokenKind
	start, end int
	name       string // of a tag, with its prefix as written; of an instruction its target
	depth      int    // of a tag: its element's, the root's being 1; of anything else: how many elements are open around it
}

// scanner cuts a document into tokens by position.
//
// It exists beside libvirtxml and encoding/xml for two reasons. What a hook script reads
// has to be the text that libvirt printed, so documents are cut and moved, never decoded
// and encoded again: a round trip through libvirtxml changes quotes, order and
// self-closing tags and drops what it does not know. And a host may run thousands of
// guests, whose documents are read at every reconcile: encoding/xml takes longer for one
// than libvirtd takes to send it, because it builds every name and value.
//
// It checks what it has to know for not being led astray (nesting, quotes, references,
// characters that XML forbids) but is no validating parser: it also lets some documents
// pass that are not well-formed, such as doubled attributes. It never expands an entity,
// refuses document type declarations, keeps no more memory than one entry for each open
// element, and never panics.
type scanner struct {
	doc     string
	end     int    // doc[:end] is free of bytes that XML forbids
	beyond  string // why end is not len(doc)
	pos     int
	open    []string // names of the open elements
	rooted  bool     // the root element has begun
	failure *SyntaxError
}

// newScanner prepares to read doc. What is wrong with doc shows when next gets there, so
// that everything in front of it can still be used.
func newScanner(doc string) scanner {
	s := scanner{doc: doc, end: len(doc)}
	if len(doc) > MaxDocument {
		s.end, s.beyond = 0, fmt.Sprintf("document of %d bytes, more than %d", len(doc), MaxDocument)
		return s
	}
	if at, why := firstForbidden(doc); why != "" {
		s.end, s.beyond = at, why
	}
	return s
}

// err returns what ended the scan early, nil when the document ended as it should.
func (s *scanner) err() error {
	if s.failure == nil {
		return nil
	}
	return s.failure
}

func (s *scanner) fail(at int, format string, args ...any) bool {
	s.pos = s.end
	s.failure = &SyntaxError{
		Offset: at,
		Line:   1 + strings.Count(s.doc[:at], "\n"),
		Reason: fmt.Sprintf(format, args...),
	}
	return false
}

// cutShort reports a construct that began at and has no end.
func (s *scanner) cutShort(at int, what string) bool {
	if s.beyond != "" {
		return s.fail(s.end, "%s", s.beyond)
	}
	return s.fail(at, "%s is cut short", what)
}

// next reads one token into t. It returns false at the end of the document and at the
// first error: see err.
func (s *scanner) next(t *token) bool {
	if s.failure != nil {
		return false
	}
	if s.pos >= s.end {
		switch {
		case s.beyond != "":
			return s.fail(s.end, "%s", s.beyond)
		case len(s.open) > 0:
			return s.fail(s.end, "document is cut short inside <%s>", printable(s.open[len(s.open)-1]))
		case !s.rooted:
			return s.fail(s.end, "no root element")
		}
		return false
	}
	if s.doc[s.pos] != '<' {
		return s.text(t)
	}
	if s.pos+1 < s.end {
		switch s.doc[s.pos+1] {
		case '/':
			return s.closing(t)
		case '!':
			return s.declaration(t)
		case '?':
			return s.instruction(t)
		}
	}
	return s.opening(t)
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

// misplaced reports a root element that is none of those that are expected.
func (s *scanner) misplaced(t token, want string) error {
	s.fail(t.start, "root element <%s> where <%s> is expected", printable(t.name), want)
	return s.err()
}
