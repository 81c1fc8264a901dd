package check

import (
	"bytes"
	"os"
	"regexp"
)

// maxText bounds what is read of a script.
const maxText = 1 << 20

var (
	plugged     = regexp.MustCompile(`(^|[^A-Za-z0-9_-])plugged($|[^A-Za-z0-9_-])`)
	portCreated = regexp.MustCompile(`(^|[^A-Za-z0-9_-])port-created($|[^A-Za-z0-9_-])`)
)

// namesBoth tells whether a script's text, comments aside, names the operation
// plugged and the one that took its place.
func namesBoth(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	text := make([]byte, maxText)
	n, _ := f.Read(text)
	old, renamed := false, false
	for line := range bytes.Lines(text[:n]) {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			continue
		}
		old = old || plugged.Match(line)
		renamed = renamed || portCreated.Match(line)
	}
	return old && renamed
}
