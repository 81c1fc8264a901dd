package translate

import "fmt"

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
	// Values are short: one look at each byte is quicker than three searches.
	n, tag, references := i, false, false
	for n < len(doc) && doc[n] != quote {
		tag = tag || doc[n] == '<'
		references = references || doc[n] == '&'
		n++
	}
	raw := doc[i:n]
	switch {
	case len(raw) > MaxAttribute:
		return a, fmt.Sprintf("value of attribute %s longer than %d bytes", printable(name), MaxAttribute)
	case n == len(doc):
		return a, truncated
	case tag:
		return a, "< in the value of attribute " + printable(name)
	case references:
		if _, why := badReference(raw); why != "" {
			return a, why
		}
	}
	return attribute{name: name, raw: raw, start: pos, end: n + 1, value: i}, ""
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
