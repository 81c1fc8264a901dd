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

// compare holds hookbridge's calls against libvirt's own. start, started and
// stopped must agree in order, arguments and every byte of stdin; each plugged
// and unplugged must stand where port-created and port-deleted of the same
// network, guest and MAC do. Order is that of each network and of each guest:
// between them libvirt promises none.
func compare(t *testing.T, native, ours []testhost.Call) {
	t.Helper()
	report := comparison{}
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
	wantCalls, gotCalls := networkCalls(native), networkCalls(ours)
	for network, want := range wantCalls {
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
	for _, c := range ours {
		if e := entryOf(t, c); e.MAC != "" {
			report.portCalls++
			if want := []string{e.Network, e.Op, "begin", "-"}; !slices.Equal(want, c.Args[1:]) {
				t.Errorf("arguments %q, want %q", c.Args[1:], want)
			}
		}
	}
	t.Logf("compared with libvirt's own hook: %d network calls (%d bytes of stdin equal), %d plugged/unplugged in the place of port-created/port-deleted",
		report.networkCalls, report.bytes, report.portCalls)
}

type comparison struct{ networkCalls, portCalls, bytes int }

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
		if op := c.Op(); op == "start" || op == "started" || op == "stopped" {
			m[c.Object()] = append(m[c.Object()], c)
		}
	}
	return m
}
