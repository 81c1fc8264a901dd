package check

import (
	"fmt"
	"strings"

	"hookbridge/exec"
)

// firstLine returns the first line of a text that is not blank.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}

// plural counts things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// word gives a path as a word for a shell.
func word(path string) string { return exec.Quote(path) }
