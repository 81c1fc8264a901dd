package testhost

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// stopPatience bounds the wait for the end of the init process after the order
// to end; the kernel needs milliseconds for it.
const stopPatience = 20 * time.Second

// Host is one private host. All methods may be called from any goroutine.
type Host struct {
	opts    options
	scratch string // same path inside and outside; outlives the host
	cgroup  string // name of its control groups, empty when it has none
	native  *Log

	init     *exec.Cmd
	lifeline io.Closer // closing it ends the init process
	initDone chan struct{}

	mu      sync.Mutex
	daemon  *daemon // the running libvirtd, nil when there is none
	started []*Cmd  // everything started inside, for the final reaping
	stopped bool

	hasLinks bool // AddLink was called

	stopOnce sync.Once
	stopErr  error
}

// Option changes what [Start] builds.
type Option func(*options)

type options struct {
	lxc         bool
	noDaemon    bool
	noNative    bool
	domainHooks bool
	daemonConf  []string
	daemonEnv   []string
}

// WithLXC gives the host what LXC guests need: control groups of its own.
// Without it, lxc:///system answers but starts no guest.
func WithLXC() Option { return func(o *options) { o.lxc = true } }

// WithoutDaemon leaves libvirtd for a later [Host.StartDaemon].
func WithoutDaemon() Option { return func(o *options) { o.noDaemon = true } }

// WithoutNativeHooks leaves libvirt's hook directory empty, as on a host where
// nobody wrote a hook yet.
func WithoutNativeHooks() Option { return func(o *options) { o.noNative = true } }

// WithDomainHooks records libvirt's qemu and lxc hooks too, in the same log as
// the network hook, so that their order against each other can be seen.
func WithDomainHooks() Option { return func(o *options) { o.domainHooks = true } }

// WithDaemonConf appends lines to libvirtd.conf.
func WithDaemonConf(lines ...string) Option {
	return func(o *options) { o.daemonConf = append(o.daemonConf, lines...) }
}

// WithDaemonEnv adds NAME=VALUE entries to libvirtd's environment, which is
// otherwise PATH, HOME, USER and LOGNAME only.
func WithDaemonEnv(env ...string) Option {
	return func(o *options) { o.daemonEnv = append(o.daemonEnv, env...) }
}

// Start builds a host and waits until its libvirtd answers. The host ends with
// the test. Start fails the test when the machine cannot run such a host: a
// skipped end-to-end test would look like a passed one.
func Start(t testing.TB, opts ...Option) *Host {
	t.Helper()
	h := &Host{initDone: make(chan struct{})}
	for _, o := range opts {
		o(&h.opts)
	}
	if err := preconditions(); err != nil {
		t.Fatalf("testhost: this machine cannot run a private libvirt host: %v", err)
	}

	h.scratch = t.TempDir()
	for _, dir := range []string{"log", "serial"} {
		if err := os.Mkdir(filepath.Join(h.scratch, dir), 0o755); err != nil {
			t.Fatalf("testhost: %v", err)
		}
	}
	if err := h.startInit(); err != nil {
		t.Fatalf("testhost: starting the private host: %v", err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Errorf("testhost: stopping the private host: %v", err)
		}
		if t.Failed() {
			h.logDaemonOutput(t)
		}
	})
	if err := h.writeDaemonConfig(); err != nil {
		t.Fatalf("testhost: configuring libvirtd: %v", err)
	}
	h.native = NewLog(t, "native")
	if !h.opts.noNative {
		hooks := []string{"network"}
		if h.opts.domainHooks {
			hooks = append(hooks, "qemu", "lxc")
		}
		for _, hook := range hooks {
			if err := h.native.install(h.Path("/etc/libvirt/hooks"), hook); err != nil {
				t.Fatalf("testhost: installing the native %s hook: %v", hook, err)
			}
		}
	}
	if !h.opts.noDaemon {
		h.StartDaemon(t)
	}
	return h
}

// preconditions says what the machine lacks for a private host.
func preconditions() error {
	if os.Geteuid() != 0 {
		return errors.New("it needs root")
	}
	for _, tool := range []string{"libvirtd", "virsh", "dnsmasq", "iptables"} {
		if _, err := lookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed", tool)
		}
	}
	return nil
}

// lookPath finds a program as root's shell would, even when the test was
// started with a PATH without sbin.
func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range strings.Split(insidePath, ":") {
		p := filepath.Join(dir, name)
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return exec.LookPath(name)
}

// Stop ends the host with everything that runs in it and waits until it is
// gone. It is called by the test's cleanup; further calls return the first
// one's result.
func (h *Host) Stop() error {
	h.stopOnce.Do(func() { h.stopErr = h.stop() })
	return h.stopErr
}

func (h *Host) stop() error {
	h.mu.Lock()
	h.stopped = true
	d, started := h.daemon, h.started
	h.mu.Unlock()

	saveCapabilities(h.Path(capabilitiesDir))
	err := h.lifeline.Close()

	// The kernel ends a pid namespace only when every process in it has been
	// waited for, so whatever the test started and forgot must be reaped here.
	for _, c := range started {
		go c.Wait() //nolint:errcheck // somebody may be waiting for the result already
	}
	select {
	case <-h.initDone:
	case <-time.After(stopPatience):
		return errors.Join(err, fmt.Errorf("processes of the host are still there after %v", stopPatience))
	}
	if d != nil {
		<-d.exited
	}
	if h.opts.lxc {
		err = errors.Join(err, removeCgroups(h.cgroup))
	}
	return err
}

// PID returns the process id of the host's init process, as seen from outside.
func (h *Host) PID() int { return h.init.Process.Pid }

// Path returns where the file that has the given absolute path inside the host
// is found from outside. Absolute symbolic links on the way would lead out of
// the host: say /run, not /var/run.
func (h *Host) Path(inside string) string {
	return filepath.Join("/proc", strconv.Itoa(h.PID()), "root", inside)
}

// Scratch returns a directory that has the same path inside and outside, for
// files that both sides use. It goes with the test.
func (h *Host) Scratch() string { return h.scratch }

// Native returns the log of the hook calls that libvirtd made itself.
func (h *Host) Native() *Log { return h.native }

// URI turns a local libvirt URI such as qemu:///system, lxc:///system or
// test:///default into one that reaches this host's libvirtd from the test
// process, which is not inside. It panics when the URI does not parse.
func (h *Host) URI(local string) string {
	u, err := url.Parse(local)
	if err != nil {
		panic(fmt.Sprintf("testhost: URI %q: %v", local, err))
	}
	u.Scheme += "+unix"
	// Written by hand: libvirt wants the socket's path as it is, and url.URL
	// would drop the empty authority of test:///path.
	return u.Scheme + "://" + u.Host + u.Path + "?socket=" + h.Path(daemonSocket)
}

// WriteFile writes a file inside the host, and the directories above it.
func (h *Host) WriteFile(t testing.TB, inside string, content []byte, mode os.FileMode) {
	t.Helper()
	p := h.Path(inside)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatalf("testhost: %v", err)
	}
	if err := WriteProgram(p, content, mode); err != nil {
		t.Fatalf("testhost: %v", err)
	}
}
