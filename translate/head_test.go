package translate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDomain(t *testing.T) {
	for doc, want := range map[string]DomainHead{
		guest: {Name: "a&b", UUID: "11111111-2222-4333-8444-555555555555", Type: "kvm", ID: 7},
		"<domain type='lxc'><uuid>u</uuid><name>x<![CDATA[<y>]]>z</name></domain>":             {Name: "x<y>z", UUID: "u", Type: "lxc", ID: -1},
		"<domain id='x'><os><name>no</name></os><metadata><name>no</name></metadata></domain>": {ID: -1},
		"<domain id='99999999999999999999'/>":                                                  {ID: -1},
	} {
		got, err := ParseDomain(doc)
		if err != nil {
			t.Errorf("%s: %v", doc, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	status := "<!-- \nWARNING -->\n<networkstatus>\n  <class_id bitmap='0-2'/>\n  <floor sum='0'/>\n  <network connections='3'>\n    <name>n</name>\n    <uuid>u</uuid>\n" +
		"    <forward mode='bridge'>\n      <interface dev='eth0'/>\n    </forward>\n    <domain name='example.org'/>\n  </network>\n</networkstatus>\n"
	for doc, want := range map[string]NetworkHead{
		"<network><name>n</name><uuid>u</uuid><forward/><bridge name='virbr0' stp='on'/></network>": {Name: "n", UUID: "u", ForwardMode: "nat", Bridge: "virbr0"},
		"<network><name>n</name><dns><host ip='1'><hostname>x</hostname></host></dns></network>":    {Name: "n"},
		"<network connections='0'/>": {HasConnections: true},
		status:                       {Name: "n", UUID: "u", ForwardMode: "bridge", Connections: 3, HasConnections: true},
	} {
		got, err := ParseNetwork(doc)
		if err != nil {
			t.Errorf("%s: %v", doc, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	for _, doc := range []string{"<domain><network/></domain>", "<networkstatus/>"} {
		if _, err := ParseNetwork(doc); err == nil {
			t.Errorf("%s: no error", doc)
		}
	}
}
