package translate

import (
	"encoding/xml"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"libvirt.org/go/libvirtxml"
)

// corporaVariable names the environment variable that names a directory with libvirt's
// own XML test documents.
const corporaVariable = "HOOKBRIDGE_CORPORA"

type document struct{ name, text string }

// corpora reads every document below the directory. Without it the test fails where CI
// is set and is skipped elsewhere.
func corpora(t *testing.T) []document {
	t.Helper()
	dir := os.Getenv(corporaVariable)
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set", corporaVariable)
		}
		t.Skipf("%s is not set", corporaVariable)
	}
	docs, err := documentsBelow(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) == 0 {
		t.Fatalf("no documents below %s", dir)
	}
	return docs
}

func documentsBelow(dir string) (docs []document, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		docs = append(docs, document{name, string(text)})
		return err
	})
	return docs, err
}

const (
	sampleNetwork = "<network connections='1'>\n  <name>n</name>\n  <ip address='10.0.0.1' netmask='255.0.0.0'>\n  </ip>\n</network>\n"
	sampleDomain  = "<domain type='kvm' id='1'>\n  <name>d</name>\n  <description>a\n  b</description>\n</domain>\n"
)

func rootName(doc string) string {
	s := newScanner(doc)
	var t token
	for s.next(&t) {
		if t.kind == startTag || t.kind == emptyTag {
			return t.name
		}
	}
	return ""
}

// TestCorporaHookData embeds every document, in every form, and compares what comes out
// with what went in: by encoding/xml's tokens, and byte by byte except for white space
// at the beginning of lines.
func TestCorporaHookData(t *testing.T) {
	docs := corpora(t)
	var compared, outputs, interfaces, unreadable, differing int
	kinds := map[string]int{}
	for _, doc := range docs {
		kind := rootName(doc.text)
		if err := wellFormed(doc.text); err != nil {
			// Some of libvirt's documents are broken on purpose.
			unreadable++
			t.Logf("%s: not compared: %v", doc.name, err)
			continue
		}
		kinds[kind]++
		compared++
		check := func(p Payload, parts Parts, inputs ...string) {
			outputs++
			out, err := HookData(p, parts)
			if err == nil {
				err = sameTokens(string(out), inputs...)
			}
			if err == nil {
				err = sameBytes(string(out), inputs...)
			}
			if err != nil {
				differing++
				t.Errorf("%s: payload %s: %v", doc.name, p, err)
			}
		}
		for _, p := range Payloads() {
			switch kind {
			case "domain", "domstatus":
				nics, err := Interfaces(doc.text)
				if err != nil {
					t.Errorf("%s: %v", doc.name, err)
				}
				check(p, Parts{Network: sampleNetwork, Domain: doc.text}, sampleNetwork, doc.text)
				for _, nic := range nics {
					interfaces++
					text := nic.Text
					if p == PayloadSeed {
						text = ""
					}
					check(p, Parts{Interface: nic, Network: sampleNetwork, Domain: doc.text}, text, sampleNetwork, doc.text)
				}
			case "network", "networkstatus":
				check(p, Parts{Network: doc.text, Domain: sampleDomain}, doc.text, sampleDomain)
			default:
				check(p, Parts{Network: sampleNetwork, NetworkPort: doc.text}, sampleNetwork, doc.text)
			}
		}
	}
	t.Logf("%d documents (%v), %d outputs with %d of them led by an interface: %d differ; %d not well-formed",
		compared, kinds, outputs, interfaces, differing, unreadable)
}

// TestCorporaInterfaces reads the interfaces with encoding/xml and with libvirtxml too.
func TestCorporaInterfaces(t *testing.T) {
	type xmlInterface struct {
		Type string `xml:"type,attr"`
		MAC  struct {
			Address string `xml:"address,attr"`
		} `xml:"mac"`
		Source struct {
			Network   string `xml:"network,attr"`
			Bridge    string `xml:"bridge,attr"`
			Portgroup string `xml:"portgroup,attr"`
			PortID    string `xml:"portid,attr"`
			Dev       string `xml:"dev,attr"`
			Mode      string `xml:"mode,attr"`
		} `xml:"source"`
		Target struct {
			Dev string `xml:"dev,attr"`
		} `xml:"target"`
		Alias struct {
			Name string `xml:"name,attr"`
		} `xml:"alias"`
	}
	type xmlDomain struct {
		XMLName    xml.Name
		Type       string         `xml:"type,attr"`
		ID         *int           `xml:"id,attr"`
		Name       string         `xml:"name"`
		UUID       string         `xml:"uuid"`
		Interfaces []xmlInterface `xml:"devices>interface"`
	}
	var domains, interfaces, byLibvirtxml int
	for _, doc := range corpora(t) {
		if rootName(doc.text) != "domain" || wellFormed(doc.text) != nil {
			continue
		}
		domains++
		var want xmlDomain
		if err := xml.Unmarshal([]byte(doc.text), &want); err != nil {
			t.Errorf("%s: %v", doc.name, err)
			continue
		}
		head, err := ParseDomain(doc.text)
		if err != nil {
			t.Errorf("%s: %v", doc.name, err)
		}
		wantHead := DomainHead{Name: want.Name, UUID: want.UUID, Type: want.Type, ID: -1}
		if want.ID != nil {
			wantHead.ID = *want.ID
		}
		if d := cmp.Diff(wantHead, head); d != "" {
			t.Errorf("%s: %s", doc.name, d)
		}
		got, err := Interfaces(doc.text)
		if err != nil {
			t.Errorf("%s: %v", doc.name, err)
		}
		if len(got) != len(want.Interfaces) {
			t.Errorf("%s: %d interfaces, want %d", doc.name, len(got), len(want.Interfaces))
			continue
		}
		for i, nic := range got {
			interfaces++
			w := want.Interfaces[i]
			if !strings.HasPrefix(nic.Text, "<interface") || !strings.HasSuffix(nic.Text, ">") || !strings.Contains(doc.text, nic.Text) {
				t.Errorf("%s: interface %d is not verbatim: %q", doc.name, i, nic.Text)
			}
			if err := xml.Unmarshal([]byte(nic.Text), new(xmlInterface)); err != nil {
				t.Errorf("%s: interface %d cannot be read alone: %v", doc.name, i, err)
			}
			wantNIC := Interface{
				Text: nic.Text, Indent: nic.Indent, Type: w.Type, MAC: w.MAC.Address, Network: w.Source.Network, Bridge: w.Source.Bridge,
				Portgroup: w.Source.Portgroup, PortID: w.Source.PortID, Dev: w.Source.Dev, Mode: w.Source.Mode, Target: w.Target.Dev, Alias: w.Alias.Name,
			}
			if d := cmp.Diff(wantNIC, nic); d != "" {
				t.Errorf("%s: interface %d: %s", doc.name, i, d)
			}
			var l libvirtxml.DomainInterface
			if err := l.Unmarshal(nic.Text); err != nil {
				t.Logf("%s: interface %d: libvirtxml: %v", doc.name, i, err)
				continue
			}
			byLibvirtxml++
			if d := cmp.Diff(throughLibvirtxml(nic, &l), nic); d != "" {
				t.Errorf("%s: interface %d: against libvirtxml: %s", doc.name, i, d)
			}
		}
	}
	t.Logf("%d domains, %d interfaces, %d of them also compared with libvirtxml", domains, interfaces, byLibvirtxml)
}

// throughLibvirtxml returns nic with the fields that libvirtxml can read replaced by
// what it read.
func throughLibvirtxml(nic Interface, l *libvirtxml.DomainInterface) Interface {
	nic.MAC, nic.Target, nic.Alias = "", "", ""
	if l.MAC != nil {
		nic.MAC = l.MAC.Address
	}
	if l.Target != nil {
		nic.Target = l.Target.Dev
	}
	if l.Alias != nil {
		nic.Alias = l.Alias.Name
	}
	if l.Source == nil {
		return nic
	}
	switch s := l.Source; {
	case s.Network != nil:
		nic.Network, nic.Portgroup, nic.Bridge, nic.PortID = s.Network.Network, s.Network.PortGroup, s.Network.Bridge, s.Network.PortID
	case s.Bridge != nil:
		nic.Bridge = s.Bridge.Bridge // it drops network=
	case s.Direct != nil:
		nic.Dev, nic.Mode = s.Direct.Dev, s.Direct.Mode
	}
	return nic
}

// TestCorporaNetworks reads the head of every network with libvirtxml too, and edits
// connections in every one.
func TestCorporaNetworks(t *testing.T) {
	var networks int
	for _, doc := range corpora(t) {
		if rootName(doc.text) != "network" || wellFormed(doc.text) != nil {
			continue
		}
		networks++
		head, err := ParseNetwork(doc.text)
		if err != nil {
			t.Errorf("%s: %v", doc.name, err)
		}
		var l libvirtxml.Network
		if err := l.Unmarshal(doc.text); err != nil {
			t.Logf("%s: libvirtxml: %v", doc.name, err)
		} else {
			want := NetworkHead{Name: l.Name, UUID: l.UUID, Connections: head.Connections, HasConnections: head.HasConnections}
			if l.Forward != nil {
				if want.ForwardMode = l.Forward.Mode; want.ForwardMode == "" {
					want.ForwardMode = "nat"
				}
			}
			if l.Bridge != nil {
				want.Bridge = l.Bridge.Name
			}
			if d := cmp.Diff(want, head); d != "" {
				t.Errorf("%s: %s", doc.name, d)
			}
		}
		bare := WithConnections(doc.text, 0)
		if !head.HasConnections && bare != doc.text {
			t.Errorf("%s: changed although it has no connections", doc.name)
		}
		for _, n := range []int{1, 2, 1234567} {
			edited := WithConnections(bare, n)
			got, err := ParseNetwork(edited)
			if err != nil || got.Connections != n {
				t.Errorf("%s: connections %d, want %d: %v", doc.name, got.Connections, n, err)
			}
			if back := WithConnections(edited, 0); back != bare {
				t.Errorf("%s: not the same after setting and removing connections", doc.name)
			}
		}
	}
	t.Logf("%d networks", networks)
}
