package translate

import "strings"

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
