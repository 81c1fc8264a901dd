package translate

import (
	"strings"
	"unicode/utf8"
)

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
