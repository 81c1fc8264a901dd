package testhost

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lxcURI is where LXC guests are.
const lxcURI = "lxc:///system"

// containerInit is what runs in a container: it waits, and obeys the signals
// that libvirt's shutdown and reboot send to it. Until it does, the kernel drops
// them, as the first process of a pid namespace has no default actions.
const containerInit = `#!/bin/busybox sh
trap '/bin/busybox poweroff -f' TERM
trap '/bin/busybox reboot -f' HUP
echo started >>/starts
while :; do
	/bin/busybox sleep 3600 &
	wait
done
`

// Container is the definition of an LXC guest for a test. The host needs
// [WithLXC].
type Container struct {
	Name string
	NICs []NIC
	// Root is the directory with the root file system; when it is empty,
	// [Host.MakeRoot] makes one.
	Root string
	// Head is text for right behind the name, Devices for the end of the devices.
	Head, Devices string
}

// XML returns the document.
func (c Container) XML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<domain type='lxc'>\n  <name>%s</name>\n", escape(c.Name))
	if c.Head != "" {
		b.WriteString(c.Head + "\n")
	}
	b.WriteString("  <memory unit='MiB'>32</memory>\n  <os>\n    <type>exe</type>\n    <init>/init</init>\n  </os>\n  <devices>\n")
	fmt.Fprintf(&b, "    <filesystem type='mount'>\n      <source dir='%s'/>\n      <target dir='/'/>\n    </filesystem>\n", escape(c.Root))
	for _, n := range c.NICs {
		b.WriteString(n.xml(""))
	}
	b.WriteString("    <console type='pty'/>\n")
	if c.Devices != "" {
		b.WriteString(c.Devices + "\n")
	}
	b.WriteString("  </devices>\n</domain>\n")
	return b.String()
}

// VirshLXC is [Host.Virsh] on lxc:///system.
func (h *Host) VirshLXC(t testing.TB, args ...string) string {
	t.Helper()
	return h.Virsh(t, append([]string{"-c", lxcURI}, args...)...)
}

// DefineContainer defines a persistent LXC guest; it does not start it.
func (h *Host) DefineContainer(t testing.TB, c Container) {
	t.Helper()
	h.VirshLXC(t, "define", h.File(t, h.withRoot(t, c).XML()))
}

// StartContainer defines a persistent LXC guest, starts it and waits until it
// is up.
func (h *Host) StartContainer(t testing.TB, c Container) {
	t.Helper()
	c = h.withRoot(t, c)
	h.DefineContainer(t, c)
	h.VirshLXC(t, "start", "--domain", c.Name)
	h.AwaitContainer(t, c, 1)
}

// CreateContainer starts a transient LXC guest and waits until it is up.
func (h *Host) CreateContainer(t testing.TB, c Container) {
	t.Helper()
	c = h.withRoot(t, c)
	h.VirshLXC(t, "create", h.File(t, c.XML()))
	h.AwaitContainer(t, c, 1)
}

// ShutdownContainer asks a container to turn itself off and does not wait for
// it. It names the way, a signal: left to itself, libvirt 9.0 reports success
// for a container without an init control device, and nothing happens.
func (h *Host) ShutdownContainer(t testing.TB, guest string) {
	t.Helper()
	h.signalContainer(t, "shutdown", guest)
}

// RebootContainer makes a container reboot from inside and does not wait for it.
func (h *Host) RebootContainer(t testing.TB, guest string) {
	t.Helper()
	h.signalContainer(t, "reboot", guest)
}

func (h *Host) signalContainer(t testing.TB, command, guest string) {
	t.Helper()
	h.onceInitIsKnown(t, guest, "Init process ID is not yet known", command, "--mode", "signal", "--domain", guest)
}

// onceInitIsKnown calls virsh again for as long as libvirt refuses with these words: it
// has not learnt from the container's controller which process init is. Starting a
// container does not wait for that, and there is no event for it.
//
// Sometimes it never learns: the container's controller tells its first client
// only, and no client that came before init was there
// (virLXCControllerClientPrivateNew, libvirt 9.0). Then there is nothing to test: such a
// container does not come back either when its init gets a signal from elsewhere.
func (h *Host) onceInitIsKnown(t testing.TB, guest, refusal string, args ...string) {
	t.Helper()
	const patience = 20 * time.Second
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for deadline := time.Now().Add(patience); ; <-retry.C {
		out, err := h.VirshErr(append([]string{"-c", lxcURI}, args...)...)
		switch {
		case err == nil:
			return
		case !strings.Contains(err.Error()+out, refusal):
			t.Fatalf("testhost: %s of container %s: %v\n%s", args[0], guest, err, out)
		case time.Now().After(deadline):
			t.Skipf("left out: libvirtd missed which process the init of container %s is, and refuses %s: %v", guest, args[0], err)
		}
	}
}

// AwaitContainer waits until a container with a root file system of
// [Host.MakeRoot] has come up for the n-th time, reboots included.
func (h *Host) AwaitContainer(t testing.TB, c Container, n int) {
	t.Helper()
	err := awaitDir(c.Root, bootPatience, func() (bool, error) {
		starts, err := os.ReadFile(filepath.Join(c.Root, "starts"))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return bytes.Count(starts, []byte("\n")) >= n, err
	})
	if err != nil {
		t.Fatalf("testhost: waiting for the container: %v", err)
	}
}

// AttachToContainer hot-plugs a card into a running LXC guest. libvirtd attaches nothing
// before it knows the container's init.
func (h *Host) AttachToContainer(t testing.TB, guest string, n NIC) {
	t.Helper()
	h.onceInitIsKnown(t, guest, "until init PID is known", "attach-device", "--live", "--domain", guest, "--file", h.File(t, n.xml("")))
}

// DetachFromContainer takes a card from a running LXC guest.
func (h *Host) DetachFromContainer(t testing.TB, guest string, n NIC) {
	t.Helper()
	h.VirshLXC(t, "detach-device", "--live", "--domain", guest, "--file", h.File(t, n.xml("")))
}

// withRoot gives the container a root file system if it has none.
func (h *Host) withRoot(t testing.TB, c Container) Container {
	t.Helper()
	if c.Root == "" {
		c.Root = h.MakeRoot(t)
	}
	return c
}

// MakeRoot makes a root file system for a container and returns its directory.
func (h *Host) MakeRoot(t testing.TB) string {
	t.Helper()
	if !h.opts.lxc {
		t.Fatal("testhost: LXC guests need a host that was started with WithLXC")
	}
	root, err := h.makeRoot()
	if err != nil {
		t.Fatalf("testhost: a root file system for the container: %v", err)
	}
	return root
}

func (h *Host) makeRoot() (string, error) {
	busybox, err := staticBusybox()
	if err != nil {
		return "", err
	}
	root, err := os.MkdirTemp(h.scratch, "root-")
	if err != nil {
		return "", err
	}
	for _, dir := range []string{"bin", "proc", "sys", "dev", "tmp"} {
		if err := mkdirs(filepath.Join(root, dir)); err != nil {
			return "", err
		}
	}
	if err := WriteProgram(filepath.Join(root, "bin", "busybox"), busybox, 0o755); err != nil {
		return "", err
	}
	return root, WriteProgram(filepath.Join(root, "init"), []byte(containerInit), 0o755)
}
