package testhost

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	daemonSocket    = "/run/libvirt/libvirt-sock"
	capabilitiesDir = "/var/cache/libvirt/qemu/capabilities"

	// daemonPatience bounds each wait for libvirtd.
	daemonPatience = 60 * time.Second
)

// daemon is one libvirtd process.
type daemon struct {
	cmd    *Cmd
	exited chan struct{}
}

func (d *daemon) ended() bool {
	select {
	case <-d.exited:
		return true
	default:
		return false
	}
}

// writeDaemonConfig writes the configuration of libvirtd and its QEMU driver.
func (h *Host) writeDaemonConfig() error {
	libvirtd := append([]string{
		`listen_tls = 0`,
		`listen_tcp = 0`,
		`auth_unix_ro = "none"`,
		`auth_unix_rw = "none"`,
		`unix_sock_group = "root"`,
		// Given, since the alternative is to look into the machine's firmware.
		// Each host its own: libvirt refuses to migrate to the same.
		fmt.Sprintf(`host_uuid = "7e57ed00-0000-4000-8000-%012d"`, h.PID()),
		`log_outputs = "2:file:/var/log/libvirt/libvirtd.log"`,
	}, h.opts.daemonConf...)
	qemu := []string{
		`user = "root"`,
		`group = "root"`,
		`dynamic_ownership = 0`,
		`remember_owner = 0`,
		`security_driver = "none"`,
		// All of this is isolation that the host as a whole already gives.
		`namespaces = []`,
		`cgroup_controllers = []`,
		`seccomp_sandbox = 0`,
		// No virtlogd: one process less to start and to end.
		`stdio_handler = "file"`,
		`vnc_listen = "127.0.0.1"`,
		`nographics_allow_host_audio = 0`,
	}
	for name, lines := range map[string][]string{
		"libvirtd.conf": libvirtd,
		"qemu.conf":     qemu,
		"lxc.conf":      {`security_driver = "none"`},
	} {
		content := strings.Join(lines, "\n") + "\n"
		if err := os.WriteFile(h.Path(filepath.Join("/etc/libvirt", name)), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return loadCapabilities(h.Path(capabilitiesDir))
}

// StartDaemon starts libvirtd and waits until it answers. It fails the test
// when libvirtd runs already, or does not come up.
func (h *Host) StartDaemon(t testing.TB) {
	t.Helper()
	if err := h.startDaemon(); err != nil {
		h.logDaemonOutput(t)
		t.Fatalf("testhost: starting libvirtd: %v", err)
	}
}

func (h *Host) startDaemon() error {
	h.mu.Lock()
	running := h.daemon != nil && !h.daemon.ended()
	h.mu.Unlock()
	if running {
		return errors.New("it is running")
	}
	out, err := os.OpenFile(filepath.Join(h.scratch, "log", "output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := h.Command(context.Background(), "libvirtd")
	cmd.Env = append(insideEnv(), h.opts.daemonEnv...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	d := &daemon{cmd: cmd, exited: make(chan struct{})}
	h.mu.Lock()
	h.daemon = d
	h.mu.Unlock()
	go func() {
		cmd.Wait() //nolint:errcheck // read from ProcessState where it matters
		close(d.exited)
	}()
	if err := h.awaitDaemon(d); err != nil {
		cmd.Process.Kill() //nolint:errcheck // it may be gone
		<-d.exited
		h.mu.Lock()
		h.daemon = nil
		h.mu.Unlock()
		return err
	}
	return nil
}

// awaitDaemon waits until libvirtd answers a call, which it does when all its
// drivers are up and autostart is done; its socket is there long before.
func (h *Host) awaitDaemon(d *daemon) error {
	socket := h.Path(daemonSocket)
	watch, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watch.Close()
	if err := watch.Add(filepath.Dir(socket)); err != nil {
		return err
	}
	deadline := time.NewTimer(daemonPatience)
	defer deadline.Stop()
	// The socket's file appears before libvirtd listens on it, and nothing
	// announces the latter.
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return awaitAnswer(conn, d.exited)
		}
		select {
		case <-watch.Events:
		case <-retry.C:
		case <-d.exited:
			return fmt.Errorf("it ended: %v", d.cmd.ProcessState)
		case <-deadline.C:
			return fmt.Errorf("no socket after %v: %w", daemonPatience, err)
		}
	}
}

// awaitAnswer asks libvirtd for its list of authentication methods, the one
// call that needs nothing before it, and waits for the answer.
func awaitAnswer(conn net.Conn, exited <-chan struct{}) error {
	defer conn.Close()
	answered := make(chan error, 1)
	go func() {
		const program, version, authList = 0x20008086, 1, 66
		var call bytes.Buffer
		for _, word := range []uint32{28, program, version, authList, 0 /* call */, 1 /* serial */, 0 /* ok */} {
			binary.Write(&call, binary.BigEndian, word) //nolint:errcheck // memory
		}
		_, err := conn.Write(call.Bytes())
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, 28))
		}
		answered <- err
	}()
	select {
	case err := <-answered:
		if err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		return nil
	case <-exited:
		return errors.New("it ended before it answered")
	case <-time.After(daemonPatience):
		return fmt.Errorf("no answer after %v", daemonPatience)
	}
}

// StopDaemon ends libvirtd in the orderly way and waits for its end. Guests and
// networks stay. Without a running libvirtd it does nothing.
func (h *Host) StopDaemon(t testing.TB) {
	t.Helper()
	h.endDaemon(t, syscall.SIGTERM)
}

// KillDaemon ends libvirtd with SIGKILL and waits for its end.
func (h *Host) KillDaemon(t testing.TB) {
	t.Helper()
	h.endDaemon(t, syscall.SIGKILL)
}

// RestartDaemon ends libvirtd with the given signal, SIGTERM or SIGKILL, and
// starts it again. Guests and networks stay.
func (h *Host) RestartDaemon(t testing.TB, sig syscall.Signal) {
	t.Helper()
	h.endDaemon(t, sig)
	h.StartDaemon(t)
}

func (h *Host) endDaemon(t testing.TB, sig syscall.Signal) {
	t.Helper()
	h.mu.Lock()
	d := h.daemon
	h.mu.Unlock()
	if d == nil {
		return
	}
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("testhost: signal %v for libvirtd: %v", sig, err)
	}
	select {
	case <-d.exited:
	case <-time.After(daemonPatience):
		t.Fatalf("testhost: libvirtd did not end within %v of signal %v", daemonPatience, sig)
	}
	h.mu.Lock()
	h.daemon = nil
	h.mu.Unlock()
}

// SignalDaemon sends a signal to libvirtd and waits for nothing: SIGSTOP and
// SIGCONT make it hang and go on, SIGHUP makes it reload.
func (h *Host) SignalDaemon(t testing.TB, sig syscall.Signal) {
	t.Helper()
	pid := h.DaemonPID(t)
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("testhost: signal %v for libvirtd: %v", sig, err)
	}
}

// DaemonPID returns libvirtd's process id as seen from outside. It fails the
// test when libvirtd is not running.
func (h *Host) DaemonPID(t testing.TB) int {
	t.Helper()
	h.mu.Lock()
	d := h.daemon
	h.mu.Unlock()
	if d == nil {
		t.Fatal("testhost: libvirtd is not running")
	}
	return d.cmd.Process.Pid
}

// DaemonPIDInside returns libvirtd's process id as seen inside the host.
func (h *Host) DaemonPIDInside(t testing.TB) int {
	t.Helper()
	pid, err := insidePID(h.DaemonPID(t))
	if err != nil {
		t.Fatalf("testhost: %v", err)
	}
	return pid
}

// insidePID translates a process id from outside to inside.
func insidePID(outside int) (int, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(outside), "status"))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(ids)
			return strconv.Atoi(f[len(f)-1])
		}
	}
	return 0, fmt.Errorf("process %d has no NSpid", outside)
}

func (h *Host) logDaemonOutput(t testing.TB) {
	t.Helper()
	logs, _ := filepath.Glob(filepath.Join(h.scratch, "log", "*"))
	more, _ := filepath.Glob(filepath.Join(h.scratch, "log", "*", "*.log"))
	for _, name := range append(logs, more...) {
		if b, err := os.ReadFile(name); err == nil && len(b) > 0 {
			t.Logf("%s:\n%s", strings.TrimPrefix(name, h.scratch+"/"), b)
		}
	}
}
