package translate

import (
	"strings"
	"sync"
)

// deepestIndent is where libxml2 stops to indent its formatted output: two columns a
// level, 30 levels (MAX_INDENT in its xmlsave.c).
const deepestIndent = 60

// freeText are the elements whose whole content is a text that a user wrote, printed by
// libvirt between the tags as it is. In them white space is the value, even where it
// looks like the line break of an empty container.
var freeText = map[string]bool{
	"name": true, "title": true, "description": true,
	"cmdline": true, "bootloader_args": true, "initarg": true, "initenv": true, "entry": true,
}

// lineStart is a place in a document where libvirt began a new line: the white space
// behind the line break is doc[begin:end].
type lineStart struct {
	begin, end int32
	columns    int32 // how much white space belongs there instead
}

func newLineStart(begin, end, columns int) lineStart {
	return lineStart{int32(begin), int32(end), int32(columns)} //nolint:gosec // below MaxDocument
}

// openElement is what the search for line starts knows about an element until its end tag.
type openElement struct {
	indent   int  // columns in front of its start tag, -1 when that does not begin a line
	first    int  // how many line starts had been found before its content
	gapStart int  // the white space after its last tag or comment is doc[gapStart:gapEnd]
	gapEnd   int  //
	children bool // it holds elements, comments or processing instructions
	kept     bool // it holds text, or says that white space is text: every byte inside stays
}

// layout finds the line starts of a document.
//
// Which these are follows from how libvirt prints (virBufferAdd in its virbuffer.c):
// indentation comes only in front of what a formatting call writes, so line breaks
// inside a value stay bare, and adding columns to every line would change values. A line
// start is white space with a line break in it, between the tags of an element that has
// children and no text of its own; and the line break inside an element that libvirt
// opened and closed on two lines around nothing (<ip …> without children, for example).
//
// <metadata> is printed by libxml2 (virXMLFormatMetadata in virxml.c). libvirt parses
// without ignorable white space, so what is there is either libxml2's own: then every
// child and the end tag have a line of their own and two columns a level, up to 30
// levels. Or it is content (beside text or CDATA, under xml:space='preserve', written as
// &#10;): then libxml2 formats neither that element nor what is below it.
type layout struct {
	scanner
	from, to int // columns in front of the root element: in the document, and wanted; from < 0 is measured

	starts   []lineStart
	top      []span // the root element, and the comments and processing instructions beside it
	elements []openElement
	metadata int  // the depth of <metadata> while inside it, else 0
	base     int  // columns in front of <metadata>
	spaced   bool // xml:space is somewhere in the document
}

// layouts are used again for their memory, about as much as a document's.
var layouts = sync.Pool{New: func() any { return new(layout) }}

// begin prepares for a document.
func (l *layout) begin(doc string, from, to int) {
	open, starts, top, elements := l.open[:0], l.starts[:0], l.top[:0], l.elements[:0]
	*l = layout{
		scanner: newScanner(doc), from: from, to: to, spaced: strings.Contains(doc, "xml:space"),
		starts: starts, top: top, elements: elements,
	}
	l.open = open
}

// end forgets the document.
func (l *layout) end() {
	l.begin("", 0, 0)
	clear(l.open[:cap(l.open)])
}

// span is a piece of a document: doc[start:end].
type span struct{ start, end int }

func (l *layout) read() error {
	var t token
	l.elements = append(l.elements, openElement{}) // the document itself
	for l.next(&t) {
		inside := &l.elements[len(l.elements)-1]
		switch t.kind {
		case textRun:
			if blank(l.doc[t.start:t.end]) {
				inside.gapStart, inside.gapEnd = t.start, t.end
			} else {
				inside.kept = true
			}
		case cdataRun:
			inside.kept = true
		case endTag:
			l.closed(t)
		default:
			l.child(t)
		}
	}
	return l.err()
}

// child notes the line start in front of a tag, a comment or a processing instruction.
func (l *layout) child(t token) {
	parent := &l.elements[len(l.elements)-1]
	depth := len(l.elements)
	gap := span{parent.gapStart, parent.gapEnd}
	parent.gapStart, parent.gapEnd = t.end, t.end
	parent.children = true
	tag := t.kind == startTag || t.kind == emptyTag

	indent := -1
	switch {
	case depth == 1:
		if tag {
			if l.from < 0 {
				l.from = indentation(l.doc, t.start)
			}
			indent = l.from
		}
		if tag || !addedBySaving(l.doc[t.start:t.end], t.kind) {
			l.top = append(l.top, span{t.start, t.end})
		}
	case l.metadata > 0:
		if !l.formatted(gap, depth-l.metadata) {
			parent.kept = true
		}
	default:
		indent = l.plain(gap)
	}
	if t.kind != startTag {
		return
	}
	e := openElement{indent: indent, first: len(l.starts), gapStart: t.end, gapEnd: t.end}
	if l.spaced && attributeValue(l.doc, t, "xml:space") == "preserve" {
		e.kept = true
	}
	// A domain and a network have their <metadata> right below the root; status files
	// wrap them once.
	if l.metadata == 0 && t.name == "metadata" && (depth == 2 || depth == 3) {
		l.metadata, l.base = depth, indent
		e.kept = e.kept || indent < 0
	}
	l.elements = append(l.elements, e)
}

// closed notes the line start in front of an end tag, or takes back those inside the
// element.
func (l *layout) closed(t token) {
	e := l.elements[len(l.elements)-1]
	l.elements = l.elements[:len(l.elements)-1]
	gap := span{e.gapStart, e.gapEnd}
	inMetadata := l.metadata > 0
	level := t.depth - l.metadata
	if t.depth == l.metadata {
		l.metadata = 0
	}
	if t.depth == 1 {
		l.top[len(l.top)-1].end = t.end
	}
	switch {
	case e.kept:
		l.starts = l.starts[:e.first]
	case !e.children:
		if !inMetadata && e.indent >= 0 && !freeText[t.name] && isLineBreak(l.doc[gap.start:gap.end], e.indent) {
			l.plain(gap)
		}
	case inMetadata:
		if !l.formatted(gap, level) {
			l.starts = l.starts[:e.first]
		}
	default:
		l.plain(gap)
	}
}

// plain notes the line start at the end of gap, if there is one, and returns the columns
// in front of it; else -1.
func (l *layout) plain(gap span) int {
	n := strings.LastIndexByte(l.doc[gap.start:gap.end], '\n')
	if n < 0 {
		return -1
	}
	begin := gap.start + n + 1
	columns := gap.end - begin
	l.starts = append(l.starts, newLineStart(begin, gap.end, l.to+max(columns-l.from, 0)))
	return columns
}

// formatted notes the line start that gap is when libxml2 made it, level elements below
// <metadata>, and tells whether it did.
func (l *layout) formatted(gap span, level int) bool {
	if !isLineBreak(l.doc[gap.start:gap.end], min(l.base+2*level, deepestIndent)) {
		return false
	}
	wanted := min(l.to+max(l.base-l.from, 0)+2*level, deepestIndent)
	l.starts = append(l.starts, newLineStart(gap.start+1, gap.end, wanted))
	return true
}

// isLineBreak tells whether gap is one line break and that many blanks, as a formatter
// writes it.
func isLineBreak(gap string, columns int) bool {
	return len(gap) == columns+1 && gap[0] == '\n' && strings.Trim(gap[1:], " ") == ""
}

// addedBySaving tells whether something in front of the root element belongs to a file
// and not to the document: the XML declaration, and the warning with which libvirt
// begins its files (virXMLEmitWarning in virxml.c).
func addedBySaving(text string, kind tokenKind) bool {
	switch kind {
	case instruction:
		return hasDeclaration(text)
	case commentRun:
		return strings.Contains(text, "WARNING: THIS IS AN AUTO-GENERATED FILE.")
	}
	return false
}

// hasDeclaration tells whether doc begins with an XML declaration.
func hasDeclaration(doc string) bool {
	return len(doc) > 5 && strings.EqualFold(doc[:5], "<?xml") && (isSpace(doc[5]) || doc[5] == '?')
}

// appendMoved appends a document to dst, each line that libvirt began moved to where it
// belongs when the root element has `to` columns in front of it; from is how many it has
// in doc, negative to find out. Nothing but white space at line starts changes; what
// only belongs to files (see addedBySaving) is left out. Every node on the top level,
// the root element being one, ends with a line break.
//
// When doc cannot be read to its end nothing is appended.
func appendMoved(dst []byte, doc string, from, to int) ([]byte, error) {
	l := layouts.Get().(*layout)
	defer layouts.Put(l)
	l.begin(doc, from, to)
	defer l.end()
	if err := l.read(); err != nil {
		return dst, err
	}
	return l.append(dst), nil
}

func (l *layout) append(dst []byte) []byte {
	i := 0
	for _, node := range l.top {
		dst = appendBlanks(dst, l.to)
		pos := node.start
		for ; i < len(l.starts) && int(l.starts[i].begin) < node.end; i++ {
			s := l.starts[i]
			dst = append(dst, l.doc[pos:s.begin]...)
			dst = appendLineStart(dst, l.doc[s.begin:s.end], int(s.columns))
			pos = int(s.end)
		}
		dst = append(dst, l.doc[pos:node.end]...)
		dst = append(dst, '\n')
	}
	return dst
}

// appendLineStart appends as many columns of white space. Where there is more than
// before it is put in front, where there is less the front is cut, so that tabs, which
// libvirt does not write, survive.
func appendLineStart(dst []byte, was string, columns int) []byte {
	if columns < len(was) {
		return append(dst, was[len(was)-columns:]...)
	}
	return append(appendBlanks(dst, columns-len(was)), was...)
}

func appendBlanks(dst []byte, n int) []byte {
	const blanks = "                                "
	for n > len(blanks) {
		dst = append(dst, blanks...)
		n -= len(blanks)
	}
	return append(dst, blanks[:max(n, 0)]...)
}
