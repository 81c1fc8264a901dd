package testhost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// recorderScript is the hook script. It writes the record under a hidden name
// and renames it, so that a record is whole when it is seen; then it does what
// a rule says. Only what a rule asks for is ever printed, with one exception:
// libvirt reads the document back from its domain hooks at migrate and restore.
const recorderScript = `#!/bin/sh
log=@LOG@
now=$(date +%s%N)
new=$log/calls/.$now.$$
case $2 in
migrate | restore)
	cat >"$new.doc"
	exec <"$new.doc"
	cat "$new.doc"
	rm "$new.doc"
	;;
esac
{
	printf '%s\n' "$now" "$(pwd -P)" "$(($# + 1))"
	printf '%s\0' "$0" "$@"
	cat /proc/$$/environ "$log/nul" -
} >"$new"
mv "$new" "$log/calls/$now.$$"
for rule in "$log/rules/$2/=$1" "$log/rules/any/=$1" "$log/rules/$2/any" "$log/rules/any/any"; do
	if [ -f "$rule" ]; then
		. "$rule"
		break
	fi
done
exit 0
`

// Rule is what recorders do for some calls, after recording them.
type Rule struct {
	Stdout string
	Stderr string
	Exit   int
	// Signal, when not 0, is what the script kills itself with.
	Signal unix.Signal
	// Hold makes the script wait, before everything else above, until the
	// rule is released.
	Hold bool
	// Shell is run last but before Exit and Signal: any shell commands, with
	// the call's arguments in $1 to $4.
	Shell string
}

// ActiveRule is a rule in force.
type ActiveRule struct {
	log   *Log
	path  string
	fifo  string
	once  sync.Once
	freed error
}

// InstallRecorder puts a recorder named network into a hook directory inside
// the host, /etc/hookbridge-test/hooks for example, and returns its own new log.
func (h *Host) InstallRecorder(t testing.TB, dir string) *Log {
	t.Helper()
	l := NewLog(t, "hooks")
	l.Install(t, h.Path(dir), "network")
	return l
}

// Install puts a recorder script of the given name into a directory, which is
// made when it is not there. Several scripts may share one log.
func (l *Log) Install(t testing.TB, dir, name string) {
	t.Helper()
	if err := l.install(dir, name); err != nil {
		t.Fatalf("testhost: installing a recorder: %v", err)
	}
}

func (l *Log) install(dir, name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(l.dir, "nul"), []byte{0}, 0o644); err != nil {
		return err
	}
	script := strings.ReplaceAll(recorderScript, "@LOG@", shellQuote(l.dir))
	// Renamed, so that nobody sees half of it.
	beside := filepath.Join(dir, ".recorder-"+name)
	if err := WriteProgram(beside, []byte(script), 0o755); err != nil {
		return err
	}
	return os.Rename(beside, filepath.Join(dir, name))
}

// Set puts a rule in force for the calls of one operation for one network or
// guest; "" stands for any of them. The most exact rule wins; a second one for
// the same calls replaces the first.
func (l *Log) Set(t testing.TB, object, op string, r Rule) *ActiveRule {
	t.Helper()
	a, err := l.set(object, op, r)
	if err != nil {
		t.Fatalf("testhost: setting a rule: %v", err)
	}
	// A script that is held forever would outlive a test that failed.
	if r.Hold {
		t.Cleanup(func() { a.Release(t) })
	}
	return a
}

func (l *Log) set(object, op string, r Rule) (*ActiveRule, error) {
	if op == "" {
		op = "any"
	}
	name := "any"
	if object != "" {
		name = "=" + object
	}
	a := &ActiveRule{log: l, path: filepath.Join(l.ruleDir(), op, name)}
	if err := os.MkdirAll(filepath.Dir(a.path), 0o755); err != nil {
		return nil, err
	}
	var b strings.Builder
	if r.Hold {
		f, err := os.CreateTemp(l.dir, "hold-")
		if err != nil {
			return nil, err
		}
		f.Close()
		a.fifo = f.Name() + ".fifo"
		if err := unix.Mkfifo(a.fifo, 0o600); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "if [ -p %[1]s ]; then read -r _ <%[1]s; fi 2>/dev/null\n", shellQuote(a.fifo))
	}
	if r.Stdout != "" {
		fmt.Fprintf(&b, "printf '%%s' %s\n", shellQuote(r.Stdout))
	}
	if r.Stderr != "" {
		fmt.Fprintf(&b, "printf '%%s' %s >&2\n", shellQuote(r.Stderr))
	}
	if r.Shell != "" {
		fmt.Fprintf(&b, "%s\n", r.Shell)
	}
	if r.Signal != 0 {
		fmt.Fprintf(&b, "kill -%d $$\n", int(r.Signal))
	}
	fmt.Fprintf(&b, "exit %d\n", r.Exit)

	tmp := filepath.Join(l.dir, "rule.new")
	if err := os.WriteFile(tmp, []byte(b.String()), 0o644); err != nil {
		return nil, err
	}
	return a, os.Rename(tmp, a.path)
}

// Release lets the scripts that the rule holds go on; from now on it holds
// none. The rest of the rule stays in force.
func (a *ActiveRule) Release(t testing.TB) {
	t.Helper()
	a.once.Do(func() {
		if a.fifo == "" {
			return
		}
		// Open for reading and writing, it never blocks, and it frees the
		// readers that wait for a writer; unlinked, it catches no new one.
		var f *os.File
		if f, a.freed = os.OpenFile(a.fifo, os.O_RDWR, 0); a.freed == nil {
			a.freed = os.Remove(a.fifo)
			f.Close()
		}
	})
	if a.freed != nil {
		t.Errorf("testhost: releasing a held script: %v", a.freed)
	}
}

// Remove takes the rule out of force, and releases what it holds.
func (a *ActiveRule) Remove(t testing.TB) {
	t.Helper()
	if err := os.Remove(a.path); err != nil && !os.IsNotExist(err) {
		t.Errorf("testhost: removing a rule: %v", err)
	}
	a.Release(t)
}

// shellQuote returns s as one word for a shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
