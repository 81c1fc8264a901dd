package testhost

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// DefaultWait bounds each wait for calls. A guest's first start on a busy
// machine without KVM takes seconds.
const DefaultWait = 2 * time.Minute

// Call is one call of a hook script.
type Call struct {
	Time  time.Time // when the script began
	Args  []string  // Args[0] is the script's path
	Env   []string  // in the order given, as NAME=VALUE
	Cwd   string
	Stdin []byte
}

// Hook returns the name of the script: network, qemu, lxc.
func (c Call) Hook() string { return filepath.Base(c.arg(0)) }

// Object returns the network or guest that the call is about.
func (c Call) Object() string { return c.arg(1) }

// Op returns the operation.
func (c Call) Op() string { return c.arg(2) }

// SubOp returns the sub-operation.
func (c Call) SubOp() string { return c.arg(3) }

func (c Call) arg(n int) string {
	if n < len(c.Args) {
		return c.Args[n]
	}
	return ""
}

// String returns the call in one line, without the document.
func (c Call) String() string {
	return fmt.Sprintf("%s %s (%d bytes)", c.Hook(), strings.Join(c.Args[min(1, len(c.Args)):], " "), len(c.Stdin))
}

// Log is the record of calls that one or more recorder scripts keep. It may be
// used from any goroutine.
type Log struct {
	dir string // holds calls/, one file per call, and rules/
}

// NewLog makes an empty log. Its directory goes with the test. The name is for
// the eyes of whoever looks at the directory.
func NewLog(t testing.TB, name string) *Log {
	t.Helper()
	l := &Log{dir: filepath.Join(t.TempDir(), name)}
	for _, dir := range []string{l.callDir(), l.ruleDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatalf("testhost: %v", err)
		}
	}
	return l
}

func (l *Log) callDir() string { return filepath.Join(l.dir, "calls") }
func (l *Log) ruleDir() string { return filepath.Join(l.dir, "rules") }

// Calls returns the calls so far, in the order in which they began. A call is
// there as soon as the script has read its stdin, before it ends.
func (l *Log) Calls() ([]Call, error) {
	entries, err := os.ReadDir(l.callDir())
	if err != nil {
		return nil, err
	}
	var out []Call
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		record, err := os.ReadFile(filepath.Join(l.callDir(), e.Name()))
		if errors.Is(err, os.ErrNotExist) { // Clear
			continue
		}
		if err != nil {
			return nil, err
		}
		c, err := parseCall(record)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", e.Name(), err)
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Call) int { return a.Time.Compare(b.Time) })
	return out, nil
}

// MustCalls is [Log.Calls] for tests: it fails the test on an error.
func (l *Log) MustCalls(t testing.TB) []Call {
	t.Helper()
	calls, err := l.Calls()
	if err != nil {
		t.Fatalf("testhost: reading the log of calls: %v", err)
	}
	return calls
}

// Clear forgets the calls so far.
func (l *Log) Clear(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(l.callDir())
	if err != nil {
		t.Fatalf("testhost: %v", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // still being written
			continue
		}
		if err := os.Remove(filepath.Join(l.callDir(), e.Name())); err != nil {
			t.Fatalf("testhost: %v", err)
		}
	}
}

// Wait returns the calls as soon as enough says that they are enough, and fails
// the test with a list of the calls when that takes longer than [DefaultWait].
// The text says what is awaited.
func (l *Log) Wait(t testing.TB, what string, enough func([]Call) bool) []Call {
	t.Helper()
	var calls []Call
	err := awaitDir(l.callDir(), DefaultWait, func() (bool, error) {
		var err error
		calls, err = l.Calls()
		return err == nil && enough(calls), err
	})
	if err != nil {
		t.Fatalf("testhost: waiting for %s: %v; the calls so far:\n%s", what, err, Summary(calls))
	}
	return calls
}

// WaitN waits for at least n calls.
func (l *Log) WaitN(t testing.TB, n int) []Call {
	t.Helper()
	return l.Wait(t, fmt.Sprintf("%d calls", n), func(c []Call) bool { return len(c) >= n })
}

// WaitFor waits for a call of that operation for that network or guest and
// returns the last one.
func (l *Log) WaitFor(t testing.TB, object, op string) Call {
	t.Helper()
	var found Call
	l.Wait(t, op+" of "+object, func(calls []Call) bool {
		for _, c := range calls {
			if c.Object() == object && c.Op() == op {
				found = c
			}
		}
		return found.Args != nil
	})
	return found
}

// Summary returns the calls as text, a line each.
func Summary(calls []Call) string {
	var b strings.Builder
	for _, c := range calls {
		fmt.Fprintf(&b, "  %s %s\n", c.Time.Format("15:04:05.000"), c)
	}
	return b.String()
}

// parseCall reads one file that the recorder script has written: time, working
// directory and number of arguments, a line each; then the arguments and the
// environment, each string ended by NUL; an empty string; the rest is stdin.
func parseCall(record []byte) (Call, error) {
	var c Call
	var head [3]string
	rest := record
	for i := range head {
		line, tail, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return c, errors.New("short header")
		}
		head[i], rest = string(line), tail
	}
	ns, err := strconv.ParseInt(head[0], 10, 64)
	if err != nil {
		return c, fmt.Errorf("time: %w", err)
	}
	argc, err := strconv.Atoi(head[2])
	if err != nil {
		return c, fmt.Errorf("number of arguments: %w", err)
	}
	c.Time, c.Cwd = time.Unix(0, ns), head[1]
	for {
		s, tail, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return c, errors.New("short list of strings")
		}
		rest = tail
		if len(c.Args) < argc {
			c.Args = append(c.Args, string(s))
			continue
		}
		if len(s) == 0 {
			break
		}
		c.Env = append(c.Env, string(s))
	}
	c.Stdin = rest
	return c, nil
}

// errNothing says that what was waited for has not come.
var errNothing = errors.New("nothing")

// awaitDir calls done now and after every change in the directory, until it
// says yes, fails, or the time is over, which is [errNothing].
func awaitDir(dir string, patience time.Duration, done func() (bool, error)) error {
	watch, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watch.Close()
	// First watch, then look: nothing can fall in between.
	if err := watch.Add(dir); err != nil {
		return err
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-watch.Events:
		case err := <-watch.Errors:
			return err
		case <-deadline.C:
			return fmt.Errorf("%w after %v", errNothing, patience)
		}
	}
}
