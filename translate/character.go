package translate

import (
	"fmt"
	"unicode/utf8"
)

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
