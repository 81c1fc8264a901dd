package main

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// sheetWidth is that of the output for people.
const sheetWidth = 80

// sheet is output for people.
type sheet struct {
	strings.Builder
	coloured bool
	unicode  bool // the terminal shows it
}

// The colours: what is well, what is not, what to look at, what matters less.
const (
	good  = "\x1b[32m"
	bad   = "\x1b[31m"
	doubt = "\x1b[33m"
	faint = "\x1b[2m"
	bold  = "\x1b[1m"
)

func (p *sheet) paint(colour, text string) string {
	if !p.coloured || colour == "" || text == "" {
		return text
	}
	return colour + text + "\x1b[0m"
}

// line writes a text behind a lead, broken at spaces where it is longer than the sheet.
// The lines after the first are indented by as much as the lead is wide. A lead that
// leaves too little room has lines of its own.
func (p *sheet) line(lead, colour, text string) {
	if utf8.RuneCountInString(lead) > sheetWidth/2 && utf8.RuneCountInString(lead)+utf8.RuneCountInString(text) > sheetWidth {
		p.line("", "", lead)
		lead = "    "
	}
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	for i, part := range fold(text, sheetWidth-len(indent)) {
		if i > 0 {
			lead = indent
		}
		p.WriteString(strings.TrimRight(lead+p.paint(colour, part), " ") + "\n")
	}
}

// fold breaks a text into lines at spaces; a word that is longer than a line is cut.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(printable(text)) {
		for utf8.RuneCountInString(word) > width {
			if line != "" {
				lines = append(lines, line)
				line = ""
			}
			runes := []rune(word)
			lines = append(lines, string(runes[:width]))
			word = string(runes[width:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// printable replaces what could make a terminal do things: scripts say what they like.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError:
			return '?'
		}
		return r
	}, text)
}

// showsUnicode tells by the locale whether a terminal shows more than ASCII.
func showsUnicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// clock writes a time of day, with the date if it is not today's.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// span writes a duration for people: two units at most.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
}

// took writes how long a script took.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return span(d)
}
