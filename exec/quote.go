package exec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// show gives a path for a message: as it is, or quoted if it would break the line
// or hide something.
func show(path string) string {
	if path == "" || !plain(path) {
		return strconv.Quote(path)
	}
	return path
}

// Quote gives a text as one word for a shell, for an administrator who copies it from
// a message. A text that needs no quotes stays as it is.
func Quote(text string) string {
	if !plain(text) {
		var b strings.Builder
		b.WriteString("$'")
		for i := range len(text) {
			switch c := text[i]; {
			case c < ' ' || c >= 0x7f:
				fmt.Fprintf(&b, `\x%02x`, c)
			case c == '\'' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('\'')
		return b.String()
	}
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%=", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !safe(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// plain tells whether s is valid UTF-8 of printable characters and spaces.
func plain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
