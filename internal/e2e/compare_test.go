//go:build e2e

package e2e

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hookbridge/internal/testhost"
)

// entry is what a call says about its place in the order.
type entry struct {
	Network string
	Op      string // in the words of libvirt 1.2.2
	Guest   string
	MAC     string
}

func (e entry) String() string {
	return strings.TrimSpace(fmt.Sprint(e.Network, " ", e.Op, " ", e.Guest, " ", e.MAC))
}

// classicOp translates libvirt 9.0's names of the port operations.
var classicOp = map[string]string{"port-created": "plugged", "port-deleted": "unplugged"}

// hookData holds what identifies a call's interface and guest in both eras.
type hookData struct {
	Interface struct {
		MAC struct {
			Address string `xml:"address,attr"`
		} `xml:"mac"`
	} `xml:"interface"`
	Domain struct {
		Name string `xml:"name"`
	} `xml:"domain"`
	Port struct {
		Owner struct {
			Name string `xml:"name"`
		} `xml:"owner"`
		MAC struct {
			Address string `xml:"address,attr"`
		} `xml:"mac"`
	} `xml:"networkport"`
}

func entryOf(t *testing.T, c testhost.Call) entry {
	t.Helper()
	e := entry{Network: c.Object(), Op: c.Op()}
	if op, ok := classicOp[e.Op]; ok {
		e.Op = op
	}
	var d hookData
	if err := xml.Unmarshal(c.Stdin, &d); err != nil {
		t.Errorf("%s: the document is not well-formed: %v\n%s", c, err, c.Stdin)
	}
	e.Guest, e.MAC = d.Domain.Name+d.Port.Owner.Name, d.Interface.MAC.Address+d.Port.MAC.Address
	return e
}

// allowance is a difference between libvirt 9.0, which is the oracle, and libvirt
// 1.2.2, which hookbridge replays: a name, and the calls that only one side
// makes.
type allowance struct {
	name   string
	native func(entry) bool // calls that libvirt 9.0 makes and 1.2.2 does not, or nobody can observe
	ours   func(entry) bool // calls that 1.2.2 makes and 9.0 does not
	limit  int              // how many there must be
}

// without drops the allowed calls, which must be there in the stated number.
func (a allowance) without(t *testing.T, calls []testhost.Call, drop func(entry) bool) []testhost.Call {
	t.Helper()
	if drop == nil {
		return calls
	}
	dropped := 0
	kept := slices.DeleteFunc(slices.Clone(calls), func(c testhost.Call) bool {
		if dropped < a.limit && drop(entryOf(t, c)) {
			dropped++
			return true
		}
		return false
	})
	if dropped != a.limit {
		t.Errorf("allowed for %s: %d calls, want %d", a.name, dropped, a.limit)
	}
	t.Logf("let pass: %s (%d calls)", a.name, dropped)
	return kept
}

// compare holds hookbridge's calls against libvirt's own. start, started, stopped
// and updated must agree in order, arguments and every byte of stdin; each
// plugged and unplugged must stand where port-created and port-deleted of the
// same network, guest and MAC do. Order is that of each network and of each
// guest: between them libvirt promises none.
func compare(t *testing.T, native, ours []testhost.Call, allow ...allowance) {
	t.Helper()
	for _, a := range allow {
		native, ours = a.without(t, native, a.native), a.without(t, ours, a.ours)
	}
	for name, lane := range map[string]func(entry) string{
		"network": func(e entry) string { return e.Network },
		"guest":   func(e entry) string { return e.Guest },
	} {
		want, got := lanes(t, native, lane), lanes(t, ours, lane)
		if name == "guest" {
			delete(want, "")
			delete(got, "")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order per %s (-native +hookbridge):\n%s", name, diff)
		}
	}
	report := comparison{}
	gotCalls := networkCalls(ours)
	for network, want := range networkCalls(native) {
		got := gotCalls[network]
		for i := range min(len(want), len(got)) {
			if diff := cmp.Diff(want[i].Args[1:], got[i].Args[1:]); diff != "" {
				t.Errorf("arguments (-native +hookbridge):\n%s", diff)
			}
			if diff := cmp.Diff(string(want[i].Stdin), string(got[i].Stdin)); diff != "" {
				t.Errorf("%s: stdin (-native +hookbridge):\n%s", want[i], diff)
			}
			report.bytes += len(want[i].Stdin)
			report.networkCalls++
		}
	}
	comparePorts(t, native, ours, &report)
	t.Logf("compared with libvirt's own hook: %d network calls (%d bytes of stdin equal), %d plugged/unplugged in the place of port-created/port-deleted (%d network documents in them equal)",
		report.networkCalls, report.bytes, report.portCalls, report.portNetworks)
}

// comparePorts checks the arguments of the calls about interfaces, and that the
// network's document in them is the one that libvirt gave to its own hook.
func comparePorts(t *testing.T, native, ours []testhost.Call, report *comparison) {
	t.Helper()
	theirs := map[string][]testhost.Call{}
	for _, c := range native {
		if e := entryOf(t, c); e.MAC != "" {
			theirs[e.String()] = append(theirs[e.String()], c)
		}
	}
	for _, c := range ours {
		e := entryOf(t, c)
		if e.MAC == "" {
			continue
		}
		report.portCalls++
		if want := []string{e.Network, e.Op, "begin", "-"}; !slices.Equal(want, c.Args[1:]) {
			t.Errorf("arguments %q, want %q", c.Args[1:], want)
		}
		twins := theirs[e.String()]
		if len(twins) == 0 {
			continue // told by the order already, or allowed
		}
		theirs[e.String()] = twins[1:]
		if diff := cmp.Diff(networkOf(twins[0]), networkOf(c)); diff != "" {
			t.Errorf("%s: the network's document (-native +hookbridge):\n%s", c, diff)
		}
		report.portNetworks++
	}
}

// networkOf cuts the network's document out of hookData.
func networkOf(c testhost.Call) string {
	s := string(c.Stdin)
	begin, end := strings.Index(s, "\n  <network"), strings.Index(s, "\n  </network>")
	if begin < 0 || end < begin {
		return s
	}
	return s[begin:end]
}

type comparison struct{ networkCalls, portCalls, portNetworks, bytes int }

func lanes(t *testing.T, calls []testhost.Call, lane func(entry) string) map[string][]string {
	t.Helper()
	m := map[string][]string{}
	for _, c := range calls {
		e := entryOf(t, c)
		m[lane(e)] = append(m[lane(e)], e.String())
	}
	return m
}

// networkCalls returns the calls that are about a network alone.
func networkCalls(calls []testhost.Call) map[string][]testhost.Call {
	m := map[string][]testhost.Call{}
	for _, c := range calls {
		if op := c.Op(); op == "start" || op == "started" || op == "stopped" || op == "updated" {
			m[c.Object()] = append(m[c.Object()], c)
		}
	}
	return m
}
