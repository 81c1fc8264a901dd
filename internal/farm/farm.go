package farm

import (
	"fmt"
	"strings"
	"testing"

	"libvirt.org/go/libvirt"

	"hookbridge/internal/testhost"
)

// Connect, Domain and Network are the binding's types, for users of a farm, which do
// not import the binding.
type (
	// Connect is a connection to a farm.
	Connect = libvirt.Connect
	// Domain is one of a farm's guests.
	Domain = libvirt.Domain
	// Network is one of a farm's networks.
	Network = libvirt.Network
)

// Farm is the test driver behind a host's libvirtd, with guests and networks by the
// thousand. The driver forgets them when the last connection is closed.
type Farm struct {
	Host *testhost.Host
	URI  string // for clients that are not inside

	t    testing.TB
	conn *Connect
	macs int
}

// New starts a host with an empty farm, but for what the driver brings with it: a
// guest and a network.
func New(t testing.TB) *Farm {
	t.Helper()
	h := testhost.Start(t, testhost.WithoutNativeHooks())
	f := &Farm{Host: h, URI: h.URI("test:///default"), t: t}
	f.conn = Dial(t, f.URI)
	return f
}

// Connection returns the farm's own connection.
func (f *Farm) Connection() *Connect { return f.conn }

// Again connects once libvirtd has been started anew. The driver has forgotten
// everything by then: the farm is empty.
func (f *Farm) Again() {
	f.t.Helper()
	f.conn = Dial(f.t, f.URI)
}

func (f *Farm) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatalf("farm: %v", err)
	}
}

// ConnectTo opens a connection, which the caller closes.
func ConnectTo(uri string) (*Connect, error) { return libvirt.NewConnect(uri) }

// Dial opens a connection, which is closed with the test.
func Dial(t testing.TB, uri string) *Connect {
	t.Helper()
	conn, err := ConnectTo(uri)
	if err != nil {
		t.Fatalf("farm: %v", err)
	}
	t.Cleanup(func() { _, _ = conn.Close() })
	return conn
}

// Network defines a network; it does not start it.
func (f *Farm) Network(name string) *Network {
	f.t.Helper()
	n, err := f.conn.NetworkDefineXML(fmt.Sprintf(`<network>
  <name>%[1]s</name>
  <forward mode='nat'/>
  <bridge name='br-%[1]s' stp='on' delay='0'/>
  <ip address='192.168.77.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.77.2' end='192.168.77.254'/>
    </dhcp>
  </ip>
</network>`, name))
	f.must(err)
	f.t.Cleanup(func() { _ = n.Free() })
	return n
}

// Networks defines and starts several and returns their names.
func (f *Farm) Networks(n int) []string {
	f.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("net%d", i)
		f.must(f.Network(names[i]).Create())
	}
	return names
}

// Guest defines a guest with an interface in each of the networks; it does not
// start it.
func (f *Farm) Guest(name string, networks ...string) *Domain {
	f.t.Helper()
	var nics strings.Builder
	for _, network := range networks {
		f.macs++
		fmt.Fprintf(&nics, `
    <interface type='network'>
      <mac address='52:54:%02x:%02x:%02x:%02x'/>
      <source network='%s'/>
      <model type='virtio'/>
    </interface>`, f.macs>>24&0xff, f.macs>>16&0xff, f.macs>>8&0xff, f.macs&0xff, network)
	}
	d, err := f.conn.DomainDefineXML(fmt.Sprintf(guestDocument, name, nics.String()))
	f.must(err)
	f.t.Cleanup(func() { _ = d.Free() })
	return d
}

// Guests defines and starts several, each with so many interfaces, which are spread
// over the networks.
func (f *Farm) Guests(n, nics int, networks []string) []*Domain {
	f.t.Helper()
	all := make([]*Domain, n)
	for i := range all {
		of := make([]string, nics)
		for k := range of {
			of[k] = networks[(i+k)%len(networks)]
		}
		all[i] = f.Guest(fmt.Sprintf("guest%05d", i), of...)
		f.must(all[i].Create())
	}
	return all
}

// MACs returns those of a guest's interfaces, in order.
func MACs(t testing.TB, d *Domain) (all []string) {
	t.Helper()
	doc, err := d.GetXMLDesc(0)
	if err != nil {
		t.Fatalf("farm: %v", err)
	}
	for part := range strings.SplitSeq(doc, "<mac address='") {
		if mac, _, ok := strings.Cut(part, "'"); ok && len(mac) == 17 {
			all = append(all, mac)
		}
	}
	return all
}

// guestDocument is a guest with what most have besides interfaces.
const guestDocument = `<domain type='test'>
  <name>%s</name>
  <title>A guest of the benchmark</title>
  <metadata>
    <app:owner xmlns:app='http://example.org/owner/1.0'><app:name>somebody</app:name></app:owner>
  </metadata>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <os><type>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/><pae/></features>
  <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/></clock>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/images/disk.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='sda' bus='sata'/>
      <readonly/>
    </disk>%s
    <serial type='pty'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <input type='tablet' bus='usb'/>
    <graphics type='vnc' port='-1' autoport='yes'/>
    <video><model type='vga' vram='16384'/></video>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>`

// Running returns the guests that run, as a program sees them that has just
// connected. The caller frees them.
func Running(conn *Connect) ([]Domain, error) {
	return conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
}

// Plug plugs a device into a running guest.
func Plug(d *Domain, device string) error {
	return d.AttachDeviceFlags(device, libvirt.DOMAIN_DEVICE_MODIFY_LIVE)
}
