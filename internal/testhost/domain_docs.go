package testhost

import (
	"fmt"
	"strings"
	"testing"
)

// NIC is a network card of a guest.
type NIC struct {
	Network string
	MAC     string
	Model   string // of QEMU guests; default e1000, which every QEMU has
	Group   string // portgroup
	Bridge  string // instead of Network: an interface of type bridge
	Extra   string // text for the end of the element
}

// XML returns the interface element.
func (n NIC) XML() string { return n.xml("e1000") }

func (n NIC) xml(model string) string {
	var b strings.Builder
	kind, source := "network", fmt.Sprintf("network='%s'", escape(n.Network))
	if n.Bridge != "" {
		kind, source = "bridge", fmt.Sprintf("bridge='%s'", escape(n.Bridge))
	}
	if n.Group != "" {
		source += fmt.Sprintf(" portgroup='%s'", escape(n.Group))
	}
	fmt.Fprintf(&b, "    <interface type='%s'>\n", kind)
	if n.MAC != "" {
		fmt.Fprintf(&b, "      <mac address='%s'/>\n", n.MAC)
	}
	fmt.Fprintf(&b, "      <source %s/>\n", source)
	if n.Model != "" {
		model = n.Model
	}
	if model != "" {
		fmt.Fprintf(&b, "      <model type='%s'/>\n", escape(model))
	}
	if n.Extra != "" {
		b.WriteString(n.Extra + "\n")
	}
	b.WriteString("    </interface>\n")
	return b.String()
}

// MAC returns the n-th address of a block that tests use, 52:54:00:bb:xx:xx.
func MAC(n int) string {
	return fmt.Sprintf("52:54:00:bb:%02x:%02x", n>>8&0xff, n&0xff)
}

// Guest is the definition of a QEMU guest for a test: emulated, without a disk,
// so that its firmware finds nothing to boot and waits.
type Guest struct {
	Name string
	NICs []NIC
	// Kernel and Initrd boot a system of that kind; see [BootableGuest].
	Kernel, Initrd, Cmdline string
	// Serial is a file for the first serial port's output.
	Serial string
	// Memory in MiB, 32 when 0.
	Memory int
	// Head is text for right behind the name; Devices for the end of the devices.
	Head, Devices string
	// Attrs is text for the start tag; Extra for the end of the document.
	Attrs, Extra string
}

// XML returns the document.
func (g Guest) XML() string {
	var b strings.Builder
	attrs := ""
	if g.Attrs != "" {
		attrs = " " + g.Attrs
	}
	memory := g.Memory
	if memory == 0 {
		memory = 32
	}
	fmt.Fprintf(&b, "<domain type='qemu'%s>\n  <name>%s</name>\n", attrs, escape(g.Name))
	if g.Head != "" {
		b.WriteString(g.Head + "\n")
	}
	fmt.Fprintf(&b, "  <memory unit='MiB'>%d</memory>\n  <vcpu>1</vcpu>\n", memory)
	b.WriteString("  <os>\n    <type arch='x86_64' machine='pc'>hvm</type>\n")
	if g.Kernel != "" {
		fmt.Fprintf(&b, "    <kernel>%s</kernel>\n    <initrd>%s</initrd>\n    <cmdline>%s</cmdline>\n",
			escape(g.Kernel), escape(g.Initrd), escape(g.Cmdline))
	}
	b.WriteString("  </os>\n  <features>\n    <acpi/>\n  </features>\n")
	b.WriteString("  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n")
	b.WriteString("    <controller type='usb' model='none'/>\n    <memballoon model='none'/>\n")
	if g.Serial != "" {
		fmt.Fprintf(&b, "    <serial type='file'>\n      <source path='%s'/>\n      <target port='0'/>\n    </serial>\n", escape(g.Serial))
	}
	for _, n := range g.NICs {
		b.WriteString(n.XML())
	}
	if g.Devices != "" {
		b.WriteString(g.Devices + "\n")
	}
	b.WriteString("  </devices>\n")
	if g.Extra != "" {
		b.WriteString(g.Extra + "\n")
	}
	b.WriteString("</domain>\n")
	return b.String()
}

// DefineGuest defines a persistent guest; it does not start it.
func (h *Host) DefineGuest(t testing.TB, g Guest) {
	t.Helper()
	h.Virsh(t, "define", h.File(t, g.XML()))
}

// StartGuest defines a persistent guest and starts it.
func (h *Host) StartGuest(t testing.TB, g Guest) {
	t.Helper()
	h.DefineGuest(t, g)
	h.Virsh(t, "start", "--domain", g.Name)
}

// CreateGuest starts a transient guest.
func (h *Host) CreateGuest(t testing.TB, g Guest) {
	t.Helper()
	h.Virsh(t, "create", h.File(t, g.XML()))
}

// Attach hot-plugs a card into a running QEMU guest.
func (h *Host) Attach(t testing.TB, guest string, n NIC) {
	t.Helper()
	h.Virsh(t, "attach-device", "--live", "--domain", guest, "--file", h.File(t, n.XML()))
}

// Detach asks a running QEMU guest to give a card back, and returns when it has
// been asked: the answer comes from the guest's system, if it has one.
func (h *Host) Detach(t testing.TB, guest string, n NIC) {
	t.Helper()
	h.Virsh(t, "detach-device", "--live", "--domain", guest, "--file", h.File(t, n.XML()))
}

// Update changes a card of a running QEMU guest, the one with that MAC.
func (h *Host) Update(t testing.TB, guest string, n NIC) {
	t.Helper()
	h.Virsh(t, "update-device", "--live", "--domain", guest, "--file", h.File(t, n.XML()))
}
