//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"hookbridge/agent/check"
	"hookbridge/internal/testhost"
)

// checked is a private host that hookbridge check looks at.
type checked struct {
	*testhost.Host
	t   *testing.T
	env []string
}

func newChecked(t *testing.T, opts ...testhost.Option) *checked {
	t.Helper()
	t.Parallel()
	return &checked{Host: testhost.Start(t, opts...), t: t}
}

// check runs hookbridge check --json inside.
func (c *checked) check(args ...string) check.Report {
	c.t.Helper()
	return c.checkAs(0, args...)
}

func (c *checked) checkAs(uid uint32, args ...string) check.Report {
	c.t.Helper()
	program := binary(c.t)
	cmd := c.Command(c.t.Context(), program, append([]string{"check", "--json"}, args...)...)
	cmd.Env = append(cmd.Env, c.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if uid != 0 {
		// The program may lie where only root can go.
		cmd.Path = c.copyProgram()
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	var r check.Report
	if jsonErr := json.Unmarshal(stdout.Bytes(), &r); jsonErr != nil {
		c.t.Fatalf("check: %v, %v\n%s%s", err, jsonErr, &stdout, &stderr)
	}
	status := 0
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		status = exit.ExitCode()
	}
	if want := map[bool]int{true: 0, false: 1}[r.OK]; status != want || stderr.Len() > 0 {
		c.t.Errorf("exit status %d, want %d; stderr: %s", status, want, &stderr)
	}
	if took > 20*time.Second {
		c.t.Errorf("it took %v", took)
	}
	return r
}

func (c *checked) copyProgram() string {
	c.t.Helper()
	text, err := os.ReadFile(binary(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	c.WriteFile(c.t, "/run/test/hookbridge", text, 0o755)
	return "/run/test/hookbridge"
}

// finding returns the finding with an identifier and a level; the text must hold
// says.
func (c *checked) finding(r check.Report, id check.ID, level check.Level, says string) check.Finding {
	c.t.Helper()
	for _, f := range r.Findings {
		if f.ID == id && f.Level == level && strings.Contains(f.Text, says) {
			if level != check.OK && f.Remedy == "" {
				c.t.Errorf("no remedy: %+v", f)
			}
			return f
		}
	}
	c.t.Fatalf("no %s %s that says %q in %+v", level, id, says, r.Findings)
	return check.Finding{}
}

// gone checks that a finding is not there any more; says is empty, or a part of
// its text.
func (c *checked) gone(r check.Report, id check.ID, level check.Level, says ...string) {
	c.t.Helper()
	for _, f := range r.Findings {
		if f.ID == id && f.Level == level && strings.Contains(f.Text, strings.Join(says, "")) {
			c.t.Errorf("still there: %+v", f)
		}
	}
}

// mend runs a remedy inside, as an administrator would.
func (c *checked) mend(remedy string) {
	c.t.Helper()
	cmd := c.Command(c.t.Context(), "sh", "-c", remedy)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", remedy, err, out)
	}
}

func (c *checked) inside(fn func() error) {
	c.t.Helper()
	if err := c.Inside(fn); err != nil {
		c.t.Fatal(err)
	}
}

// files lists the files below directories that an agent uses, with the
// times of their last change.
func (c *checked) files() map[string]time.Time {
	c.t.Helper()
	all := map[string]time.Time{}
	for _, dir := range []string{"/etc/libvirt", "/etc/hookbridge", "/run/hookbridge", "/var/lib/hookbridge"} {
		root := c.Path(dir)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			all[strings.TrimPrefix(path, root)+" in "+dir] = info.ModTime()
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.t.Fatal(err)
		}
	}
	return all
}

// A host in order, by the eyes of one who only looks.
func TestCheckOfAHostInOrder(t *testing.T) {
	c := newChecked(t)
	before := c.files()
	r := c.check()
	if !r.OK {
		t.Errorf("%+v", r)
	}
	c.finding(r, check.Library, check.OK, "libvirt.so.0")
	c.finding(r, check.Libvirtd, check.OK, "qemu:///system answers: libvirt")
	c.finding(r, check.Features, check.OK, "network-events,")
	f := c.finding(r, check.NativeHooks, check.OK, "has the network hook with port-created")
	if !strings.Contains(f.Text, "hookbridge makes plugged, unplugged") {
		t.Errorf("%+v", f)
	}
	c.finding(r, check.Script, check.OK, "/etc/libvirt/hooks/network")
	if diff := cmp.Diff(before, c.files()); diff != "" {
		t.Errorf("looking has changed something:\n%s", diff)
	}
}

func TestCheckLibvirtdNotRunning(t *testing.T) {
	c := newChecked(t, testhost.WithoutDaemon())
	f := c.finding(c.check(), check.Libvirtd, check.Problem, "libvirtd does not run")
	c.mend(f.Remedy)
	// libvirtd -d returns when the socket is there.
	c.gone(c.check(), check.Libvirtd, check.Problem)
}

func TestCheckLibvirtdNotInstalled(t *testing.T) {
	c := newChecked(t, testhost.WithoutDaemon())
	var hidden []string
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"} {
		for _, name := range []string{"libvirtd", "virtqemud", "virtlxcd", "virtxend"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				hidden = append(hidden, filepath.Join(dir, name))
			}
		}
	}
	for _, path := range hidden {
		c.inside(func() error { return unix.Mount("/dev/null", path, "", unix.MS_BIND, "") })
	}
	f := c.finding(c.check(), check.Libvirtd, check.Problem, "libvirtd is not installed")
	if !strings.Contains(f.Remedy, "install") {
		t.Errorf("%+v", f)
	}
	for _, path := range hidden { // as if it was installed
		c.inside(func() error { return unix.Unmount(path, 0) })
	}
	c.StartDaemon(t)
	c.gone(c.check(), check.Libvirtd, check.Problem)
}

// libvirtd runs, with its socket where the client library does not look.
func TestCheckSocketElsewhere(t *testing.T) {
	c := newChecked(t, testhost.WithoutDaemon(), testhost.WithDaemonConf(`unix_sock_dir = "/run/elsewhere/libvirt"`))
	c.mend("mkdir -p /run/elsewhere/libvirt && libvirtd -d")
	f := c.finding(c.check(), check.Libvirtd, check.Problem, "with its sockets in /run/elsewhere/libvirt, and libvirt's client library looks for")
	uri, found := strings.CutPrefix(f.Remedy, "hookbridge check --connect ")
	if !found {
		t.Fatalf("%+v", f)
	}
	c.gone(c.check("--connect", strings.Trim(uri, "'")), check.Libvirtd, check.Problem)
}

// A gate that libvirtd, who looks for hooks at its start, has not seen.
func TestCheckGateNotNoticed(t *testing.T) {
	c := newChecked(t)
	c.mend(c.copyProgram() + " gate install --guest qemu")
	f := c.finding(c.check(), check.Gate, check.Warning, "libvirtd has not seen the gate /etc/libvirt/hooks/qemu yet")
	if !strings.Contains(strings.ToLower(f.Remedy), "restart libvirtd") {
		t.Errorf("%+v", f)
	}
	c.StopDaemon(t)
	c.StartDaemon(t)
	c.gone(c.check(), check.Gate, check.Warning, "has not seen")
}

// A libvirtd that hangs costs no more than the time that it is given.
func TestCheckLibvirtdHangs(t *testing.T) {
	c := newChecked(t)
	c.SignalDaemon(t, syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(c.DaemonPID(t), syscall.SIGCONT) })
	r := c.check()
	f := c.finding(r, check.Libvirtd, check.Problem, "did not answer in 5 s")
	if !strings.Contains(f.Text, "is stopped, by a signal") {
		t.Errorf("%+v", f)
	}
	c.finding(r, check.NativeHooks, check.OK, "port-created") // without its help
	c.mend(f.Remedy)
	c.gone(c.check(), check.Libvirtd, check.Problem)
}

func TestCheckLibvirtdRefuses(t *testing.T) {
	c := newChecked(t)
	conf := c.Path("/etc/libvirt/libvirtd.conf")
	good, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	set := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(conf, text, 0o644); err != nil {
			t.Fatal(err)
		}
		c.StopDaemon(t)
		c.StartDaemon(t)
	}
	set(bytes.ReplaceAll(good, []byte(`auth_unix_rw = "none"`), []byte(`auth_unix_rw = "sasl"`)))
	f := c.finding(c.check(), check.Libvirtd, check.Problem, "refuses the connection")
	if !strings.Contains(f.Remedy, `auth_unix_rw = "none"`) {
		t.Errorf("%+v", f)
	}
	set(good) // as the remedy says
	c.gone(c.check(), check.Libvirtd, check.Problem)
}

func TestCheckWithoutPermission(t *testing.T) {
	c := newChecked(t)
	if err := os.Chmod(c.Path("/run/libvirt/libvirt-sock"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := c.checkAs(65534)
	c.finding(r, check.Root, check.Warning, "not run as root")
	f := c.finding(r, check.Libvirtd, check.Problem, "no permission to open libvirtd's socket")
	if f.Remedy != "sudo hookbridge check" {
		t.Errorf("%+v", f)
	}
	c.gone(c.check(), check.Libvirtd, check.Problem) // sudo
}

// Somebody else behind the socket.
func TestCheckOtherProtocol(t *testing.T) {
	c := newChecked(t)
	socket := filepath.Join(c.Scratch(), "other.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadAtLeast(conn, make([]byte, 4096), 4)
			_, _ = conn.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	c.finding(c.check("--connect", "qemu+unix:///system?socket="+socket), check.Libvirtd, check.Problem, "speaks another protocol")
	c.gone(c.check("--connect", "qemu+unix:///system?socket=/run/libvirt/libvirt-sock"), check.Libvirtd, check.Problem)
}

// The client library is not there, or not as it should be.
func TestCheckLibrary(t *testing.T) {
	c := newChecked(t)
	library, err := filepath.EvalSymlinks(c.finding(c.check(), check.Library, check.OK, "libvirt.so.0").Subject)
	if err != nil {
		t.Fatal(err)
	}
	c.inside(func() error { return unix.Mount("/dev/null", library, "", unix.MS_BIND, "") })
	f := c.finding(c.check(), check.Library, check.Problem, "cannot be loaded")
	if !strings.Contains(f.Remedy, "install") {
		t.Errorf("%+v", f)
	}
	c.inside(func() error { return unix.Unmount(library, 0) })

	// A directory without it.
	dir, scratch := filepath.Dir(library), filepath.Join(c.Scratch(), "without")
	for _, d := range []string{scratch, scratch + "/upper", scratch + "/work"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.inside(func() error {
		if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, ""); err != nil {
			return err
		}
		for _, d := range []string{"/upper", "/work"} {
			if err := os.Mkdir(scratch+d, 0o755); err != nil {
				return err
			}
		}
		return unix.Mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+scratch+"/upper,workdir="+scratch+"/work")
	})
	c.mend("rm " + filepath.Join(dir, "libvirt.so.0*"))
	c.finding(c.check(), check.Library, check.Problem, "libvirt.so.0: cannot open shared object file")
	c.inside(func() error { return unix.Unmount(dir, 0) })
	c.gone(c.check(), check.Library, check.Problem)
}

// What an old library lacks is told, with what takes its place.
func TestCheckSymbols(t *testing.T) {
	c := newChecked(t)
	hide := "LD_PRELOAD=" + hider(t, c.Host)
	c.env = []string{hide, "HIDE_EXCEPT=" + oldSymbols(t, c.Host)}
	r := c.check()
	f := c.finding(r, check.Symbols, check.OK, "no virConnectNetworkEventRegisterAny (libvirt 1.2.1): instead")
	if !strings.Contains(f.Text, "no virConnectListAllDomains (libvirt 0.9.13): instead the older list calls") {
		t.Errorf("%+v", f)
	}
	c.finding(r, check.Features, check.OK, "without network-events (instead: status files")
	if !r.OK {
		t.Errorf("%+v", r)
	}
	c.env = []string{hide, "HIDE_SYMBOLS=virConnectDomainEventRegisterAny"}
	c.finding(c.check(), check.Symbols, check.Problem, "it lacks virConnectDomainEventRegisterAny")
	c.env = nil
	c.gone(c.check(), check.Symbols, check.Problem)
}

// A script that was ported to the new names and still knows the old ones.
func TestCheckDoubleNames(t *testing.T) {
	c := newChecked(t)
	both := []byte("#!/bin/sh\ncase $2 in plugged|port-created) exit 0;; esac\n")
	c.WriteFile(t, "/etc/libvirt/hooks/network", both, 0o755)
	f := c.finding(c.check(), check.DoubleNames, check.Warning, "names both plugged and port-created")
	if !strings.Contains(f.Remedy, "hook-dir of its own") {
		t.Errorf("%+v", f)
	}
	// The remedy's one half, and its other.
	c.WriteFile(t, hookDir+"/network", both, 0o755)
	c.gone(c.check("--hook-dir", hookDir), check.DoubleNames, check.Warning)
	c.mend("sed -i 's/|port-created//' /etc/libvirt/hooks/network")
	c.gone(c.check(), check.DoubleNames, check.Warning)

	c.finding(c.check("--ops", "start,plugged"), check.DoubleCalls, check.Warning, "start would be made twice")
	c.gone(c.check("--ops", "plugged,unplugged"), check.DoubleCalls, check.Warning)
	c.gone(c.check("--ops", "start,plugged", "--hook-dir", hookDir), check.DoubleCalls, check.Warning)
}

// libvirt was upgraded, libvirtd not restarted: what it runs counts, not what lies
// on the disk.
func TestCheckUpgradedNotRestarted(t *testing.T) {
	dir := t.TempDir()
	h := testhost.Start(t, testhost.WithoutDaemon(), testhost.WithDaemonEnv("LD_LIBRARY_PATH="+dir))
	c := &checked{Host: h, t: t}
	library := c.finding(c.check(), check.Library, check.OK, "libvirt.so.0").Subject
	text, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	// The host has what its own scratch directory has; this one lies beside it.
	c.inside(func() error { return os.MkdirAll(dir, 0o755) })
	path := filepath.Join(dir, "libvirt.so.0")
	put := func() {
		c.WriteFile(t, path+".new", text, 0o644)
		c.mend("mv " + path + ".new " + path)
	}
	put()
	c.StartDaemon(t)
	c.gone(c.check(), check.NativeHooks, check.Warning)
	put()
	f := c.finding(c.check(), check.NativeHooks, check.Warning, "upgraded on disk but not restarted")
	if !strings.Contains(strings.ToLower(f.Remedy), "restart libvirtd") {
		t.Errorf("%+v", f)
	}
	c.StopDaemon(t)
	c.StartDaemon(t)
	c.gone(c.check(), check.NativeHooks, check.Warning)
}

// Beside a running agent the state is in use, as it has to be.
func TestCheckBesideTheAgent(t *testing.T) {
	c := newChecked(t)
	c.InstallRecorder(t, hookDir)
	b := startBridge(t, c.Host)
	c.finding(c.check("--hook-dir", hookDir), check.Store, check.OK, "is in use by the agent with pid")
	b.stop(t)
	c.finding(c.check("--hook-dir", hookDir), check.Store, check.OK, "of this boot")
}

// The clock is before the day on which the program was installed.
func TestCheckClockBehind(t *testing.T) {
	c := newChecked(t)
	program := c.copyProgram()
	status := func() check.Report {
		t.Helper()
		out, _ := c.Command(t.Context(), program, "check", "--json").Output()
		var r check.Report
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return r
	}
	c.gone(status(), check.Clock, check.Warning)
	ahead := time.Now().AddDate(0, 0, 3)
	if err := os.Chtimes(c.Path(program), ahead, ahead); err != nil {
		t.Fatal(err)
	}
	c.finding(status(), check.Clock, check.Warning, "before this program was installed")
}

// Text for people: 80 columns, no colours off a terminal, a summary at the end.
func TestCheckForPeople(t *testing.T) {
	c := newChecked(t, testhost.WithoutDaemon())
	out, err := c.Command(t.Context(), binary(t), "check").Output()
	if err == nil {
		t.Error("exit status 0 without a libvirtd")
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if i := slices.IndexFunc(lines, func(l string) bool { return len([]rune(l)) > 80 || strings.Contains(l, "\x1b") }); i >= 0 {
		t.Errorf("%q", lines[i])
	}
	if !strings.Contains(string(out), "\nhookbridge would not work here: 1 problem") {
		t.Errorf("no summary:\n%s", out)
	}
}
