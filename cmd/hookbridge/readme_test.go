package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hookbridge/internal/transcript"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each session in the README is run, by whoever has what it needs:
//
//	console           TestReadmeSessions, here, on libvirt's test driver
//	console incident  internal/e2e, TestReadmeIncident, beside a real libvirtd
//	console gate      internal/e2e, TestReadmeGate
//	console rpm       packaging/rpm/test, on a throw-away host
//	console deb       packaging/deb/test, on throw-away hosts
//	console make      the project's own check: make demo and make test
func TestReadmeSessionsHaveAPlace(t *testing.T) {
	places := []string{"", "incident", "gate", "rpm", "deb", "make"}
	makefile := ""
	for _, path := range []string{"../../Makefile", "../../packaging/packages.mk", "../../packaging/deb/deb.mk", "../../bench/bench.mk"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		makefile += string(text)
	}
	seen := map[string]bool{}
	for _, b := range transcript.Blocks(readme(t)) {
		seen[b.Where] = true
		if !slices.Contains(places, b.Where) {
			t.Errorf("README.md:%d: nobody runs a session for %q", b.Line, b.Where)
		}
		for _, s := range b.Steps {
			if target, ok := strings.CutPrefix(s.Command, "make "); ok && !regexp.MustCompile(`(?m)^`+target+`:`).MatchString(makefile) {
				t.Errorf("README.md:%d: there is no target %s", b.Line, target)
			}
		}
	}
	for _, p := range places {
		if !seen[p] {
			t.Errorf("the README has no session for %q", p)
		}
	}
}

// A command that the README names in its text is one, with flags that it has.
func TestReadmeNamesCommands(t *testing.T) {
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range find(string(text), "(?:`|[$#] )hookbridge ([a-z][^`\n|>&]*)") {
			checkCommandLine(t, name, strings.Fields(strings.ReplaceAll(line, "2", "")))
		}
	}
}

func checkCommandLine(t *testing.T, where string, words []string) {
	t.Helper()
	root := rootCommand()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(words)
	if err != nil || cmd == root && words[0] != "completion" {
		t.Errorf("%s: there is no command %q: %v", where, words, err)
		return
	}
	for _, word := range rest {
		if flag, ok := strings.CutPrefix(word, "--"); ok && flag != "" {
			flag, _, _ = strings.Cut(flag, "=")
			if cmd.Flags().Lookup(flag) == nil && cmd.InheritedFlags().Lookup(flag) == nil && flag != "help" {
				t.Errorf("%s: %s has no flag --%s", where, cmd.CommandPath(), flag)
			}
		}
	}
}

func TestReadmeSessions(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range transcript.Blocks(readme(t)) {
		if b.Where == "" {
			t.Run(fmt.Sprintf("line %d", b.Line), func(t *testing.T) { runSession(t, self, b) })
		}
	}
}

// runSession types a session into a shell, in a directory of its own where the
// README's first script is.
func runSession(t *testing.T, self string, b transcript.Block) {
	dir := t.TempDir()
	for _, made := range []string{"bin", "hooks"} {
		if err := os.Mkdir(filepath.Join(dir, made), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "hooks/network"), []byte(transcript.Fence(readme(t), "sh")), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "bin/hookbridge")); err != nil { // the name makes it the command
		t.Fatal(err)
	}
	const mark = "=== the next command"
	var script strings.Builder
	for _, s := range b.Steps {
		script.WriteString(s.Command + "\n")
		if strings.HasSuffix(s.Command, "&") {
			// A person takes a moment to type the next one.
			script.WriteString("for i in $(seq 300); do hookbridge history --state-dir state 2>&1 | grep -q plugged && break; sleep 0.1; done\n")
		}
		script.WriteString("echo '" + mark + "'\n")
	}
	script.WriteString("kill $! 2>/dev/null; wait\n")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "LC_ALL=C.UTF-8")
	cmd.WaitDelay = time.Minute
	out, err := cmd.CombinedOutput()
	printed := strings.Split(string(out), mark+"\n")
	if err != nil || len(printed) != len(b.Steps)+1 {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, s := range b.Steps {
		if err := s.Check(printed[i]); err != nil {
			t.Error(err)
		}
	}
}

// Links lead to files that are there.
func TestReadmeLinks(t *testing.T) {
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range find(string(text), `\]\(([^)#]+)\)`) {
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", target)); err != nil {
				t.Errorf("%s links to %v", name, err)
			}
		}
	}
}
