package history

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("HISTORY_TEST_WRITE"); dir != "" {
		writeForEver(dir)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, dir string, limits Limits) *Log {
	t.Helper()
	l, err := Open(dir, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// runs returns the run ids of what is read.
func runs(t *testing.T, l *Log, f Filter) []string {
	t.Helper()
	all := []string{}
	for e, err := range l.Read(f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Run)
	}
	return all
}

func numbered(n int) Entry {
	return Entry{Run: fmt.Sprint(n), Network: "front", Op: "plugged", Result: "exit 0", Time: time.Unix(int64(n), 0).UTC()}
}

func TestEntriesComeBackAsTheyWere(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Limits{})
	code := 3
	want := Entry{
		Time: time.Now().UTC().Round(0), Run: "r", Cause: "event", Retry: true, Network: "a\nb", Op: "plugged", Conn: "qemu:///system",
		Domain: "g <\"é\">", UUID: "u", MAC: "m", Script: "/x", Result: "exit 3", Failed: true, Exit: &code,
		Duration: Duration(1234 * time.Microsecond), Latency: Duration(5 * time.Millisecond),
		Undo: "done", UndoText: "undone: it", Output: "line\nline \x00 \u2028",
	}
	l.Append(want)
	for e, err := range l.Read(Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, e); d != "" {
			t.Error(d)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "runs-0000000001.jsonl"))
	if err != nil || strings.Count(string(text), "\n") != 1 || !json.Valid(text) {
		t.Errorf("not one line of JSON: %v %q", err, text)
	}
	if info, _ := os.Stat(filepath.Join(dir, "runs-0000000001.jsonl")); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestFilter(t *testing.T) {
	l := open(t, t.TempDir(), Limits{})
	for i, change := range []func(*Entry){
		func(*Entry) {},
		func(e *Entry) { e.Network = "back" },
		func(e *Entry) { e.Op = "start" },
		func(e *Entry) { e.Domain, e.UUID = "g", "u" },
		func(e *Entry) { e.Failed = true },
	} {
		e := numbered(i)
		change(&e)
		l.Append(e)
	}
	for want, f := range map[string]Filter{
		"0 1 2 3 4": {},
		"1":         {Network: "back"},
		"2":         {Op: "start"},
		"3":         {Domain: "g"},
		"4":         {Failed: true},
		"2 3 4":     {Since: time.Unix(2, 0)},
		"":          {Network: "back", Op: "start"},
	} {
		if got := strings.Join(runs(t, l, f), " "); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
	if got := runs(t, l, Filter{Domain: "u"}); len(got) != 1 {
		t.Errorf("by UUID: %q", got)
	}
	for range l.Read(Filter{}) {
		break // the iterator may be left early
	}
}

func TestLimits(t *testing.T) {
	const n = 1000
	size := func(dir string) (bytes int64) {
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			info, _ := f.Info()
			bytes += info.Size()
		}
		return bytes
	}
	for name, limits := range map[string]Limits{
		"entries": {Entries: 80, Buffer: n}, "bytes": {Bytes: 8000, Buffer: n}, "one": {Entries: 1, Buffer: n},
		"entries larger than a segment": {Bytes: 100, Buffer: n},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, limits)
			for i := range n {
				l.Append(numbered(i))
				if i%100 == 0 { // over a restart, too
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
					l = open(t, dir, limits)
				}
			}
			got := runs(t, l, Filter{})
			if limits.Entries > 0 && (len(got) > limits.Entries || len(got) < limits.Entries*3/4) {
				t.Errorf("%d entries, the limit is %d", len(got), limits.Entries)
			}
			if limits.Bytes >= 8000 && (size(dir) > limits.Bytes || size(dir) < limits.Bytes*3/4) {
				t.Errorf("%d bytes, the limit is %d", size(dir), limits.Bytes)
			}
			for i, run := range got {
				if want := fmt.Sprint(n - len(got) + i); run != want {
					t.Fatalf("entry %d is %s, want %s: the newest are to be kept, in order", i, run, want)
				}
			}
			if len(got) == 0 {
				t.Error("nothing was kept")
			}
		})
	}
}

func TestTornLinesAreToleratedAndCutOff(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Limits{Entries: 16})
	for i := range 3 {
		l.Append(numbered(i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(dir, "runs-0000000002.jsonl")
	f, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("not JSON\n{\"run\":\"torn")
	_ = f.Close()
	if err := os.WriteFile(filepath.Join(dir, "runs-notes.jsonl"), []byte("somebody else's"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for e, err := range Read(dir, Filter{}) { // as another process
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Run)
	}
	if d := cmp.Diff([]string{"0", "1", "2"}, got); d != "" {
		t.Error(d)
	}
	l = open(t, dir, Limits{Entries: 16})
	l.Append(numbered(3))
	if d := cmp.Diff([]string{"0", "1", "2", "3"}, runs(t, l, Filter{})); d != "" {
		t.Error(d)
	}
}

func TestNoHistory(t *testing.T) {
	for _, err := range Read(filepath.Join(t.TempDir(), "none"), Filter{}) {
		t.Errorf("an entry or an error of nothing: %v", err)
	}
	if _, err := Open("/proc/none", Limits{}); err == nil {
		t.Error("opened where nothing can be")
	}
}

// Whoever appends does not wait: what does not fit is dropped and counted.
func TestDropsAreCounted(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Limits{Buffer: 1})
	const n = 10_000
	for i := range n {
		l.Append(numbered(i))
	}
	l.Flush()
	if got := uint64(len(runs(t, l, Filter{}))) + l.Dropped(); got != n {
		t.Errorf("%d kept or counted as dropped, want %d", got, n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := l.Dropped()
	l.Append(numbered(1))
	if l.Dropped() != before+1 {
		t.Error("an entry after Close is not counted")
	}
	l.Flush()
	if err := l.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// A file system that is full, or a directory that is gone, is no reason to stop.
func TestWhatCannotBeWrittenIsCounted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "h")
	l := open(t, dir, Limits{})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	l.Append(numbered(1))
	l.Flush()
	if l.Dropped() != 1 {
		t.Errorf("%d dropped, want 1", l.Dropped())
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l.Append(numbered(2))
	if d := cmp.Diff([]string{"2"}, runs(t, l, Filter{})); d != "" {
		t.Error(d)
	}
	if err := l.Close(); err == nil {
		t.Error("Close does not tell what could not be written")
	}
}

func TestManyAtOnce(t *testing.T) {
	const writers, each = 8, 200
	l := open(t, t.TempDir(), Limits{Entries: 500, Buffer: writers * each})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Append(numbered(w*each + i))
				if i%50 == 0 {
					for _, err := range l.Read(Filter{Failed: true}) {
						t.Errorf("read: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(runs(t, l, Filter{})); n > 500 || n < 400 {
		t.Errorf("%d entries", n)
	}
}

func writeForEver(dir string) {
	l, err := Open(dir, Limits{Entries: 1 << 20, Bytes: 1 << 30})
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		l.Append(numbered(i))
		if i == 2000 {
			fmt.Println("going") // the test kills this process soon
		}
		if i%512 == 0 {
			l.Flush()
		}
	}
}

// Killed at any instant, with what was written there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HISTORY_TEST_WRITE="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	l := open(t, dir, Limits{Entries: 1 << 20, Bytes: 1 << 30})
	got := runs(t, l, Filter{})
	if len(got) < 1000 {
		t.Errorf("%d entries are left", len(got))
	}
	for i, run := range got {
		if run != fmt.Sprint(i) {
			t.Fatalf("entry %d is %s", i, run)
		}
	}
}
