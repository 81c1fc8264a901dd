package manual

import (
	"regexp"
	"strings"
)

// prose turns the text of a help into paragraphs. A paragraph that is indented
// stays as it is.
func prose(text string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		switch {
		case strings.HasPrefix(paragraph, " "):
			b.WriteString(literal(paragraph))
		default:
			if i > 0 {
				b.WriteString(".Pp\n")
			}
			b.WriteString(filled(paragraph))
		}
	}
	return b.String()
}

// literal shows lines as they are.
func literal(text string) string {
	var b strings.Builder
	b.WriteString(".Bd -literal -offset indent\n")
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		b.WriteString(escape(strings.TrimPrefix(line, "  ")) + "\n")
	}
	b.WriteString(".Ed\n")
	return b.String()
}

var sentenceEnd = regexp.MustCompile(`([.:?!]) +([A-Z])`)

// filled begins each sentence on a line of its own, so that the space behind it is
// right.
func filled(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	text = sentenceEnd.ReplaceAllString(text, "$1\n$2")
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		for _, part := range wrap(line) {
			b.WriteString(escape(part) + "\n")
		}
	}
	return b.String()
}

// wrap keeps lines of the source short.
func wrap(line string) []string {
	const width = 76
	var lines []string
	for len(line) > width {
		at := strings.LastIndexByte(line[:width], ' ')
		if at <= 0 {
			break
		}
		lines, line = append(lines, line[:at]), line[at+1:]
	}
	return append(lines, line)
}

// escape makes text of what would be a request, or another character.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\&...`, "–", `\(en`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
