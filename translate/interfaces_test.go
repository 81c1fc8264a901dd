package translate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"
)

const guest = `<domain type='kvm' id='7' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>a&amp;b</name>
  <uuid>11111111-2222-4333-8444-555555555555</uuid>
  <description><interface type='network'> is text here? no: an element</interface></description>
  <metadata>
    <x:devices xmlns:x="urn:x">
      <interface type='network'><source network='decoy'/></interface>
    </x:devices>
  </metadata>
  <!-- <devices><interface type='network'/></devices> -->
  <devices>
    <emulator>/usr/bin/kvm</emulator>
    <!-- <interface type='network'/> -->
    <hostdev><interface type='x'/></hostdev>
    <interface type='network' trustGuestRxFilters='yes'>
      <mac address='52:54:00:00:00:01'/>
      <source network='a &quot;b&quot;' portgroup='web' portid='aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee' bridge='virbr0'/>
      <target dev='vnet0'/>
      <alias name='net0'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:02'/>
      <source network='ovs' bridge='br0'/>
      <virtualport type='openvswitch'>
        <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
      </virtualport>
      <target dev='vnet1'/>
      <backenddomain name='x'><source network='nested decoy'/></backenddomain>
      <alias name='net1'/>
    </interface>
    <interface type="direct">
      <mac address="52:54:00:00:00:03"/>
      <source network="m" dev="eth1" mode="vepa"/>
      <target dev="macvtap0"/>
      <alias name="net2"/>
    </interface>
    <interface type='hostdev' managed='yes'>
      <mac address='52:54:00:00:00:04'/>
      <source network='sriov'><address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/></source>
      <alias name='hostdev0'/>
    </interface>
    <interface type='bridge'><source bridge='virbr0'/></interface><interface type='user'/>
  </devices>
  <qemu:commandline>
    <qemu:arg value='&lt;interface/>'/>
  </qemu:commandline>
</domain>
`

func TestInterfaces(t *testing.T) {
	nics, err := Interfaces(guest)
	if err != nil {
		t.Fatal(err)
	}
	for i, nic := range nics {
		if !strings.Contains(guest, nic.Text) || !strings.HasPrefix(nic.Text, "<interface") || !strings.HasSuffix(nic.Text, ">") {
			t.Errorf("%d: not verbatim: %q", i, nic.Text)
		}
		if n := strings.Count(nic.Text, "<interface"); n != 1 {
			t.Errorf("%d: holds %d interfaces", i, n)
		}
		nics[i].Text = ""
	}
	want := []Interface{
		{Indent: 4, Type: "network", MAC: "52:54:00:00:00:01", Network: `a "b"`, Bridge: "virbr0", Portgroup: "web",
			PortID: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", Target: "vnet0", Alias: "net0"},
		{Indent: 4, Type: "bridge", MAC: "52:54:00:00:00:02", Network: "ovs", Bridge: "br0", Target: "vnet1", Alias: "net1"},
		{Indent: 4, Type: "direct", MAC: "52:54:00:00:00:03", Network: "m", Dev: "eth1", Mode: "vepa", Target: "macvtap0", Alias: "net2"},
		{Indent: 4, Type: "hostdev", MAC: "52:54:00:00:00:04", Network: "sriov", Alias: "hostdev0"},
		{Indent: 4, Type: "bridge", Bridge: "virbr0"},
		{Type: "user"},
	}
	if d := cmp.Diff(want, nics); d != "" {
		t.Error(d)
	}
}

// What libvirt 1.2.1 and 9.0 write into their run directories.
const domainStatus = `<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  virsh edit g1
or other application using the libvirt API.
-->

<domstatus state='running' reason='booted' pid='42'>
  <monitor path='/var/lib/libvirt/qemu/g1.monitor' json='1' type='unix'/>
  <devices>
    <device alias='net0'/>
    <interface type='network'/>
  </devices>
  <domain type='qemu' id='2'>
    <name>g1</name>
    <uuid>00000000-0000-4000-8000-000000000d01</uuid>
    <description>one
  two</description>
    <devices>
      <interface type='network'>
        <mac address='52:54:00:0d:01:03'/>
        <source network='netc' portgroup='p'/>
        <actual type='bridge'>
          <source bridge='hostbr0'/>
          <virtualport type='openvswitch'>
            <parameters interfaceid='x'/>
          </virtualport>
        </actual>
        <target dev='vnet2'/>
        <alias name='net2'/>
      </interface>
      <interface type='network'>
        <source network='netm'/>
        <actual type='direct'>
          <source dev='eth0' mode='bridge'/>
        </actual>
      </interface>
    </devices>
  </domain>
</domstatus>
`

func TestInterfacesOfStatusFile(t *testing.T) {
	nics, err := Interfaces(domainStatus)
	if err != nil {
		t.Fatal(err)
	}
	for i := range nics {
		nics[i].Text = ""
	}
	want := []Interface{
		{Indent: 6, Type: "network", MAC: "52:54:00:0d:01:03", Network: "netc", Portgroup: "p", Target: "vnet2", Alias: "net2",
			ActualType: "bridge", ActualBridge: "hostbr0"},
		{Indent: 6, Type: "network", Network: "netm", ActualType: "direct", ActualDev: "eth0", ActualMode: "bridge"},
	}
	if d := cmp.Diff(want, nics); d != "" {
		t.Error(d)
	}
	head, err := ParseDomain(domainStatus)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(DomainHead{Name: "g1", UUID: "00000000-0000-4000-8000-000000000d01", Type: "qemu", ID: 2}, head); d != "" {
		t.Error(d)
	}
}

func TestInterfacesOfBrokenDocument(t *testing.T) {
	for name, broken := range map[string]string{
		"cut in the third": guest[:strings.Index(guest, "macvtap0")],
		"NUL in the third": strings.Replace(guest, "macvtap0", "mac\x00vtap0", 1),
		"bad UTF-8":        strings.Replace(guest, "macvtap0", "mac\xffvtap0", 1),
		"entity":           strings.Replace(guest, "macvtap0", "&x;", 1),
		"nesting":          strings.Replace(guest, `<target dev="macvtap0"/>`, "</target>", 1),
	} {
		nics, err := Interfaces(broken)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if len(nics) != 2 || nics[1].MAC != "52:54:00:00:00:02" {
			t.Errorf("%s: %d interfaces", name, len(nics))
		}
		if head, err := ParseDomain(broken); err != nil || head.Name != "a&b" {
			t.Errorf("%s: head %v: %v", name, head, err)
		}
	}
	for _, c := range hostileDocuments() {
		if _, err := Interfaces(c.doc); err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if _, err := ParseNetwork(c.doc); err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if _, err := Unwrap(c.doc); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

func TestInterfacesOfOtherDocuments(t *testing.T) {
	for _, doc := range []string{
		"<network><devices><interface/></devices></network>", "<domstatus/>", "<domainsnapshot><domain/></domainsnapshot>",
	} {
		nics, err := Interfaces(doc)
		if err == nil || len(nics) > 0 {
			t.Errorf("%s: %v, %v", doc, nics, err)
		}
	}
	for _, doc := range []string{"<domain/>", "<domain><devices/></domain>", "<domain><devices></devices></domain>"} {
		nics, err := Interfaces(doc)
		if err != nil || len(nics) > 0 {
			t.Errorf("%s: %v, %v", doc, nics, err)
		}
	}
}

// typicalGuest is a live document of about 6 KB, as a host with a few disks and two
// interfaces a guest shows.
func typicalGuest() string {
	var b strings.Builder
	b.WriteString("<domain type='kvm' id='12'>\n  <name>web-frontend-12</name>\n  <uuid>7d1c0e5e-3a2f-4f4f-9a67-0d8c6f1b2a3c</uuid>\n" +
		"  <description>line one\n  line two</description>\n  <metadata>\n    <app:info xmlns:app=\"urn:app\">\n      <app:owner>ops</app:owner>\n    </app:info>\n  </metadata>\n" +
		"  <memory unit='KiB'>8388608</memory>\n  <vcpu placement='static'>4</vcpu>\n  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n")
	for i := range 9 {
		fmt.Fprintf(&b, "    <disk type='file' device='disk'>\n      <driver name='qemu' type='qcow2' cache='none'/>\n      <source file='/var/lib/libvirt/images/web-frontend-12-%d.qcow2'/>\n"+
			"      <backingStore/>\n      <target dev='vd%c' bus='virtio'/>\n      <alias name='virtio-disk%d'/>\n      <address type='pci' domain='0x0000' bus='0x00' slot='0x%02x' function='0x0'/>\n    </disk>\n", i, 'a'+i, i, i+7)
	}
	for i := range 2 {
		fmt.Fprintf(&b, "    <interface type='network'>\n      <mac address='52:54:00:11:22:%02x'/>\n      <source network='default' bridge='virbr0'/>\n      <target dev='vnet%d'/>\n"+
			"      <model type='virtio'/>\n      <alias name='net%d'/>\n      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>\n    </interface>\n", i, i, i)
	}
	for i := range 5 {
		fmt.Fprintf(&b, "    <controller type='usb' index='%d' model='ich9-uhci1'>\n      <alias name='usb%d'/>\n      <master startport='0'/>\n      <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x%d' multifunction='on'/>\n    </controller>\n", i, i, i)
	}
	b.WriteString("  </devices>\n  <seclabel type='dynamic' model='apparmor' relabel='yes'>\n    <label>libvirt-7d1c0e5e-3a2f-4f4f-9a67-0d8c6f1b2a3c</label>\n  </seclabel>\n</domain>\n")
	return b.String()
}

func BenchmarkInterfaces(b *testing.B) {
	doc := typicalGuest()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if nics, err := Interfaces(doc); err != nil || len(nics) != 2 {
			b.Fatal(nics, err)
		}
	}
}

func BenchmarkParseDomain(b *testing.B) {
	doc := typicalGuest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDomain(doc); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLibvirtxml is what the scanner is measured against.
func BenchmarkLibvirtxml(b *testing.B) {
	doc := typicalGuest()
	nics, err := Interfaces(doc)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("whole domain", func(b *testing.B) {
		for b.Loop() {
			if err := new(libvirtxml.Domain).Unmarshal(doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one interface", func(b *testing.B) {
		for b.Loop() {
			if err := new(libvirtxml.DomainInterface).Unmarshal(nics[0].Text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
