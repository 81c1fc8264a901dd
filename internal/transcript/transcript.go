package transcript

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is one session.
type Block struct {
	Where string // the info string's second word
	Line  int    // of its first line in the document
	Steps []Step
}

// Step is a command and what it prints.
type Step struct{ Command, Output string }

// Blocks returns the sessions of a document in Markdown.
func Blocks(document string) []Block {
	var all []Block
	var block *Block
	number := 0
	for line := range strings.Lines(document) {
		number++
		switch {
		case strings.HasPrefix(line, "```") && block != nil:
			all = append(all, *block)
			block = nil
		case strings.HasPrefix(line, "```console"):
			_, where, _ := strings.Cut(strings.TrimSpace(line), " ")
			block = &Block{Where: where, Line: number + 1}
		case block == nil:
		case strings.HasPrefix(line, "$ "), strings.HasPrefix(line, "# "):
			block.Steps = append(block.Steps, Step{Command: strings.TrimSpace(line[2:])})
		case len(block.Steps) > 0:
			block.Steps[len(block.Steps)-1].Output += line
		}
	}
	return all
}

// Fence returns the content of the document's first fenced block with an info string.
func Fence(document, info string) string {
	_, after, _ := strings.Cut("\n"+document, "\n```"+info+"\n")
	content, _, _ := strings.Cut(after, "\n```\n")
	return content + "\n"
}

// varying is what differs from run to run; each is replaced by one word. The order
// matters: what is longer comes first.
var varying = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`), "DATE"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "TIME"},
	{regexp.MustCompile(`\b(\d+h )?(\d+m )?\d+(\.\d+)?(ms|s|m|h)\b`), "DURATION"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "RUN"},
	{regexp.MustCompile(`\bpid \d+`), "PID"},
	{regexp.MustCompile(`\bstdin \d+ bytes`), "BYTES"},
	{regexp.MustCompile(`\bhookbridge (development|v?\d\S*|[0-9a-f]{7,40}(-dirty)?\b)`), "VERSION"},
	{regexp.MustCompile(`\b\d+\.\d+\.\d+\b`), "LIBVIRT"},
}

var mac = regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)

// plain makes texts equal that are equal but for what varies: lengths differ, so
// lines are broken elsewhere.
func plain(text string) string {
	// No time is found inside of a MAC address.
	text = mac.ReplaceAllStringFunc(text, func(m string) string { return strings.ReplaceAll(m, ":", "_") })
	text = strings.Join(strings.Fields(text), " ")
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.word)
	}
	return text
}

// Check returns an error if a command printed something else than the document says.
func (s Step) Check(printed string) error {
	var parts []string
	for part := range strings.SplitSeq(plain(s.Output), "…") {
		parts = append(parts, regexp.QuoteMeta(strings.TrimSpace(part)))
	}
	if !regexp.MustCompile(`\A` + strings.Join(parts, ".*") + `\z`).MatchString(plain(printed)) {
		return fmt.Errorf("%s\nprints\n%s\nthe document says\n%s", s.Command, printed, s.Output)
	}
	return nil
}
