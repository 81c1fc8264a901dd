package check

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Width is that of the output for people.
const Width = 80

// Columns of the output: the level, the identifier, the text.
const (
	levelWidth = 9
	idWidth    = 16
)

// colours of the levels on a terminal.
var colours = map[Level]string{OK: "\x1b[32m", Warning: "\x1b[33m", Problem: "\x1b[31m"}

// Print writes a report for people: a line for each finding, or several where 80
// columns are not enough, the remedy below it, and a line at the end that says
// what to do next.
func (r Report) Print(w io.Writer, coloured bool) error {
	var b strings.Builder
	for _, f := range r.Findings {
		level := fmt.Sprintf("%-*s", levelWidth, f.Level)
		if coloured {
			level = colours[f.Level] + level + "\x1b[0m"
		}
		indent := strings.Repeat(" ", levelWidth+idWidth)
		lines := wrap(f.Text, Width-len(indent), "")
		fmt.Fprintf(&b, "%s%-*s%s\n", level, idWidth, f.ID, lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(&b, "%s%s\n", indent, line)
		}
		f.printRemedy(&b)
	}
	b.WriteString("\n")
	for _, line := range wrap(r.summary(), Width, "") {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printRemedy writes the remedy. A command that is too long for a line goes on
// after a backslash, so that it can be copied as it is.
func (f Finding) printRemedy(b *strings.Builder) {
	if f.Remedy == "" {
		return
	}
	const label = "mend: "
	glue := " \\"
	if f.advised() {
		glue = ""
	}
	lead := strings.Repeat(" ", levelWidth) + label
	for _, line := range wrap(f.Remedy, Width-len(lead), glue) {
		b.WriteString(lead + line + "\n")
		lead = strings.Repeat(" ", len(lead))
	}
}

// summary says what the findings come to, and what to do next.
func (r Report) summary() string {
	warnings := r.count(Warning)
	if n := r.count(Problem); n > 0 {
		also := ""
		if warnings > 0 {
			also = ", and there is " + plural(warnings, "warning")
			if warnings > 1 {
				also = ", and there are " + plural(warnings, "warning")
			}
		}
		first := ""
		for _, f := range r.Findings {
			if f.Level == Problem {
				first = string(f.ID)
				break
			}
		}
		return fmt.Sprintf("hookbridge would not work here: %s%s. Begin with %s, then run hookbridge check again.", plural(n, "problem"), also, first)
	}
	switch warnings {
	case 0:
		return "hookbridge works here: nothing to do."
	case 1:
		return "hookbridge would work here, with 1 warning: read what it says above."
	}
	return fmt.Sprintf("hookbridge would work here, with %d warnings: read what they say above.", warnings)
}

// wrap breaks a text into lines at spaces. All but the last end in glue, which
// counts. With a glue the text is a shell command: it is not broken inside
// quotation marks or words, and a word that is longer than a line has one of its
// own. In prose such a word is broken.
func wrap(text string, width int, glue string) []string {
	var lines []string
	line := ""
	for _, w := range words(text, glue != "") {
		for glue == "" && utf8.RuneCountInString(w) > width {
			if line != "" {
				lines = append(lines, line)
				line = ""
			}
			var head string
			head, w = breakWord(w, width)
			lines = append(lines, head)
		}
		switch {
		case line == "":
			line = w
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w)+len(glue) <= width:
			line += " " + w
		default:
			lines = append(lines, line+glue)
			line = w
		}
	}
	return append(lines, line)
}

// words splits a text at its spaces; in a command those inside quotation marks
// are a part of a word.
func words(text string, command bool) []string {
	var all []string
	var quote rune
	var w strings.Builder
	for _, r := range text {
		switch {
		case r == ' ' && quote == 0:
			if w.Len() > 0 {
				all = append(all, w.String())
				w.Reset()
			}
			continue
		case command && quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote:
			quote = 0
		}
		w.WriteRune(r)
	}
	if w.Len() > 0 {
		all = append(all, w.String())
	}
	return all
}

// breakWord cuts a word that is too long after the last slash that fits, where a
// path is easiest to read, or else at the end of the line.
func breakWord(w string, width int) (head, tail string) {
	cut, n := 0, 0
	for i := range w {
		if n == width {
			cut = i
			break
		}
		n++
	}
	if slash := strings.LastIndexByte(w[:cut], '/'); slash > 0 {
		cut = slash + 1
	}
	return w[:cut], w[cut:]
}
