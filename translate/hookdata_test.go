package translate

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const plainNetwork = "<network>\n  <name>n</name>\n  <ip address='10.0.0.1' netmask='255.0.0.0'>\n  </ip>\n</network>\n"

func TestHookDataForms(t *testing.T) {
	domain := "<domain type='kvm' id='1'>\n  <name>d</name>\n  <devices>\n    <interface type='network'>\n      <mac address='52:54:00:00:00:01'/>\n" +
		"      <tune>\n        <sndbuf>0</sndbuf>\n      </tune>\n    </interface>\n  </devices>\n</domain>\n"
	nics, err := Interfaces(domain)
	if err != nil {
		t.Fatal(err)
	}
	const (
		network = "  <network>\n    <name>n</name>\n    <ip address='10.0.0.1' netmask='255.0.0.0'>\n    </ip>\n  </network>\n"
		inside  = "  <domain type='kvm' id='1'>\n    <name>d</name>\n    <devices>\n      <interface type='network'>\n        <mac address='52:54:00:00:00:01'/>\n" +
			"        <tune>\n          <sndbuf>0</sndbuf>\n        </tune>\n      </interface>\n    </devices>\n  </domain>\n"
		two = "  <interface type='network'>\n    <mac address='52:54:00:00:00:01'/>\n    <tune>\n      <sndbuf>0</sndbuf>\n    </tune>\n  </interface>\n"
		six = "      <interface type='network'>\n        <mac address='52:54:00:00:00:01'/>\n        <tune>\n          <sndbuf>0</sndbuf>\n        </tune>\n      </interface>\n"
	)
	all := Parts{Interface: nics[0], Network: plainNetwork, Domain: domain}
	for _, c := range []struct {
		payload Payload
		parts   Parts
		want    string
	}{
		{Payload123, all, two + network + inside},
		{Payload122, all, six + network + inside},
		{PayloadSeed, all, network + inside},
		{Payload123, Parts{Network: plainNetwork}, network},
		{Payload122, Parts{Network: plainNetwork}, network},
		{Payload123, Parts{Network: plainNetwork, NetworkPort: "<networkport>\n  <uuid>u</uuid>\n</networkport>"}, network + "  <networkport>\n    <uuid>u</uuid>\n  </networkport>\n"},
		{Payload123, Parts{}, ""},
		{Payload123, Parts{Network: " \n"}, ""},
	} {
		got, err := HookData(c.payload, c.parts)
		if err != nil {
			t.Error(err)
		}
		if d := cmp.Diff("<hookData>\n"+c.want+"</hookData>", string(got)); d != "" {
			t.Errorf("%s: %s", c.payload, d)
		}
	}
}

// TestHookDataLayout shows which line starts are libvirt's, one by one.
func TestHookDataLayout(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"children", "<domain>\n  <a/>\n</domain>\n", "  <domain>\n    <a/>\n  </domain>\n"},
		{"no line break behind", "<domain>\n  <a/>\n</domain>", "  <domain>\n    <a/>\n  </domain>\n"},
		{"on one line", "<domain><a/> <b/></domain>", "  <domain><a/> <b/></domain>\n"},
		{"empty", "<domain/>\n", "  <domain/>\n"},
		{"empty root on two lines", "<domain>\n</domain>", "  <domain>\n  </domain>\n"},
		{"text", "<domain>\n  <description>a\n    b\n\nc\n</description>\n</domain>", "  <domain>\n    <description>a\n    b\n\nc\n</description>\n  </domain>\n"},
		{"entities", "<domain>\n  <title>&lt;a&gt;\n&amp;&#10;&quot;</title>\n</domain>", "  <domain>\n    <title>&lt;a&gt;\n&amp;&#10;&quot;</title>\n  </domain>\n"},
		{"attribute", "<domain>\n  <qemu:arg value='a\n  <!-- b'/>\n</domain>", ""},
		{"attribute on lines", "<domain>\n  <qemu:arg value='a\n  b'\n   x=\"'\"/>\n</domain>", "  <domain>\n    <qemu:arg value='a\n  b'\n   x=\"'\"/>\n  </domain>\n"},
		{"CDATA", "<domain>\n  <a><![CDATA[x\n  <b>\n]]></a>\n</domain>", "  <domain>\n    <a><![CDATA[x\n  <b>\n]]></a>\n  </domain>\n"},
		{"CDATA beside elements", "<domain>\n  <a>\n    <b/><![CDATA[]]>\n  </a>\n</domain>", "  <domain>\n    <a>\n    <b/><![CDATA[]]>\n  </a>\n  </domain>\n"},
		{"comment", "<domain>\n  <!-- a\n  b -->\n  <c/>\n</domain>", "  <domain>\n    <!-- a\n  b -->\n    <c/>\n  </domain>\n"},
		{"instruction", "<domain>\n  <?a b\n  c?>\n</domain>", "  <domain>\n    <?a b\n  c?>\n  </domain>\n"},
		{"mixed", "<domain>\n  <a>x\n    <b>\n      <c/>\n    </b>\n  </a>\n</domain>", "  <domain>\n    <a>x\n    <b>\n      <c/>\n    </b>\n  </a>\n  </domain>\n"},
		{"mixed at the end", "<domain>\n  <a>\n    <b>\n      <c/>\n    </b>\n  x</a>\n</domain>", "  <domain>\n    <a>\n    <b>\n      <c/>\n    </b>\n  x</a>\n  </domain>\n"},
		{"reference is text", "<domain>\n  <a>&#32;\n    <b/>\n  </a>\n</domain>", "  <domain>\n    <a>&#32;\n    <b/>\n  </a>\n  </domain>\n"},
		{"blank description", "<domain>\n  <description>\n  </description>\n</domain>", "  <domain>\n    <description>\n  </description>\n  </domain>\n"},
		{"blank leaf", "<domain>\n  <a>   </a>\n  <b>\n</b>\n  <c>\n\n  </c>\n</domain>", "  <domain>\n    <a>   </a>\n    <b>\n</b>\n    <c>\n\n  </c>\n  </domain>\n"},
		{"empty container", "<domain>\n  <a>\n  </a>\n</domain>", "  <domain>\n    <a>\n    </a>\n  </domain>\n"},
		{"blank line", "<domain>\n\n  <a/>\n</domain>", "  <domain>\n\n    <a/>\n  </domain>\n"},
		{"tabs", "<domain>\n\t<a>\n\t\t<b/>\n\t</a>\n</domain>", "  <domain>\n  \t<a>\n  \t\t<b/>\n  \t</a>\n  </domain>\n"},
		{"carriage returns", "<domain>\r\n  <a/>\r\n  <b>x\r\n  y</b>\r\n</domain>\r\n", "  <domain>\r\n    <a/>\r\n    <b>x\r\n  y</b>\r\n  </domain>\n"},
		{"indented as a whole", "    <domain>\n      <a/>\n    </domain>\n", "  <domain>\n    <a/>\n  </domain>\n"},
		{"preserved white space", "<domain>\n  <a xml:space='preserve'>\n    <b/>\n  </a>\n</domain>", "  <domain>\n    <a xml:space='preserve'>\n    <b/>\n  </a>\n  </domain>\n"},
		{"metadata", "<domain>\n  <metadata>\n    <a:x xmlns:a=\"u\">\n      <a:y/>\n    </a:x>\n  </metadata>\n</domain>",
			"  <domain>\n    <metadata>\n      <a:x xmlns:a=\"u\">\n        <a:y/>\n      </a:x>\n    </metadata>\n  </domain>\n"},
		{"metadata that libxml2 did not format", "<domain>\n  <metadata>\n    <a:x xmlns:a=\"u\">\n    <a:y>\n</a:y></a:x>\n  </metadata>\n</domain>",
			"  <domain>\n    <metadata>\n      <a:x xmlns:a=\"u\">\n    <a:y>\n</a:y></a:x>\n    </metadata>\n  </domain>\n"},
		{"metadata of a blank leaf", "<domain>\n  <metadata>\n    <a:x>\n    </a:x>\n  </metadata>\n</domain>", "  <domain>\n    <metadata>\n      <a:x>\n    </a:x>\n    </metadata>\n  </domain>\n"},
		{"declaration", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<domain/>\n", "  <domain/>\n"},
		{"comment in front", "<!-- mine\n  own -->\n\n<domain>\n  <a/>\n</domain>\n<!-- behind -->\n", "  <!-- mine\n  own -->\n  <domain>\n    <a/>\n  </domain>\n  <!-- behind -->\n"},
		{"warning of a file", "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n-->\n\n<domain/>\n", "  <domain/>\n"},
		{"UTF-8", "<domain>\n  <title>Größe – 大</title>\n</domain>", "  <domain>\n    <title>Größe – 大</title>\n  </domain>\n"},
	} {
		got, err := HookData(Payload123, Parts{Domain: c.doc})
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff("<hookData>\n"+c.want+"</hookData>", string(got)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if err := sameTokens(string(got), c.doc); err != nil && !strings.Contains(c.name, "warning") && !strings.Contains(c.name, "carriage") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A document that cannot be read is handed on, so that the hook runs with what is known.
func TestHookDataHostile(t *testing.T) {
	for _, c := range hostileDocuments() {
		t.Run(c.name, func(t *testing.T) {
			out, err := HookData(Payload123, Parts{Network: plainNetwork, Domain: c.doc})
			if blank(c.doc) {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), "domain document: ") {
				t.Errorf("error is %v", err)
			}
			want := strings.TrimLeft(c.doc, " \n")
			if hasDeclaration(want) && strings.Contains(want, "?>") {
				want = strings.TrimLeft(want[strings.Index(want, "?>")+2:], " \n")
			}
			head, _ := HookData(Payload123, Parts{Network: plainNetwork})
			if got := string(out); got != strings.TrimSuffix(string(head), "</hookData>")+"  "+want+"\n</hookData>" {
				t.Errorf("got %.200q", got)
			}
		})
	}
}

func TestHookDataReportsEveryPart(t *testing.T) {
	_, err := HookData(Payload122, Parts{Interface: Interface{Text: "<interface", Indent: 4}, Network: "<network", Domain: "<domain", NetworkPort: "<networkport"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"interface document: ", "network document: ", "domain document: ", "network port document: "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
}

func TestWithConnections(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		n         int
		want      string
	}{
		{"set", "<network>\n</network>", 1, "<network connections='1'>\n</network>"},
		{"replace", "<network connections='1'>\n</network>", 12, "<network connections='12'>\n</network>"},
		{"keep", "<network connections='2'>\n</network>", 2, "<network connections='2'>\n</network>"},
		{"remove", "<network connections='2'>\n</network>", 0, "<network>\n</network>"},
		{"negative", "<network connections='2'>\n</network>", -1, "<network>\n</network>"},
		{"nothing to remove", "<network  ipv6='yes' >", 0, "<network  ipv6='yes' >"},
		{"in front of ipv6", "<network ipv6='yes' trustGuestRxFilters='no'>", 3, "<network connections='3' ipv6='yes' trustGuestRxFilters='no'>"},
		{"remove in front of ipv6", "<network connections='3' ipv6='yes'>", 0, "<network ipv6='yes'>"},
		{"behind namespaces", "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0' ipv6='yes'/>", 1,
			"<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0' connections='1' ipv6='yes'/>"},
		{"empty element", "<network/>", 1, "<network connections='1'/>"},
		{"quotes stay", "<network a='connections=\"9\"' connections=\"1\" >", 2, "<network a='connections=\"9\"' connections=\"2\" >"},
		{"only the root", "<network>\n  <forward>\n    <interface dev='eth0' connections='1'/>\n  </forward>\n</network>\n", 0,
			"<network>\n  <forward>\n    <interface dev='eth0' connections='1'/>\n  </forward>\n</network>\n"},
		{"comment in front", "<!-- <network connections='5'> --><network connections='1'/>", 2, "<!-- <network connections='5'> --><network connections='2'/>"},
		{"status file", "<networkstatus>\n  <network connections='1'>\n  </network>\n</networkstatus>", 2, "<networkstatus>\n  <network connections='2'>\n  </network>\n</networkstatus>"},
		{"broken behind", "<network connections='1'><a", 2, "<network connections='2'><a"},
		{"broken", "<network connections='1'", 2, "<network connections='1'"},
		{"other root", "<domain><network/></domain>", 2, "<domain><network/></domain>"},
		{"nothing", "", 2, ""},
	} {
		if got := WithConnections(c.doc, c.n); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, c := range hostileDocuments() {
		if got := WithConnections(c.doc, 3); got != c.doc {
			t.Errorf("%s: changed", c.name)
		}
	}
}

func TestUnwrap(t *testing.T) {
	got, err := Unwrap(domainStatus)
	if err != nil {
		t.Fatal(err)
	}
	want := `<domain type='qemu' id='2'>
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
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	again, err := Unwrap(got)
	if err != nil || again != got {
		t.Errorf("not the same when there is nothing to unwrap: %v", err)
	}
	file := "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n\n<network>\n  <name>n</name>\n</network>\n"
	if got, err := Unwrap(file); err != nil || got != "<network>\n  <name>n</name>\n</network>\n" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, doc := range []string{"<pool/>", "<domstatus/>", "<domstatus><domain/>"} {
		if got, err := Unwrap(doc); err == nil || got != doc {
			t.Errorf("%s: got %q, %v", doc, got, err)
		}
	}
}

func BenchmarkHookData(b *testing.B) {
	doc := typicalGuest()
	nics, err := Interfaces(doc)
	if err != nil {
		b.Fatal(err)
	}
	parts := Parts{Interface: nics[0], Network: plainNetwork, Domain: doc}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := HookData(Payload123, parts); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWithConnections(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		WithConnections(plainNetwork, 3)
	}
}
