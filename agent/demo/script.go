package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// script is the administrator's side: a network hook that writes down what it
// was given. It lives in a directory of its own that goes with the tour.
type script struct {
	dir string // of everything
}

const text = `#!/bin/sh
# The tour's network hook: keeps its arguments and its document.
umask 077
cat >"%[1]s/$HOOKBRIDGE_RUN.xml"
printf '%%s\n' "$@" >"%[1]s/$HOOKBRIDGE_RUN.args"
`

func newScript() (*script, error) {
	dir, err := os.MkdirTemp("", "hookbridge-demo-")
	if err != nil {
		return nil, fmt.Errorf("the tour needs a directory for its script: %w (set TMPDIR to one that can be written)", err)
	}
	s := &script{dir: dir}
	for _, d := range []string{s.hooks(), s.calls()} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, fmt.Errorf("the tour's directory: %w", err)
		}
	}
	path := filepath.Join(s.hooks(), "network")
	if err := os.WriteFile(path, fmt.Appendf(nil, text, s.calls()), 0o700); err != nil {
		return nil, fmt.Errorf("the tour's script: %w", err)
	}
	return s, nil
}

func (s *script) hooks() string { return filepath.Join(s.dir, "hooks") }
func (s *script) calls() string { return filepath.Join(s.dir, "calls") }
func (s *script) remove()       { _ = os.RemoveAll(s.dir) }

// given returns the arguments and the document that a run of the script saw.
func (s *script) given(run string) (args []string, document string, err error) {
	a, err := os.ReadFile(filepath.Join(s.calls(), run+".args"))
	if err != nil {
		return nil, "", err
	}
	doc, err := os.ReadFile(filepath.Join(s.calls(), run+".xml"))
	return strings.Split(strings.TrimSuffix(string(a), "\n"), "\n"), string(doc), err
}
