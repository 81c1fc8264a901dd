package exec

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestRunNoScripts(t *testing.T) {
	for _, dir := range []string{tempDir(t), "/nowhere/hooks"} {
		r := (&Hooks{Dir: dir, Name: "network"}).Run(context.Background(), Invocation{Args: []string{"net"}})
		if len(r.Scripts) != 0 || r.Err() != nil || !r.FirstStart().IsZero() || r.Started.IsZero() {
			t.Errorf("%s: %+v, want a success without calls", dir, r)
		}
	}
}

func TestRunNative(t *testing.T) {
	h := hooks(t, `printf '%s\n' "$0" "$#" "$@"; pwd; cat >&2`)
	before := time.Now()
	o := run(t, h, Invocation{Args: []string{"net", "start", "begin", "-"}, Stdin: []byte("<hookData>\n</hookData>")})
	if o.Err != nil || o.ExitCode != 0 || o.Signal != 0 || o.LeftBehind {
		t.Fatalf("%+v", o)
	}
	want := h.Dir + "/network\n4\nnet\nstart\nbegin\n-\n/\n"
	if got := string(o.Stdout.Head); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(o.Stderr.Head); got != "<hookData>\n</hookData>" {
		t.Errorf("stdin was %q", got)
	}
	if o.Pid <= 0 || o.Started.Before(before) || o.Duration <= 0 || o.Duration > time.Since(before) {
		t.Errorf("pid %d, started %v, took %v", o.Pid, o.Started, o.Duration)
	}
}

func TestRunArguments(t *testing.T) {
	h := hooks(t, `tr '\0' '\n' </proc/$$/cmdline >/dev/null; cat /proc/$$/cmdline`)
	for _, name := range []string{
		"--help", "-", "--", "..", "/", "", "a b", " ", "a\nb", "\n", "ä€😀", "\xff\xfe", "$(reboot)", "`id`", "';#", `\`, "*", "~", "-n",
	} {
		o := run(t, h, Invocation{Args: []string{name, "plugged", "begin", "-"}})
		if o.Err != nil {
			t.Errorf("%q: %v", name, o.Err)
		}
		want := strings.Join([]string{"/bin/sh", h.Dir + "/network", name, "plugged", "begin", "-", ""}, "\x00")
		if got := string(o.Stdout.Head); got != want {
			t.Errorf("argv %q, want %q", got, want)
		}
	}
}

func TestRunUnpassable(t *testing.T) {
	h := hooks(t, "exit 0")
	for _, inv := range []Invocation{{Args: []string{"net\x00work"}}, {Env: []string{"HOOKBRIDGE_RUN=\x00"}}} {
		o := run(t, h, inv)
		var ours *RunError
		if !errors.As(o.Err, &ours) || ours.Kind != NotStarted || !strings.Contains(ours.Reason, "NUL") || o.Pid != 0 {
			t.Errorf("%+v, want a RunError about the NUL", o)
		}
	}
	o := run(t, h, Invocation{Args: []string{strings.Repeat("x", 1<<20)}})
	if !errors.Is(o.Err, syscall.E2BIG) {
		t.Errorf("%v, want E2BIG", o.Err)
	}
}

func TestRunEnvironment(t *testing.T) {
	h := hooks(t, `cat /proc/$$/environ`)
	all := []string{"LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LC_ALL", "LANG", "HOOKBRIDGE_SECRET"}
	for _, name := range all {
		t.Setenv(name, "") // so that it is restored
	}
	get := func() []string {
		o := run(t, h, Invocation{Env: []string{"HOOKBRIDGE_RUN=7", "HOOKBRIDGE_CAUSE=event"}})
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		return strings.Split(strings.TrimSuffix(string(o.Stdout.Head), "\x00"), "\x00")
	}

	for _, name := range all {
		os.Unsetenv(name)
	}
	if diff := cmp.Diff([]string{"LC_ALL=C", "HOOKBRIDGE_RUN=7", "HOOKBRIDGE_CAUSE=event"}, get()); diff != "" {
		t.Errorf("with nothing set (-want +got):\n%s", diff)
	}

	os.Setenv("LD_PRELOAD", "")
	os.Setenv("LD_LIBRARY_PATH", "/nowhere/lib")
	os.Setenv("PATH", "/usr/bin:/bin")
	os.Setenv("HOME", "/root")
	os.Setenv("USER", "root")
	os.Setenv("LOGNAME", "admin")
	os.Setenv("TMPDIR", "/tmp")
	os.Setenv("LC_ALL", "de_DE.UTF-8")
	os.Setenv("LANG", "de_DE.UTF-8")
	os.Setenv("HOOKBRIDGE_SECRET", "1")
	want := []string{
		"LC_ALL=C", "LD_PRELOAD=", "LD_LIBRARY_PATH=/nowhere/lib", "PATH=/usr/bin:/bin", "HOME=/root", "USER=root",
		"LOGNAME=admin", "TMPDIR=/tmp", "HOOKBRIDGE_RUN=7", "HOOKBRIDGE_CAUSE=event",
	}
	if diff := cmp.Diff(want, get()); diff != "" {
		t.Errorf("with all set (-want +got):\n%s", diff)
	}
}

// No descriptors but the three, also when a C library has opened some without
// close-on-exec.
func TestRunDescriptors(t *testing.T) {
	leaky, err := unix.Open("/dev/null", unix.O_RDWR, 0) // no O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaky)
	h := hooks(t, "")
	write(t, h.Dir+"/network", "#!/bin/ls /proc/self/fd\n", 0o755)
	// ls lists fd 3, by which it reads the directory, and its argument, the script.
	o := run(t, h, Invocation{})
	want := h.Dir + "/network\n\n/proc/self/fd:\n0\n1\n2\n3\n"
	if got := string(o.Stdout.Head); got != want {
		t.Errorf("got %q, want %q (%v)", got, want, o.Err)
	}
}

// The same without close_range(2).
func TestCloseOnExecEach(t *testing.T) {
	leaky, err := unix.Open("/dev/null", unix.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leaky)
	below, err := unix.FcntlInt(0, unix.F_GETFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeOnExecEach(3)
	if flags, err := unix.FcntlInt(uintptr(leaky), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %d, %v", flags, err)
	}
	if flags, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != nil || flags != below {
		t.Errorf("flags of stdin %d, were %d, %v", flags, below, err)
	}
}

// Signals are at their defaults and unblocked, whatever is blocked in the calling
// thread.
func TestRunSignals(t *testing.T) {
	h := hooks(t, "exec "+self(t))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var blocked, before unix.Sigset_t
	blocked.Val[0] = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGUSR1-1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	o := run(t, h, Invocation{Env: as(t, "signals")})
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(o.Stdout.Head)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	ignored := "0000000000000000"
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		// SIGHUP and SIGINT may be ignored by those who started the test.
		_, after, _ := strings.Cut(string(status), "SigIgn:\t")
		ignored, _, _ = strings.Cut(after, "\n")
	}
	want := map[string]string{"SigBlk": "0000000000000000", "SigIgn": ignored}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The thread got its own mask back.
	var now unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, nil, &now); err != nil || now.Val[0]&blocked.Val[0] != blocked.Val[0] {
		t.Errorf("mask %x, %v", now.Val[0], err)
	}
}

func TestRunProcessGroup(t *testing.T) {
	o := run(t, hooks(t, "cut -d' ' -f5 /proc/$$/stat"), Invocation{})
	if got, want := string(o.Stdout.Head), fmt.Sprintln(o.Pid); got != want {
		t.Errorf("process group %q, want %q", got, want)
	}
}

func TestRunStdin(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcde\n"), 10<<20/16)
	tests := []struct {
		name  string
		body  string
		stdin []byte
		want  string
	}{
		{"none is /dev/null", "readlink /proc/$$/fd/0", nil, "/dev/null\n"},
		{"one byte", "cat", []byte("x"), "x"},
		{"all of a pipe", "wc -c", big[:64<<10], "65536\n"},
		{"one more", "wc -c", big[:64<<10+1], "65537\n"},
		{"10 MB read", "sha256sum", big, fmt.Sprintf("%x  -\n", sha256.Sum256(big))},
		{"10 MB not read", "echo done", big, "done\n"},
		{"10 MB, closed at once", "exec <&-; echo done", big, "done\n"},
		{"10 MB, the head read", "head -c 5", big, "01234"},
		{"small, closed at once", "exec <&-; echo done", []byte("x"), "done\n"},
		{"read late", "read x <FIFO; wc -c", big[:100_000], "100000\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			go_ := newFifo(t)
			go_.send("")
			h := hooks(t, strings.ReplaceAll(tt.body, "FIFO", go_.path))
			o := run(t, h, Invocation{Stdin: tt.stdin})
			if o.Err != nil || string(o.Stdout.Head) != tt.want {
				t.Errorf("got %q, %v; want %q", o.Stdout.Head, o.Err, tt.want)
			}
		})
	}
}

func TestRunVerdict(t *testing.T) {
	tests := []struct {
		body   string
		exit   int
		signal syscall.Signal
		text   string
	}{
		{"exit 3", 3, 0, "exit status 3"},
		{"echo no VLAN for it >&2; exit 1", 1, 0, "exit status 1: no VLAN for it"},
		{"echo >&2; printf ' \\033[1mno\\033[0m\\tVLAN \\nmore\\n' >&2; exit 255", 255, 0, "exit status 255: ?[1mno?[0m?VLAN"},
		{"kill -9 $$", -1, syscall.SIGKILL, "killed by signal 9 (killed)"},
		{"echo ouch >&2; kill -TERM $$", -1, syscall.SIGTERM, "killed by signal 15 (terminated): ouch"},
		{"kill -PIPE $$", -1, syscall.SIGPIPE, "killed by signal 13 (broken pipe)"},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			h := hooks(t, tt.body)
			r := h.Run(context.Background(), Invocation{})
			o := only(t, r)
			if o.ExitCode != tt.exit || o.Signal != tt.signal {
				t.Errorf("exit %d, signal %d", o.ExitCode, o.Signal)
			}
			theirs := r.Verdict()
			if theirs == nil || !errors.Is(r.Err(), theirs) || r.Trouble() != nil {
				t.Fatalf("%v, want a ScriptError", r.Err())
			}
			if want := "hook script " + h.Dir + "/network: " + tt.text; theirs.Error() != want {
				t.Errorf("got  %v\nwant %s", theirs, want)
			}
		})
	}
}

// All scripts run in order, the worst result counts, and a script's own verdict is
// worse than ours.
func TestRunAll(t *testing.T) {
	h := hooks(t, "")
	log := filepath.Join(tempDir(t), "log")
	script := func(name, body string) {
		write(t, h.Dir+"/"+name, "#!/bin/sh\necho \"${0##*/} $1 $(cat)\" >>"+log+"\n"+body+"\n", 0o755)
	}
	script("network", "exit 1")
	script("network.d/10-b", "kill -9 $$")
	script("network.d/20-a", "echo last >&2; exit 7")
	script("network.d/9-c", "")
	write(t, h.Dir+"/network.d/00-refused", "#!/bin/sh\necho evil >>"+log+"\n", 0o757)
	write(t, h.Dir+"/network.d/00-broken", "echo broken >>"+log+"\n", 0o755)

	r := h.Run(context.Background(), Invocation{Args: []string{"net"}, Stdin: []byte("doc")})
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	want := "network net doc\n10-b net doc\n20-a net doc\n9-c net doc\n"
	if string(got) != want {
		t.Errorf("order:\n%s\nwant:\n%s", got, want)
	}
	var outcomes []string
	for _, o := range r.Scripts {
		outcomes = append(outcomes, fmt.Sprintf("%s %d %d %T", strings.TrimPrefix(o.Path, h.Dir+"/"), o.ExitCode, o.Signal, o.Err))
	}
	if diff := cmp.Diff([]string{
		"network 1 0 *exec.ScriptError",
		"network.d/00-broken -1 0 *exec.RunError",
		"network.d/00-refused -1 0 *exec.RunError",
		"network.d/10-b -1 9 *exec.ScriptError",
		"network.d/20-a 7 0 *exec.ScriptError",
		"network.d/9-c 0 0 <nil>",
	}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if v := r.Verdict(); v == nil || v.ExitCode != 1 || !errors.Is(r.Err(), v) {
		t.Errorf("verdict %v, want the first", v)
	}
	if ours := r.Trouble(); ours == nil || filepath.Base(ours.Path) != "00-broken" {
		t.Errorf("trouble %v, want the first", ours)
	}
	if first := r.FirstStart(); !first.Equal(r.Scripts[0].Started) {
		t.Errorf("first start %v, want %v", first, r.Scripts[0].Started)
	}

	// Ours alone, after a success.
	script("network", "")
	for _, name := range []string{"10-b", "20-a"} {
		os.Remove(h.Dir + "/network.d/" + name)
	}
	r = h.Run(context.Background(), Invocation{})
	if r.Verdict() != nil || r.Trouble() == nil || !errors.Is(r.Err(), r.Trouble()) {
		t.Errorf("verdict %v, trouble %v, error %v", r.Verdict(), r.Trouble(), r.Err())
	}
}

// A new script needs no restart, and a removed one is no error.
func TestRunLooksAnew(t *testing.T) {
	h := hooks(t, "")
	if r := h.Run(context.Background(), Invocation{}); len(r.Scripts) != 0 {
		t.Fatalf("%+v", r)
	}
	write(t, h.Dir+"/network", "#!/bin/sh\n", 0o755)
	if o := run(t, h, Invocation{}); o.Err != nil {
		t.Fatal(o.Err)
	}
	os.Remove(h.Dir + "/network")
	if r := h.Run(context.Background(), Invocation{}); len(r.Scripts) != 0 || r.Err() != nil {
		t.Fatalf("%+v", r)
	}
}

// The package manager renames a new version over a running script: the running one
// goes on in its old text, the next call takes the new.
func TestRunReplaced(t *testing.T) {
	here, goOn := newFifo(t), newFifo(t)
	h := hooks(t, "echo here >"+here.path+"\nread x <"+goOn.path+"\necho old")
	done := make(chan Outcome, 1)
	go func() { done <- h.Run(context.Background(), Invocation{}).Scripts[0] }()
	here.line()
	fresh := write(t, h.Dir+"/network.dpkg-new", "#!/bin/sh\necho new\n", 0o755)
	if err := os.Rename(fresh, h.Dir+"/network"); err != nil {
		t.Fatal(err)
	}
	goOn.send("")
	if o := <-done; o.Err != nil || string(o.Stdout.Head) != "old\n" {
		t.Errorf("the running one: %q, %v", o.Stdout.Head, o.Err)
	}
	if o := run(t, h, Invocation{}); o.Err != nil || string(o.Stdout.Head) != "new\n" {
		t.Errorf("the next one: %q, %v", o.Stdout.Head, o.Err)
	}
}

// A script may run hooks itself.
func TestRunReentered(t *testing.T) {
	inner := hooks(t, `printf '%s: ' "$*"; cat`)
	outer := hooks(t, "exec "+self(t))
	o := run(t, outer, Invocation{Env: as(t, "run", inner.Dir)})
	if want := "inner start begin -: inner document"; o.Err != nil || string(o.Stdout.Head) != want {
		t.Errorf("got %q, %v; want %q", o.Stdout.Head, o.Err, want)
	}
}

// Many calls at once, with goleak and the race detector looking on.
func TestRunParallel(t *testing.T) {
	h := hooks(t, `read x; echo "$x $1"; echo "$1" >&2; exit "$2"`)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			o := h.Run(context.Background(), Invocation{
				Args:  []string{fmt.Sprint("net", i), fmt.Sprint(i)},
				Stdin: fmt.Appendf(nil, "doc%d\n", i),
			}).Scripts[0]
			want := fmt.Sprintf("doc%d net%d\n", i, i)
			if o.ExitCode != i || string(o.Stdout.Head) != want || o.Stderr.FirstLine() != fmt.Sprint("net", i) {
				t.Errorf("call %d: %+v", i, o)
			}
		})
	}
	all.Wait()
}

// Nothing stays open after a call.
func TestRunLeaksNoDescriptors(t *testing.T) {
	h := hooks(t, "cat >/dev/null")
	broken := hooks(t, "")
	write(t, broken.Dir+"/network", "no shebang\n", 0o755)
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	run(t, h, Invocation{}) // the poller opens its own
	before := count()
	for range 20 {
		run(t, h, Invocation{Stdin: []byte("x")})
		run(t, h, Invocation{Stdin: make([]byte, 100_000)})
		run(t, broken, Invocation{Stdin: make([]byte, 100_000)})
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
