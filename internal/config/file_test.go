package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/gate/ask"
	"hookbridge/translate"
)

func TestParse(t *testing.T) {
	f, err := Parse("x.toml", `
# a comment
connect = ["qemu:///system", "test:///default"]
ops = ["plugged", "unplugged"]
on_failure = 'log'
without = "kicks, list-all"
timeout = "0"
parallel = 3
history_dir = ""
reconcile_interval = "-1s"
gate = { timeout = "5s", unavailable = "deny" }
metrics.listen = ":9177"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Connect = []string{"qemu:///system", "test:///default"}
	want.Ops = translate.NewOps(translate.OpPlugged, translate.OpUnplugged)
	want.OnFailure = "log"
	want.Without = []string{"kicks", "list-all"}
	want.Timeout = 0
	want.Parallel = 3
	want.HistoryDir = ""
	want.ReconcileInterval = -time.Second
	want.Gate = Gate{Timeout: 5 * time.Second, Unavailable: ask.Deny}
	want.Metrics.Listen = "127.0.0.1:9177"
	if diff := cmp.Diff(want, f.Settings()); diff != "" {
		t.Error(diff)
	}
	if !f.IsSet("timeout") || !f.IsSet("gate.timeout") || f.IsSet("hook_dir") {
		t.Error("what is set is not known")
	}
	if got := f.Blame("on_failure", errors.New("wrong")).Error(); got != "x.toml, line 5, column 1: on_failure: wrong" {
		t.Error(got)
	}
	if got := f.Blame("hook_dir", errors.New("wrong")).Error(); got != "wrong" {
		t.Error(got)
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown", "hook_dir = '/x'\n  color = 1", `line 2, column 3: unknown key "color"; hookbridge.toml(5) lists the keys`},
		{"as the flag is written", "hook-dir = '/x'", `line 1, column 1: unknown key "hook-dir"; did you mean hook_dir?`},
		{"slip of the pen", "parallal = 1", `line 1, column 1: unknown key "parallal"; did you mean parallel?`},
		{"from another table", "listen = ':1'", `line 1, column 1: unknown key "listen"; did you mean listen in [metrics]?`},
		{"as the flag is written, of a table", "gate-timeout = '1s'", `line 1, column 1: unknown key "gate-timeout"; did you mean timeout in [gate]?`},
		{"below a table", "[gate]\nhook_dir = '/x'", `line 2, column 1: unknown key "gate.hook_dir"; hook_dir belongs above the first [table]`},
		{"unknown table", "\n[metric]\nlisten = ''", `line 2, column 1: unknown key "metric"`},
		{"implied table", "timeout = '1s'\n a.b.c = 1", `line 2, column 2: unknown key "a"`},
		{"quoted key", `"gate.timeout" = "1s"`, `line 1, column 1: unknown key "gate.timeout"`},
		{"in an inline table", `gate = {timeout = "1s", colour = 1}`, `line 1, column 25: unknown key "gate.colour"`},
		{"column in characters", `gate = {"unavailable"= "é", timeout = 1}`, "column 29: gate.timeout: an integer does not fit"},
		{"all at once, in order", "parallel = true\nconnect = 'x'\nops = 1", "line 1, column 1: parallel: a boolean does not fit: it must be an integer, such as 4\n" +
			`x.toml, line 2, column 1: connect: a string does not fit: it must be an array of strings, such as ["qemu:///system"]` + "\n" +
			`x.toml, line 3, column 1: ops: an integer does not fit: it must be "auto", or an array of strings, such as ["plugged", "unplugged"]`},
		{"array of something else", "connect = [1]", "connect: an array does not fit"},
		{"array over lines", "connect = [\n  'x',\n  1,\n]", "line 1, column 1: connect: an array does not fit"},
		{"duration as number", "timeout = 300", `timeout: an integer does not fit: it must be a string with a unit, such as "300s"`},
		{"duration without unit", "timeout = '300'", `timeout: "300" is not a duration: write a number with a unit, such as 300s, 5m or 1h30m`},
		{"negative duration", "timeout = '-1s'", "timeout: it cannot be negative; 0 means no limit"},
		{"no gate timeout", "gate.timeout = '0'", "gate.timeout: libvirtd waits meanwhile, so there must be one, such as 20s"},
		{"negative number", "parallel = -1", `parallel: "-1" is not a number from 0 up`},
		{"float", "parallel = 1.0", "parallel: a float does not fit"},
		{"word", "on_failure = 'Undo'", `on_failure: "Undo" is none of undo, log`},
		{"word of another type", "on_failure = 2024-01-01", `on_failure: a date or time does not fit: it must be one of the strings "undo", "log"`},
		{"operation", "ops = ['plug']", `ops: unknown operation "plug": the operations are start,`},
		{"no operations", "ops = []", "ops: no operation named"},
		{"relative path", "state_dir = 'run'", `state_dir: the path "run" must be absolute`},
		{"empty path", "socket = ''", "socket: it is empty: write an absolute path, or leave the key out"},
		{"address", "metrics.listen = '9177'", `metrics.listen: "9177" is no address: write host:port, such as 127.0.0.1:9177`},
		{"port", "metrics.listen = ':http'", `has no port number from 0 to 65535`},
		{"table as value", "gate = 1", "gate: an integer does not fit: it must be a table, [gate]"},
		{"array of tables", "[[gate]]\ntimeout = '1s'", "line 1, column 1: gate: an array of tables does not fit"},
		{"value as table", "[timeout]", "line 1, column 1: timeout: a table does not fit"},
		{"twice", "parallel = 1\nparallel = 2", "line 2, column 1: parallel: Key 'parallel' has already been defined."},
		{"no value", "hook_dir = \n", "line 1, column 12: hook_dir: expected value but found '\\n' instead"},
		{"no TOML", "é = 1", "line 1, column 1: expected '.' or '=', but got 'é' instead"},
		{"no text", "hook_dir = \"\xff\"", "invalid UTF-8 byte: 0xff"},
		{"behind a byte order mark", "\ufeffcolor = 1", "line 1, column 1: unknown key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("x.toml", test.text)
			if err == nil || !strings.HasPrefix(err.Error(), "x.toml, line ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.toml")
	if _, err := Load(missing); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Error(err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
	large := filepath.Join(t.TempDir(), "large.toml")
	if err := os.WriteFile(large, []byte(strings.Repeat("#\n", maxSize)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
	if diff := cmp.Diff(Default(), None().Settings()); diff != "" {
		t.Error(diff)
	}
}

// The example has every key, and its values are the defaults.
func TestExample(t *testing.T) {
	const path = "../../packaging/hookbridge.toml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Load(path)
	if err != nil || len(f.set) != 0 {
		t.Fatalf("as it is, the example sets %v: %v", f.set, err)
	}
	uncommented := regexp.MustCompile(`(?m)^#([a-z_]+ = |\[)`).ReplaceAllString(string(text), "$1")
	f, err = Parse(path, uncommented)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), f.settings); diff != "" {
		t.Errorf("the example's values are not the defaults:\n%s", diff)
	}
	for _, o := range Options() {
		if !f.IsSet(o.Key) {
			t.Errorf("the example has no %s", o.Key)
		}
	}
	for i, line := range strings.Split(string(text), "\n") {
		if len(line) > 80 {
			t.Errorf("line %d is longer than a terminal is wide", i+1)
		}
	}
}

// All options can be written as they are shown.
func TestValueRoundTrip(t *testing.T) {
	s := Default()
	s.Ops = translate.NewOps(translate.OpStart, translate.OpUpdated)
	s.Without = []string{"a", "b"}
	s.Connect = []string{"test:///default"}
	s.Metrics.Listen = "[::1]:80"
	var back Settings
	var keys []string
	for _, o := range Options() {
		if err := o.Value(&back).Set(o.Value(&s).String()); err != nil {
			t.Errorf("%s: %v", o.Key, err)
		}
		keys = append(keys, o.Key)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Error(diff)
	}
	if slices.Sort(keys); len(slices.Compact(keys)) != len(Options()) {
		t.Error("a key stands twice in the list")
	}
}
