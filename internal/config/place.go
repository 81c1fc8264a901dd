package config

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// place is where something stands in a file: line and column from 1, the column
// in characters.
type place struct{ line, column int }

// placeOf returns the place of the byte at an offset. An offset outside of the text
// is that of its nearest end.
func placeOf(text string, offset int) place {
	before := text[:min(max(offset, 0), len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return place{line: 1 + strings.Count(before, "\n"), column: 1 + utf8.RuneCountInString(before[start:])}
}

// locate returns a key's value, and the place of the key. The parser knows
// places only of values, and tells them only with errors.
func (r *reader) locate(name string, value toml.Primitive) (any, place) {
	var probe refuser
	var refused toml.ParseError
	errors.As(r.meta.PrimitiveDecode(value, &probe), &refused)
	if refused.Position.Line > 0 {
		return probe.raw, placeOf(r.text, r.keyBefore(name, refused.Position.Start))
	}
	// A table that only its keys imply has the place of the first of them.
	first := place{}
	inner := map[string]toml.Primitive{}
	if r.meta.PrimitiveDecode(value, &inner) == nil {
		for name, value := range inner {
			if _, at := r.locate(name, value); first == (place{}) || at.before(first) {
				first = at
			}
		}
	}
	if first == (place{}) {
		first = place{1, 1}
	}
	return probe.raw, first
}

func (p place) before(other place) bool {
	return p.line < other.line || p.line == other.line && p.column < other.column
}

// keyBefore returns the offset of the key whose value begins at an offset. A
// table begins with its header, which then is the key; in an inline table the
// parser gives the offset of the key itself.
func (r *reader) keyBefore(name string, offset int) int {
	offset = min(offset, len(r.text))
	if rest, ok := strings.CutPrefix(strings.TrimLeft(r.text[offset:], `"'`), name); ok {
		if rest = strings.TrimLeft(rest, "\"' \t"); strings.HasPrefix(rest, "=") {
			return offset
		}
	}
	before := r.text[:offset]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	start := 0
	if equals := strings.LastIndexByte(line, '='); equals >= 0 {
		// Before the key there can be an inline table that began, or a value in one.
		start = strings.LastIndexAny(line[:equals], "{,") + 1
	}
	for start < len(line) && (line[start] == ' ' || line[start] == '\t') {
		start++
	}
	return len(before) - len(line) + start
}

// refuser keeps a value and refuses it.
type refuser struct{ raw any }

var errRefused = errors.New("refused")

// UnmarshalTOML makes it a [toml.Unmarshaler], which gets the value as it was read.
func (r *refuser) UnmarshalTOML(raw any) error {
	r.raw = raw
	return errRefused
}
