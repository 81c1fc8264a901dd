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
echo started >>/` + starts + `
while :; do
	/bin/busybox sleep 3600 &
	wait
done
`

// starts is the file in a container's root that has a line for each start of its init.
const starts = "starts"

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
	// Init says that libvirtd has to know the container's init: it attaches nothing, and
	// shuts nothing down or reboots it with a signal, before it does. One that it missed
	// is destroyed and started again.
	Init bool
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
	h.runContainer(t, c, "start", "--domain", c.Name)
}

// CreateContainer starts a transient LXC guest and waits until it is up.
func (h *Host) CreateContainer(t testing.TB, c Container) {
	t.Helper()
	c = h.withRoot(t, c)
	h.runContainer(t, c, "create", h.File(t, c.XML()))
}

// runContainer starts a container with this command of virsh's.
func (h *Host) runContainer(t testing.TB, c Container, command ...string) {
	t.Helper()
	for range 10 {
		h.VirshLXC(t, command...)
		h.AwaitContainer(t, c, 1)
		if !c.Init || h.initIsKnown(t, c.Name) {
			return
		}
		t.Logf("libvirtd missed which process the init of container %s is; it is started again", c.Name)
		h.VirshLXC(t, "destroy", "--domain", c.Name)
		if err := os.Remove(filepath.Join(c.Root, starts)); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("testhost: libvirtd missed each time which process the init of container %s is", c.Name)
}

// initIsKnown waits until libvirtd has learnt from the container's controller which
// process init is. Starting a container does not wait for that, and there is no event for
// it: the status file tells.
//
// Sometimes libvirtd never learns. The controller tells once, as soon as libvirtd is
// connected; libvirtd listens before it has said what it does with such a message
// (virLXCMonitorNew, libvirt 9.0), and what comes too early is dropped.
func (h *Host) initIsKnown(t testing.TB, guest string) bool {
	t.Helper()
	const patience = 5 * time.Second
	dir := h.Path("/run/libvirt/lxc")
	err := awaitDir(dir, patience, func() (bool, error) {
		status, err := os.ReadFile(filepath.Join(dir, guest+".xml"))
		return bytes.Contains(status, []byte("<init pid='")) && !bytes.Contains(status, []byte("<init pid='0'")), err
	})
	if err != nil && !errors.Is(err, errNothing) {
		t.Fatalf("testhost: waiting for the init of container %s: %v", guest, err)
	}
	return err == nil
}

// ShutdownContainer asks a container with a known init to turn itself off and does not wait
// for it. It names the way, a signal: left to itself, libvirt 9.0 reports success
// for a container without an init control device, and nothing happens.
func (h *Host) ShutdownContainer(t testing.TB, guest string) {
	t.Helper()
	h.VirshLXC(t, "shutdown", "--mode", "signal", "--domain", guest)
}

// RebootContainer makes a container with a known init reboot from inside and does not wait
// for it.
func (h *Host) RebootContainer(t testing.TB, guest string) {
	t.Helper()
	h.VirshLXC(t, "reboot", "--mode", "signal", "--domain", guest)
}

// AwaitContainer waits until a container with a root file system of
// [Host.MakeRoot] has come up for the n-th time, reboots included.
func (h *Host) AwaitContainer(t testing.TB, c Container, n int) {
	t.Helper()
	err := awaitDir(c.Root, bootPatience, func() (bool, error) {
		lines, err := os.ReadFile(filepath.Join(c.Root, starts))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return bytes.Count(lines, []byte("\n")) >= n, err
	})
	if err != nil {
		t.Fatalf("testhost: waiting for the container: %v", err)
	}
}

// AttachToContainer hot-plugs a card into a running LXC guest with a known init.
func (h *Host) AttachToContainer(t testing.TB, guest string, n NIC) {
	t.Helper()
	h.VirshLXC(t, "attach-device", "--live", "--domain", guest, "--file", h.File(t, n.xml("")))
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
