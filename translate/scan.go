package translate

import (
	"fmt"
	"strings"
	"unicode/utf8"
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

// firstForbidden finds the first byte that may not be in an XML 1.0 document encoded in
// UTF-8.
func firstForbidden(doc string) (at int, why string) {
	for i := 0; i < len(doc); {
		if len(doc)-i >= 8 && plainEight(doc[i:i+8]) {
			i += 8
			continue
		}
		c := doc[i]
		if c >= 0x20 && c < utf8.RuneSelf || c == '\n' {
			i++
			continue
		}
		if c < 0x20 {
			switch c {
			case '\t', '\r':
				i++
				continue
			case 0:
				return i, "NUL byte"
			}
			return i, fmt.Sprintf("control character 0x%02x", c)
		}
		r, size := utf8.DecodeRuneInString(doc[i:])
		if r == utf8.RuneError && size == 1 {
			return i, "invalid UTF-8"
		}
		if r == 0xfffe || r == 0xffff {
			return i, fmt.Sprintf("character U+%04X", r)
		}
		i += size
	}
	return 0, ""
}

// plainEight tells whether eight bytes are all from 0x20 to 0x7f, as most of a document
// is. Looking at them one by one would be a quarter of the time that reading takes. It
// may say no for bytes that are, never yes for bytes that are not.
func plainEight(s string) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	return (w|(w-0x20*each))&top == 0
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

func (s *scanner) text(t *token) bool {
	start := s.pos
	end := s.end
	if n := strings.IndexByte(s.doc[start:s.end], '<'); n >= 0 {
		end = start + n
	}
	run := s.doc[start:end]
	if !blank(run) {
		if len(s.open) == 0 {
			return s.fail(start, "text outside the root element")
		}
		if n := strings.Index(run, "]]>"); n >= 0 {
			return s.fail(start+n, "]]> in text")
		}
		if at, why := badReference(run); why != "" {
			if end == s.end && s.beyond != "" {
				return s.fail(s.end, "%s", s.beyond)
			}
			return s.fail(start+at, "%s", why)
		}
	}
	*t = token{kind: textRun, start: start, end: end, depth: len(s.open)}
	s.pos = end
	return true
}

func (s *scanner) opening(t *token) bool {
	start := s.pos
	i := start + 1
	for i < s.end && nameByte[s.doc[i]] {
		i++
	}
	if i == s.end {
		return s.cutShort(start, "a tag")
	}
	name := s.doc[start+1 : i]
	if !isName(name) {
		return s.fail(start, "< that begins no tag")
	}
	kind := startTag
	for {
		spaced := i
		i = s.skipSpace(i)
		if i == s.end {
			return s.cutShort(start, "<"+printable(name)+">")
		}
		if s.doc[i] == '>' {
			i++
			break
		}
		if s.doc[i] == '/' {
			if i+1 == s.end {
				return s.cutShort(start, "<"+printable(name)+">")
			}
			if s.doc[i+1] != '>' {
				return s.fail(i, "/ in the middle of <%s>", printable(name))
			}
			kind = emptyTag
			i += 2
			break
		}
		if spaced == i {
			return s.fail(i, "no space in front of an attribute of <%s>", printable(name))
		}
		a, why := scanAttribute(s.doc[:s.end], i)
		if why == truncated {
			return s.cutShort(i, "an attribute of <"+printable(name)+">")
		}
		if why != "" {
			return s.fail(i, "%s", why)
		}
		i = a.end
	}
	depth := len(s.open) + 1
	if depth == 1 {
		if s.rooted {
			return s.fail(start, "a second root element <%s>", printable(name))
		}
		s.rooted = true
	}
	if depth > MaxDepth {
		return s.fail(start, "elements nested deeper than %d", MaxDepth)
	}
	if kind == startTag {
		s.open = append(s.open, name)
	}
	*t = token{kind: kind, start: start, end: i, name: name, depth: depth}
	s.pos = i
	return true
}

func (s *scanner) closing(t *token) bool {
	start := s.pos
	i := start + 2
	for i < s.end && nameByte[s.doc[i]] {
		i++
	}
	name := s.doc[start+2 : i]
	i = s.skipSpace(i)
	if i == s.end {
		return s.cutShort(start, "an end tag")
	}
	if s.doc[i] != '>' || name == "" {
		return s.fail(start, "malformed end tag")
	}
	depth := len(s.open)
	if depth == 0 {
		return s.fail(start, "</%s> closes nothing", printable(name))
	}
	if s.open[depth-1] != name {
		return s.fail(start, "</%s> closes <%s>", printable(name), printable(s.open[depth-1]))
	}
	s.open = s.open[:depth-1]
	*t = token{kind: endTag, start: start, end: i + 1, name: name, depth: depth}
	s.pos = i + 1
	return true
}

func (s *scanner) declaration(t *token) bool {
	start := s.pos
	rest := s.doc[start:s.end]
	switch {
	case strings.HasPrefix(rest, "<!--"):
		n := strings.Index(rest[4:], "--")
		if n < 0 || 4+n+2 == len(rest) {
			return s.cutShort(start, "a comment")
		}
		if rest[4+n+2] != '>' {
			return s.fail(start+4+n, "-- inside a comment")
		}
		*t = token{kind: commentRun, start: start, end: start + 4 + n + 3, depth: len(s.open)}
	case strings.HasPrefix(rest, "<![CDATA["):
		if len(s.open) == 0 {
			return s.fail(start, "CDATA outside the root element")
		}
		n := strings.Index(rest[9:], "]]>")
		if n < 0 {
			return s.cutShort(start, "a CDATA section")
		}
		*t = token{kind: cdataRun, start: start, end: start + 9 + n + 3, depth: len(s.open)}
	case strings.HasPrefix("<!--", rest), strings.HasPrefix("<![CDATA[", rest):
		return s.cutShort(start, "markup")
	case strings.HasPrefix(rest, "<!DOCTYPE"):
		// libvirt prints none; whoever sends one wants entities expanded.
		return s.fail(start, "document type declaration")
	default:
		return s.fail(start, "<! that begins neither a comment nor CDATA")
	}
	s.pos = t.end
	return true
}

func (s *scanner) instruction(t *token) bool {
	start := s.pos
	n := strings.Index(s.doc[start+2:s.end], "?>")
	if n < 0 {
		return s.cutShort(start, "a processing instruction")
	}
	end := start + 2 + n + 2
	i := start + 2
	for i < end && nameByte[s.doc[i]] {
		i++
	}
	name := s.doc[start+2 : i]
	if !isName(name) {
		return s.fail(start, "processing instruction without a name")
	}
	if strings.EqualFold(name, "xml") && start != 0 {
		return s.fail(start, "XML declaration inside the document")
	}
	*t = token{kind: instruction, start: start, end: end, name: name, depth: len(s.open)}
	s.pos = end
	return true
}

func (s *scanner) skipSpace(i int) int {
	for i < s.end && isSpace(s.doc[i]) {
		i++
	}
	return i
}

// attribute is one attribute of a tag: doc[start:end] from its name to its closing quote.
type attribute struct {
	name       string // with its prefix, as written
	raw        string // the value between the quotes, references not resolved
	start, end int
	value      int // where raw begins
}

const truncated = "truncated"

// scanAttribute reads the attribute whose name begins at pos. why is empty when there is
// one, truncated when doc ends inside it.
func scanAttribute(doc string, pos int) (a attribute, why string) {
	i := pos
	for i < len(doc) && nameByte[doc[i]] {
		i++
	}
	name := doc[pos:i]
	for i < len(doc) && isSpace(doc[i]) {
		i++
	}
	if i == len(doc) {
		return a, truncated
	}
	if !isName(name) {
		return a, "expected an attribute"
	}
	if doc[i] != '=' {
		return a, "attribute " + printable(name) + " has no value"
	}
	i++
	for i < len(doc) && isSpace(doc[i]) {
		i++
	}
	if i == len(doc) {
		return a, truncated
	}
	quote := doc[i]
	if quote != '\'' && quote != '"' {
		return a, "value of attribute " + printable(name) + " without quotes"
	}
	i++
	n := strings.IndexByte(doc[i:], quote)
	if n > MaxAttribute || n < 0 && len(doc)-i > MaxAttribute {
		return a, fmt.Sprintf("value of attribute %s longer than %d bytes", printable(name), MaxAttribute)
	}
	if n < 0 {
		return a, truncated
	}
	raw := doc[i : i+n]
	if strings.IndexByte(raw, '<') >= 0 {
		return a, "< in the value of attribute " + printable(name)
	}
	if _, why := badReference(raw); why != "" {
		return a, why
	}
	return attribute{name: name, raw: raw, start: pos, end: i + n + 1, value: i}, ""
}

// nextAttribute finds the attribute that follows pos in a start or empty tag which the
// scanner has accepted and which ends at end.
func nextAttribute(doc string, pos, end int) (a attribute, ok bool) {
	for pos < end && isSpace(doc[pos]) {
		pos++
	}
	if pos >= end || !nameByte[doc[pos]] {
		return a, false
	}
	a, why := scanAttribute(doc[:end], pos)
	return a, why == ""
}

// eachAttribute calls f for every attribute of tag t.
func eachAttribute(doc string, t token, f func(attribute)) {
	pos := t.start + 1 + len(t.name)
	for {
		a, ok := nextAttribute(doc, pos, t.end)
		if !ok {
			return
		}
		f(a)
		pos = a.end
	}
}

// attributeValue returns the value of one attribute of tag t, references resolved, empty
// when t has none of that name.
func attributeValue(doc string, t token, name string) string {
	pos := t.start + 1 + len(t.name)
	for {
		a, ok := nextAttribute(doc, pos, t.end)
		if !ok {
			return ""
		}
		if a.name == name {
			return unescape(a.raw)
		}
		pos = a.end
	}
}

// badReference finds the first & in raw that begins neither one of the five predefined
// entities nor a reference to a character that XML allows. Any other entity would need a
// document type declaration.
func badReference(raw string) (at int, why string) {
	for at = strings.IndexByte(raw, '&'); at >= 0; {
		r, size := reference(raw[at:])
		if size == 0 || r < 0 {
			return at, "& that begins no known reference"
		}
		next := strings.IndexByte(raw[at+size:], '&')
		if next < 0 {
			break
		}
		at += size + next
	}
	return 0, ""
}

// unescape resolves references. Anything that is none stays as it is.
func unescape(raw string) string {
	at := strings.IndexByte(raw, '&')
	if at < 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for at >= 0 {
		b.WriteString(raw[:at])
		r, size := reference(raw[at:])
		if size == 0 || r < 0 {
			b.WriteByte('&')
			size = 1
		} else {
			b.WriteRune(r)
		}
		raw = raw[at+size:]
		at = strings.IndexByte(raw, '&')
	}
	b.WriteString(raw)
	return b.String()
}

// reference reads the reference at the start of s, which begins with &: the character it
// stands for and its length in bytes. The character is -1 when XML forbids it, the
// length 0 when there is no reference.
func reference(s string) (r rune, size int) {
	const longest = 12 // &#x0010ffff; and a little room
	end := strings.IndexByte(s[:min(len(s), longest)], ';')
	if end < 0 {
		return -1, 0
	}
	switch name := s[1:end]; name {
	case "lt":
		r = '<'
	case "gt":
		r = '>'
	case "amp":
		r = '&'
	case "apos":
		r = '\''
	case "quot":
		r = '"'
	default:
		if len(name) < 2 || name[0] != '#' {
			return -1, 0
		}
		base, digits := rune(10), name[1:]
		if digits[0] == 'x' {
			base, digits = 16, digits[1:]
		}
		if digits == "" {
			return -1, 0
		}
		for _, c := range []byte(digits) {
			d := digitValue(c)
			if d < 0 || d >= base {
				return -1, 0
			}
			r = r*base + d
			if r > utf8.MaxRune {
				return -1, end + 1
			}
		}
		if !allowed(r) {
			return -1, end + 1
		}
	}
	return r, end + 1
}

func digitValue(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// allowed tells whether XML 1.0 allows the character (production Char).
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r < 0xd800 || r > 0xdfff && r < 0xfffe || r > 0xffff && r <= utf8.MaxRune
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// blank tells whether s holds nothing but white space as XML defines it.
func blank(s string) bool {
	for i := range len(s) {
		if !isSpace(s[i]) {
			return false
		}
	}
	return true
}

// nameByte holds the bytes that names of elements and attributes are made of. Beyond
// ASCII everything is let through.
var nameByte = func() (t [256]bool) {
	for c := range 256 {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '_' || c == ':' || c == '-' || c == '.' || c >= utf8.RuneSelf
	}
	return t
}()

func isName(s string) bool {
	if s == "" {
		return false
	}
	c := s[0]
	return c != '-' && c != '.' && (c < '0' || c > '9')
}

// printable shortens a name from a document for an error message.
func printable(name string) string {
	const most = 40
	if len(name) <= most {
		return name
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "…"
}
