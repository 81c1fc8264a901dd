package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hookbridge/agent"
	"hookbridge/internal/config"
	"hookbridge/internal/manual"
	"hookbridge/translate"
)

var pages = []string{"hookbridge.8", "hookbridge.toml.5", "hookbridge-hooks.7"}

// page returns a manual page as it is installed.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../packaging/man", name+".in"))
	if err != nil {
		t.Fatal(err)
	}
	root := rootCommand()
	root.InitDefaultCompletionCmd()
	return manual.Fill(string(text), root, "1.0", time.Unix(0, 0))
}

// plainPage is a page without the marks of hyphens.
func plainPage(t *testing.T, name string) string {
	return strings.ReplaceAll(page(t, name), `\-`, "-")
}

func TestManualLint(t *testing.T) {
	tools := [][]string{
		{"mandoc", "-Tlint", "-Wwarning"},
		{"groff", "-mandoc", "-ww", "-z", "-Tutf8"},
	}
	for _, name := range pages {
		text := page(t, name)
		for _, tool := range tools {
			t.Run(name+"/"+tool[0], func(t *testing.T) {
				if _, err := exec.LookPath(tool[0]); err != nil {
					t.Skip(err)
				}
				cmd := exec.Command(tool[0], tool[1:]...)
				cmd.Stdin = strings.NewReader(text)
				var said bytes.Buffer
				cmd.Stdout, cmd.Stderr = &said, &said
				if err := cmd.Run(); err != nil || said.Len() > 0 {
					t.Errorf("%v\n%s", err, said.String())
				}
			})
		}
		if i := strings.IndexByte(text, '@'); i >= 0 {
			t.Errorf("%s: something is not filled in: %.20q", name, text[i:])
		}
	}
}

// Each command and each of its flags is in the manual.
func TestManualHasEveryFlag(t *testing.T) {
	text := plainPage(t, "hookbridge.8")
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		section := text
		if cmd.HasParent() {
			_, after, ok := strings.Cut(text, ".Ss "+cmd.CommandPath())
			if !ok {
				t.Errorf("%s is not in the manual", cmd.CommandPath())
			}
			section, _, _ = strings.Cut(after, ".Ss ")
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" && !strings.Contains(section, "Fl -"+f.Name+" ") && !strings.Contains(section, "Fl -"+f.Name+"\n") {
				t.Errorf("%s --%s is not in the manual", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(rootCommand())
}

// Each key of the configuration, and each word that it takes, is in the manual, and
// no other.
func TestManualHasEveryKey(t *testing.T) {
	text := plainPage(t, "hookbridge.toml.5")
	var listed []string
	table := ""
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, ".Sh THE TABLE "); ok {
			table = strings.ToLower(strings.TrimSpace(name)) + "."
		}
		keys, _, ok := strings.Cut(strings.TrimPrefix(line, ".It Cm "), " No =")
		if !ok || !strings.HasPrefix(line, ".It Cm ") {
			continue
		}
		for key := range strings.SplitSeq(keys, " , ") {
			listed = append(listed, table+key)
		}
		for _, o := range config.Options() {
			if o.Key != table+keys {
				continue
			}
			for _, word := range o.Words {
				if !strings.Contains(line, `\(dq`+word+`\(dq`) {
					t.Errorf("%s: the manual has no %q", o.Key, word)
				}
			}
		}
	}
	var known []string
	for _, o := range config.Options() {
		known = append(known, o.Key)
	}
	sameWords(t, "keys of the configuration", known, listed)
}

// Names are the same in the manual and in the program.
func TestGlossary(t *testing.T) {
	hooks, toml := plainPage(t, "hookbridge-hooks.7"), plainPage(t, "hookbridge.toml.5")

	var ops []string
	for _, op := range translate.AllOps() {
		ops = append(ops, string(op)+" "+op.SubOp())
	}
	sameWords(t, "operations", ops, find(hooks, `(?m)^\.It Cm ([a-z-]+) Ta Cm (begin|end) Ta`))

	source, err := os.ReadFile("../../translate/call.go")
	if err != nil {
		t.Fatal(err)
	}
	causes := find(string(source), `(?m)^\tCause\w+ +Cause += "([a-z]+)"`)
	_, list, _ := strings.Cut(hooks, ".It Ev HOOKBRIDGE_CAUSE\n")
	list, _, _ = strings.Cut(list, ".El\n")
	sameWords(t, "causes", causes, find(list, `(?m)^\.It Cm (\S+)$`))

	var features []string
	for _, f := range agent.Features() {
		features = append(features, string(f))
	}
	_, list, _ = strings.Cut(toml, ".It Cm without No =")
	list, _, _ = strings.Cut(list, ".El\n")
	sameWords(t, "features", features, find(list, `(?m)^\.It Cm (\S+)$`))

	var variables []string
	sources, _ := filepath.Glob("../../agent/*.go")
	for _, path := range sources {
		if source, err := os.ReadFile(path); err == nil && !strings.HasSuffix(path, "_test.go") {
			variables = append(variables, find(string(source), `"(HOOKBRIDGE_[A-Z]+)=`)...)
		}
	}
	sameWords(t, "variables", variables, find(hooks, `(?m)^\.It Ev (HOOKBRIDGE_[A-Z]+)$`))
}

// find returns what the groups of a pattern match, with blanks between them.
func find(text, pattern string) []string {
	var all []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Join(match[1:], " "))
	}
	return all
}

func sameWords(t *testing.T, what string, code, page []string) {
	t.Helper()
	slices.Sort(code)
	slices.Sort(page)
	if diff := cmp.Diff(slices.Compact(code), slices.Compact(page)); diff != "" {
		t.Errorf("%s (-program +manual):\n%s", what, diff)
	}
}
