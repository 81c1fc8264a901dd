package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hookbridge/agent"
	"hookbridge/internal/api"
	"hookbridge/internal/config"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

// documents are what people read, by path below the project's root: the manual as it
// is installed, the rest as it is.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "packaging/hookbridge.toml", "examples/*", "packaging/deb/debian/README.Debian"} {
		paths, err := filepath.Glob("../../" + pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(path, "../../")] = string(text)
		}
	}
	for _, name := range pages {
		texts[name] = plainPage(t, name)
	}
	return texts
}

// within checks that all words that a pattern finds in the documents are known.
func within(t *testing.T, what, pattern string, known []string) {
	t.Helper()
	seen := 0
	for name, text := range documents(t) {
		for _, word := range find(text, pattern) {
			seen++
			if !slices.Contains(known, word) {
				t.Errorf("%s: %s %q is unknown to the program", name, what, word)
			}
		}
	}
	if seen == 0 {
		t.Errorf("no document names a %s: the pattern is wrong", what)
	}
}

// An operation is called by its name, and with its sub-operation, everywhere.
func TestGlossaryOperations(t *testing.T) {
	var names, calls []string
	for _, op := range translate.AllOps() {
		names = append(names, string(op))
		calls = append(calls, string(op)+" "+op.SubOp())
	}
	within(t, "operation", `\b(port-[a-z]+)\b`, append(names, "port-forward", "port-forwards")) // an example, and its files
	within(t, "call", `\b([a-z-]+ (?:begin|end)) -`, calls)
	within(t, "operation", `(?:--op |hookbridge fire [a-z0-9]+ )([a-z-]+)`, names)

	// The README has the five that are replayed by themselves, with what they come to.
	var classic []string
	for _, op := range translate.ClassicOps() {
		classic = append(classic, string(op)+" "+op.SubOp())
	}
	sameWords(t, "operations of the README", classic, find(documents(t)["README.md"], "(?m)^\\| `NETWORK ([a-z]+ [a-z]+) -`"))
}

func TestGlossaryVariables(t *testing.T) {
	var known []string
	sources, _ := filepath.Glob("../../agent/*.go")
	for _, path := range sources {
		if source, err := os.ReadFile(path); err == nil && !strings.HasSuffix(path, "_test.go") {
			known = append(known, find(string(source), `"(HOOKBRIDGE_[A-Z]+)=`)...)
		}
	}
	// Those of the tests are in CONTRIBUTING.md, with the file that reads them.
	known = append(known, testVariables(t)...)
	within(t, "variable", `\b(HOOKBRIDGE_[A-Z_]+)`, known)
}

// testVariables are the variables that the tests and the Makefile know.
func testVariables(t *testing.T) []string {
	t.Helper()
	var known []string
	paths, _ := filepath.Glob("../../internal/*/*.go")
	more, _ := filepath.Glob("../../*/*_test.go")
	for _, path := range append(paths, more...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, find(string(text), `(?:Getenv|LookupEnv)\("(HOOKBRIDGE_[A-Z_]+)"`)...)
	}
	return known
}

func TestGlossaryKeys(t *testing.T) {
	var known []string
	for _, o := range config.Options() {
		known = append(known, o.Key)
	}
	within(t, "key", "`((?:gate|metrics)\\.[a-z_]+)`", known)
	within(t, "key", "(?m)`([a-z_]+(?:\\.[a-z_]+)?) = [\"\\[]", known)
	for _, key := range find(documents(t)["README.md"], "(?m)^\\| `([a-z_.]+)` \\|") {
		if !slices.Contains(known, key) {
			t.Errorf("README.md: key %q is unknown to the program", key)
		}
	}
}

func TestGlossaryFeatures(t *testing.T) {
	var known []string
	for _, f := range agent.Features() {
		known = append(known, string(f))
	}
	_, list, _ := strings.Cut(documents(t)["packaging/hookbridge.toml"], "libvirt lacked these features")
	_, list, _ = strings.Cut(list, ":\n")
	list, _, _ = strings.Cut(list, "\n#without")
	listed := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune("#,. \n", r) })
	sameWords(t, "features of hookbridge.toml", known, listed)
}

// Every metric is in the manual, and no other is anywhere.
func TestGlossaryMetrics(t *testing.T) {
	var known, full []string
	sources, _ := filepath.Glob("../../internal/metrics/*.go")
	for _, path := range sources {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		known = append(known, find(string(source), `(?:gauge|counter)\("([a-z_]+)"`)...)
		known = append(known, find(string(source), `Name: "hookbridge_([a-z_]+)"`)...)
	}
	_, section, _ := strings.Cut(plainPage(t, "hookbridge.8"), ".Sh METRICS\n")
	section, _, _ = strings.Cut(section, ".Sh ")
	var listed []string
	for _, line := range find(section, `(?m)^\.It Cm (.*)$`) {
		listed = append(listed, strings.Split(line, " , ")...)
	}
	for _, name := range known {
		full = append(full, "hookbridge_"+name)
	}
	sameWords(t, "metrics", known, listed)
	for name, text := range documents(t) {
		for _, word := range find(text, `\b(hookbridge_[a-z_]+)\b`) {
			if !slices.ContainsFunc(full, func(f string) bool { return strings.HasPrefix(word, f) }) && word != "hookbridge_0" {
				t.Errorf("%s: metric %q is unknown to the program", name, word)
			}
		}
	}
}

// Every field that the socket gives or takes is in the manual.
func TestGlossaryFields(t *testing.T) {
	page := plainPage(t, "hookbridge.8")
	_, section, _ := strings.Cut(page, ".Sh SOCKET\n")
	section, _, _ = strings.Cut(section, ".Sh METRICS")
	marked := map[string]bool{}
	for _, line := range find(section, `(?m)^\.(?:It|Pq)? ?Cm (.*)$`) {
		for word := range strings.FieldsSeq(line) {
			marked[word] = true
		}
	}
	fields := map[string]bool{}
	for _, v := range []any{agent.Status{}, agent.FireRequest{}, agent.FireReport{}, api.NetworkStart{}, history.Entry{}} {
		jsonFields(reflect.TypeOf(v), fields)
	}
	for field := range fields {
		if !marked[field] {
			t.Errorf("hookbridge.8: the field %s is not explained", field)
		}
	}
	for _, query := range []string{"network", "domain", "op", "failed", "since", "limit", "follow"} {
		if !marked[query] {
			t.Errorf("hookbridge.8: what /v1/history takes lacks %s", query)
		}
	}
	// And every route.
	server, err := os.ReadFile("../../internal/api/server.go")
	if err != nil {
		t.Fatal(err)
	}
	sameWords(t, "routes", find(string(server), `\{"(GET|POST)", "(/[a-z0-9/]+)", `), find(section, `(?m)^\.It Cm (GET|POST) (/\S+)`))
}

// jsonFields collects the names of the fields of a type in JSON, and of those below.
func jsonFields(t reflect.Type, names map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		jsonFields(t.Elem(), names)
	case reflect.Struct:
		if !strings.HasPrefix(t.PkgPath(), "hookbridge") {
			return // a time
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				names[name] = true
			}
			jsonFields(f.Type, names)
		}
	}
}

// Every option that a document shows belongs to a command.
func TestGlossaryFlags(t *testing.T) {
	var help bytes.Buffer
	for _, args := range [][]string{{"run"}, {"status"}, {"check"}, {"history"}, {"fire"}, {"network", "start"}, {"gate", "install"}, {"gate", "remove"}, {"gate", "status"}} {
		root := rootCommand()
		root.SetOut(&help)
		root.SetArgs(append(args, "--help"))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
	}
	known := find(help.String(), `(--[a-z-]+)`)
	for _, name := range []string{"README.md", "packaging/hookbridge.toml", "examples/README.md", "packaging/deb/debian/README.Debian"} {
		text := documents(t)[name]
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "hookbridge ") {
				continue
			}
			_, ours, _ := strings.Cut(line, "hookbridge ")
			ours, _, _ = strings.Cut(ours, "|")
			ours, _, _ = strings.Cut(ours, "&&")
			for _, flag := range regexp.MustCompile(`--[a-z][a-z-]*`).FindAllString(ours, -1) {
				if !slices.Contains(known, flag) {
					t.Errorf("%s: no command has %s", name, flag)
				}
			}
		}
	}
}
