package gate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hookbridge/internal/gate/ask"
)

// shells are those that are /bin/sh somewhere.
var shells = [][]string{{"dash"}, {"busybox", "sh"}, {"bash", "--posix"}}

// hard is a document with what shells lose: line ends at the end, none, carriage
// returns, backslashes, bytes that dash uses inside itself; and of a size that no
// pipe holds.
var hard = []byte("<domain>\n  <title>\\n $HOME `id` %s\r\n\x81\x88\xff é</title>\n" + strings.Repeat("<disk/>\t \n", 20000) + "</domain>\n\n\n")

// oddGuest is a guest's name.
const oddGuest = "-e a  b'\"$(touch no)\n*"

// A rig is a shim with a program and a kept script that write down what they get.
type rig struct {
	place
	shell    []string
	settings settings
}

func newRig(t *testing.T, shell []string) rig {
	t.Helper()
	if _, err := exec.LookPath(shell[0]); err != nil {
		t.Fatalf("%s is needed: %v", shell[0], err)
	}
	r := rig{place: newPlace(t), shell: shell, settings: testSettings(t)}
	r.settings.Binary = filepath.Join(r.dir, "hook bridge's")
	r.script(r.settings.Binary, "asked", "exit 0")
	return r
}

// script writes a script that records its arguments and stdin under a name.
func (r rig) script(path, name, then string) {
	r.t.Helper()
	text := fmt.Sprintf("#!/bin/sh\nPATH=$PATH:/bin:/usr/bin\nfor a; do printf '%%s\\0' \"$a\"; done >'%[1]s/%[2]s.args'\n"+
		"printf %%s \"$0\" >'%[1]s/%[2]s.self'\ncat >'%[1]s/%[2]s.stdin'\n%[3]s\n", r.dir, name, then)
	r.write(path, text, 0o755)
}

func (r rig) keep(then string) { r.script(r.keptPath(), "kept", then) }

func (r rig) put() {
	r.t.Helper()
	text, err := r.settings.script(r.keptPath())
	if err != nil {
		r.t.Fatal(err)
	}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if string(line) != "#!/bin/sh" {
		r.t.Fatal("no shell's line")
	}
	path, err := exec.LookPath(r.shell[0])
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(r.path(), "#!"+path+" "+strings.Join(r.shell[1:], " ")+"\n"+string(rest), 0o755)
}

// did is what a call of the shim did.
type did struct {
	pid, status    int
	stdout, stderr string
}

// call runs the shim as libvirtd does.
func (r rig) call(op string) did {
	r.t.Helper()
	return r.callWith(exec.Command(r.path(), oddGuest, op, "begin", "-"))
}

func (r rig) callWith(cmd *exec.Cmd) did {
	r.t.Helper()
	for _, name := range []string{"asked", "kept"} {
		for _, what := range []string{".args", ".stdin", ".self"} {
			_ = os.Remove(filepath.Join(r.dir, name+what))
		}
	}
	var stdout, stderr bytes.Buffer
	if cmd.Stdin == nil {
		cmd.Stdin = bytes.NewReader(hard)
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if cmd.Env == nil {
		cmd.Env = []string{"LC_ALL=C", "PATH=/nothing/here"}
	}
	cmd.Dir = "/"
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("the shim could not be run: %v", err)
	}
	return did{cmd.Process.Pid, cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (r rig) recorded(name, what string) (string, bool) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name+"."+what))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(text), err == nil
}

// ran checks whether one of the two ran, and if so what it was given.
func (r rig) ran(name string, want bool, wantArgs string) {
	r.t.Helper()
	args, ran := r.recorded(name, "args")
	if ran != want {
		r.t.Errorf("%s ran: %v, want %v", name, ran, want)
	}
	if !ran {
		return
	}
	if args != wantArgs {
		r.t.Errorf("%s got the arguments %q, want %q", name, args, wantArgs)
	}
	if stdin, _ := r.recorded(name, "stdin"); stdin != string(hard) {
		r.t.Errorf("%s got %d bytes on stdin that are not the document's %d", name, len(stdin), len(hard))
	}
}

func (r rig) want(got did, status int, stdout string) {
	r.t.Helper()
	if got.status != status || got.stdout != stdout {
		r.t.Errorf("status %d, %d bytes of stdout, want %d, %d; stderr %q", got.status, len(got.stdout), status, len(stdout), got.stderr)
	}
	document := fmt.Sprintf("/run/hookbridge-gate.%d", got.pid)
	if _, err := os.Lstat(document); !errors.Is(err, os.ErrNotExist) {
		r.t.Errorf("%s is left (%v)", document, err)
	}
}

func native(op string) string { return strings.Join([]string{oddGuest, op, "begin", "-", ""}, "\x00") }

func (r rig) asked(op string) string {
	return strings.Join([]string{"gate", "run", "--guest", "qemu", "--socket", "/run/it's here.sock", "--timeout", "20s",
		"--unavailable", string(r.settings.Unavailable), "--pid", fmt.Sprint(os.Getpid()), "--", ""}, "\x00") + native(op)
}

func eachShell(t *testing.T, test func(t *testing.T, r rig)) {
	for _, shell := range shells {
		t.Run(shell[0], func(t *testing.T) {
			r := newRig(t, shell)
			r.put()
			test(t, r)
		})
	}
}

var (
	handedOps = []string{"prepare", "start", "stopped", "release", "reconnect"}
	passedOps = []string{"started", "attach", "migrate", "restore", "whatever"}
)

// echo is what has to come out where no script has a say.
func echo(op string) string {
	if op == "migrate" || op == "restore" {
		return string(hard)
	}
	return ""
}

func TestShimAlone(t *testing.T) {
	eachShell(t, func(t *testing.T, r rig) {
		for _, op := range handedOps {
			r.want(r.call(op), 0, "")
			r.ran("asked", true, r.asked(op))
		}
		for _, op := range passedOps {
			r.want(r.call(op), 0, echo(op))
			r.ran("asked", false, "")
		}
		r.want(r.callWith(exec.Command(r.path())), 0, "")
	})
}

func TestShimRunsTheKeptScriptFirst(t *testing.T) {
	eachShell(t, func(t *testing.T, r rig) {
		r.keep("echo its own answer; exit 0")
		for _, op := range handedOps {
			r.want(r.call(op), 0, "its own answer\n")
			r.ran("kept", true, native(op))
			r.ran("asked", true, r.asked(op))
		}
		for _, op := range passedOps {
			r.want(r.call(op), 0, "its own answer\n")
			r.ran("kept", true, native(op))
			r.ran("asked", false, "")
		}
		if self, _ := r.recorded("kept", "self"); filepath.Dir(self) != r.dir {
			t.Errorf("the kept script is called %s: it would not find what lies beside it", self)
		}
	})
}

func TestShimObeysTheKeptScript(t *testing.T) {
	eachShell(t, func(t *testing.T, r rig) {
		r.keep("echo because >&2; exit 7")
		for _, op := range append([]string{"prepare", "start", "reconnect"}, passedOps...) {
			got := r.call(op)
			r.want(got, 7, "")
			if got.stderr != "because\n" {
				t.Errorf("stderr: %q", got.stderr)
			}
			r.ran("kept", true, native(op))
			r.ran("asked", false, "")
		}
		// libvirtd goes on after these, and so does the network's side.
		for _, op := range []string{"stopped", "release"} {
			r.want(r.call(op), 7, "")
			r.ran("asked", true, r.asked(op))
		}
		// A script that does not read its stdin is no error.
		r.write(r.keptPath(), "#!/bin/sh\nexit 0\n", 0o755)
		r.want(r.call("prepare"), 0, "")
		r.ran("asked", true, r.asked("prepare"))
		// The kept script gave no answer of its own, and none is made up.
		r.want(r.call("restore"), 0, "")
		// What libvirt would not run is not run.
		r.write(r.keptPath(), "#!/bin/sh\nexit 7\n", 0o644)
		r.want(r.call("prepare"), 0, "")
		r.want(r.call("restore"), 0, string(hard))
	})
}

func TestShimKeepsTheEnvironment(t *testing.T) {
	for _, env := range [][]string{{}, {"PATH=/nothing/here", "HOME=/root"}} {
		eachShell(t, func(t *testing.T, r rig) {
			r.write(r.keptPath(), "#!/bin/sh\n/usr/bin/env >'"+r.dir+"/env'; umask >>'"+r.dir+"/env'\n", 0o755)
			direct := exec.Command(r.keptPath(), "g", "prepare", "begin", "-")
			direct.Env = env
			r.callWith(direct)
			want := r.read(r.dir + "/env")
			for _, op := range []string{"prepare", "started"} {
				cmd := exec.Command(r.path(), "g", op, "begin", "-")
				cmd.Env = env
				r.want(r.callWith(cmd), 0, "")
				if got := ownVariables(r.read(r.dir+"/env"), len(env) > 0); got != ownVariables(want, len(env) > 0) {
					t.Errorf("%s: environment:\n%s\nwant:\n%s", op, got, want)
				}
			}
		})
	}
}

// ownVariables leaves out what shells put there by themselves. A PATH is such
// where there was none.
func ownVariables(env string, path bool) string {
	var all []string
	for _, line := range strings.Split(env, "\n") {
		name, _, _ := strings.Cut(line, "=")
		switch {
		case name == "_" || name == "SHLVL" || name == "PWD" || name == "OLDPWD":
		case name == "PATH" && !path:
		default:
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

func TestShimAnswers(t *testing.T) {
	eachShell(t, func(t *testing.T, r rig) {
		for _, policy := range []ask.Policy{ask.Allow, ask.Deny} {
			r.settings.Unavailable = policy
			r.put()
			for status, refuses := range map[int]bool{0: false, 1: true, 2: policy == ask.Deny, 126: policy == ask.Deny, 139: policy == ask.Deny} {
				r.script(r.settings.Binary, "asked", fmt.Sprintf("echo words >&2; exit %d", status))
				for _, op := range handedOps {
					want := 0
					if refuses && (op == "prepare" || op == "start") {
						want = 1
					}
					got := r.call(op)
					r.want(got, want, "")
					if !strings.HasPrefix(got.stderr, "words\n") {
						t.Errorf("stderr: %q", got.stderr)
					}
				}
			}
		}
	})
}

func TestShimWithoutTheProgram(t *testing.T) {
	eachShell(t, func(t *testing.T, r rig) {
		r.settings.Unavailable = ask.Deny
		r.put()
		for _, broken := range []func() error{
			func() error { return os.Chmod(r.settings.Binary, 0o644) },
			func() error { return os.Remove(r.settings.Binary) },
			func() error { return os.Mkdir(r.settings.Binary, 0o755) },
		} {
			if err := broken(); err != nil {
				t.Fatal(err)
			}
			for _, op := range append(passedOps, handedOps...) {
				r.want(r.call(op), 0, echo(op))
			}
		}
		r.keep("echo mine; exit 3")
		for _, op := range append(passedOps, handedOps...) {
			r.want(r.call(op), 3, "mine\n")
			r.ran("kept", true, native(op))
		}
	})
}

// libvirtd 1.1.1 can start scripts without a standard input.
func TestShimWithClosedDescriptors(t *testing.T) {
	for _, closed := range []string{"0<&-", "0<&- 1>&-", "2>&-", "0<&- 1>&- 2>&-"} {
		eachShell(t, func(t *testing.T, r rig) {
			for _, kept := range []bool{false, true} {
				if kept {
					r.keep("exit 0")
				}
				for _, op := range append(passedOps, handedOps...) {
					cmd := exec.Command("/bin/sh", "-c", `exec "$@" `+closed, "sh", r.path(), "g", op, "begin", "-")
					cmd.Stdin = strings.NewReader("")
					r.want(r.callWith(cmd), 0, "")
					if stdin, ran := r.recorded("kept", "stdin"); ran != kept || stdin != "" {
						t.Errorf("%s %s: kept script: ran %v, %d bytes of stdin", closed, op, ran, len(stdin))
					}
				}
			}
		})
	}
}

// One hook may be a link to another, or somebody may have copied the shim.
func TestShimBehindALink(t *testing.T) {
	eachShell(t, func(t *testing.T, r rig) {
		link := filepath.Join(r.dir, "lxc")
		if err := os.Symlink("qemu", link); err != nil {
			t.Fatal(err)
		}
		r.want(r.callWith(exec.Command(link, oddGuest, "prepare", "begin", "-")), 0, "")
		r.ran("asked", false, "")
		r.keep("exit 4")
		r.want(r.callWith(exec.Command(link, oddGuest, "prepare", "begin", "-")), 4, "")
		r.ran("kept", true, native("prepare"))
		r.ran("asked", false, "")

		r.write(r.keptPath(), r.read(r.path()), 0o755)
		r.want(r.call("prepare"), 0, "")
		r.ran("asked", true, r.asked("prepare"))
	})
}

func TestPassThrough(t *testing.T) {
	eachShell(t, func(t *testing.T, r rig) {
		r.settings.PassThrough = true
		r.keep("exit 5")
		r.put()
		for _, op := range append(passedOps, handedOps...) {
			r.want(r.call(op), 0, echo(op))
			r.ran("kept", false, "")
			r.ran("asked", false, "")
		}
	})
}
