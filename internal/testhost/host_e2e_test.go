//go:build e2e

package testhost

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestHostsSideBySide(t *testing.T) {
	t.Parallel()
	// The same names, addresses and MACs on both, at the same time.
	ready := make(chan *Host, 2)
	for range 2 {
		t.Run("host", func(t *testing.T) {
			t.Parallel()
			h := Start(t)
			h.DefineAndStart(t, NAT("n1", 41))
			h.StartGuest(t, Guest{Name: "g", NICs: cards("n1")})
			ready <- h
			wantCalls(t, h.Native(), "n1 start", "n1 started", port("n1", "created", 1))
			if out := h.Virsh(t, "list", "--name"); strings.TrimSpace(out) != "g" {
				t.Errorf("guests: %q", out)
			}
		})
	}
	t.Cleanup(func() {
		if a, b := <-ready, <-ready; a.PID() == b.PID() {
			t.Error("one host, not two")
		}
	})
}

func TestClientOutsideReachesDaemon(t *testing.T) {
	t.Parallel()
	h := Start(t)
	h.CreateNetwork(t, Isolated("n1", 41))
	for uri, want := range map[string]string{
		"qemu:///system":  "n1",
		"lxc:///system":   "n1",
		"test:///default": "default",
	} {
		out, err := exec.Command("virsh", "-c", h.URI(uri), "net-list", "--name").CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("networks at %s: %v, %q, want %s", uri, err, out, want)
		}
	}
}

func TestCommandIsTheProgramItself(t *testing.T) {
	t.Parallel()
	h := Start(t, WithoutDaemon())
	cmd := h.Command(context.Background(), "sh", "-c", `trap 'exit 9' TERM; echo $$; readlink /proc/self/ns/net; pwd; while :; do sleep 0.01; done`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var got []string
	for len(got) < 3 && lines.Scan() {
		got = append(got, lines.Text())
	}
	inside, err := insidePID(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	netns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", h.PID()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{strconv.Itoa(inside), netns, "/"}, got); diff != "" {
		t.Errorf("inside (-want +got):\n%s", diff)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 9 {
		t.Errorf("after SIGTERM: %v, want the program's own exit status 9", err)
	}
}

func TestDaemonStopsHangsAndStarts(t *testing.T) {
	t.Parallel()
	h := Start(t, WithoutDaemon())
	if _, err := h.VirshErr("list"); err == nil {
		t.Fatal("virsh found a libvirtd that was not started")
	}
	h.StartDaemon(t)
	if got, err := os.Readlink(fmt.Sprintf("/proc/%d/root/proc/%d/exe", h.PID(), h.DaemonPIDInside(t))); err != nil || filepath.Base(got) != "libvirtd" {
		t.Errorf("the daemon's pid inside names %q, %v", got, err)
	}

	h.SignalDaemon(t, syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := h.Command(ctx, "virsh", "-c", "qemu:///system", "list").Run(); ctx.Err() == nil {
		t.Errorf("a stopped libvirtd answered: %v", err)
	}
	h.SignalDaemon(t, syscall.SIGCONT)
	h.Virsh(t, "list")

	h.StopDaemon(t)
	if _, err := h.VirshErr("list"); err == nil {
		t.Error("virsh found a libvirtd that was stopped")
	}
	h.StartDaemon(t)
	h.KillDaemon(t)
	h.StartDaemon(t)
	h.Virsh(t, "list")
}

// machine is what a host must not change.
type machine struct{ Links, Mounts []string }

func observe(t *testing.T) machine {
	t.Helper()
	var m machine
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		m.Links = append(m.Links, l.Name)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	m.Mounts = strings.Split(string(mounts), "\n")
	return m
}

func TestNothingIsLeftBehind(t *testing.T) {
	before := observe(t)
	h := Start(t, WithLXC())
	h.DefineAndStart(t, NAT("n1", 41))
	h.StartGuest(t, Guest{Name: "g", NICs: cards("n1")})
	h.CreateContainer(t, Container{Name: "c", NICs: []NIC{{Network: "n1", MAC: MAC(2)}}})
	h.WriteFile(t, "/var/lib/hookbridge/file", nil, 0o600)
	h.WriteFile(t, "/etc/hookbridge-test/file", nil, 0o600)
	// A command that nobody waits for must not keep the host alive.
	if err := h.Command(context.Background(), "sleep", "3600").Start(); err != nil {
		t.Fatal(err)
	}
	ns := pidNamespace(t, h.PID())
	if n := len(processesIn(t, ns)); n < 5 {
		t.Fatalf("%d processes in the host, want init, libvirtd, dnsmasq, QEMU, container and sleep", n)
	}
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	if left := processesIn(t, ns); len(left) != 0 {
		t.Errorf("processes left: %q", left)
	}
	if diff := cmp.Diff(before, observe(t)); diff != "" {
		t.Errorf("the machine has changed (-before +after):\n%s", diff)
	}
	groups, err := cgroupMounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if _, err := os.Stat(filepath.Join(g.dir, h.cgroup)); err == nil {
			t.Errorf("control group left in %s", g.dir)
		}
	}
	for _, file := range []string{"/var/lib/hookbridge/file", "/etc/hookbridge-test/file"} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s was written to the machine", file)
		}
	}
	if _, err := h.VirshErr("list"); err == nil {
		t.Error("a stopped host runs commands")
	}
}

// victimEnv makes the test below the one that is killed.
const victimEnv = "HOOKBRIDGE_TESTHOST_VICTIM"

func TestKilledTestLeavesNothing(t *testing.T) {
	if os.Getenv(victimEnv) != "" {
		h := Start(t)
		h.DefineAndStart(t, NAT("n1", 41))
		h.StartGuest(t, Guest{Name: "g", NICs: cards("n1")})
		fmt.Printf("\nhost %d\n", h.PID())
		select {}
	}
	victim := exec.Command("/proc/self/exe", "-test.run=^TestKilledTestLeavesNothing$")
	victim.Env = append(os.Environ(), victimEnv+"=1", "TMPDIR="+t.TempDir())
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(stdout); pid == 0 && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "host "); ok {
			if pid, err = strconv.Atoi(rest); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pid == 0 {
		t.Fatalf("the other test did not come up: %v", victim.Wait())
	}
	ns := pidNamespace(t, pid)
	if n := len(processesIn(t, ns)); n < 4 {
		t.Fatalf("%d processes in the host, want init, libvirtd, dnsmasq and QEMU", n)
	}
	init, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(init)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	victim.Wait() //nolint:errcheck // killed
	// The init process of a namespace ends last.
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(init), Events: unix.POLLIN}}, int(stopPatience.Milliseconds())); n != 1 {
		t.Fatalf("the host is still there after %v: %v", stopPatience, err)
	}
	if left := processesIn(t, ns); len(left) != 0 {
		t.Errorf("processes left: %q", left)
	}
}

func pidNamespace(t *testing.T, pid int) string {
	t.Helper()
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// processesIn returns the command lines of the processes in a pid namespace.
func processesIn(t *testing.T, ns string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, link := range links {
		if got, err := os.Readlink(link); err == nil && got == ns {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(link)), "cmdline"))
			if len(line) == 0 {
				continue // ended; its parent has not noticed yet
			}
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}
