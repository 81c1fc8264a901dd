package translate

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// observation is one line of a recording.
type observation struct {
	record
	Path   string `json:"path"`
	Change string `json:"change"`
}

// step is one virsh command of a recording with all that was seen until the next.
type step struct {
	name    string // "virsh start g1 (2)": the second step of that name
	failed  bool
	records []observation
	native  []observation // what libvirt's own network hook was given
}

func steps(t testing.TB, version string) []step {
	t.Helper()
	data, err := os.ReadFile("testdata/recordings/libvirt-" + version + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []step
	times := map[string]int{}
	for line := range strings.Lines(string(data)) {
		var o observation
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(o.Step, "virsh "):
			times[o.Step]++
			all = append(all, step{name: fmt.Sprintf("%s (%d)", o.Step, times[o.Step])})
		case len(all) == 0: // the connection
		case o.Kind == "step":
			all[len(all)-1].failed = !strings.HasPrefix(o.Step, "-> exit 0")
		case o.Kind == "native-hook":
			all[len(all)-1].native = append(all[len(all)-1].native, o)
		default:
			all[len(all)-1].records = append(all[len(all)-1].records, o)
		}
	}
	return all
}

// observer keeps what has been announced, as the agent does, and collects the calls.
type observer struct {
	t        *testing.T
	networks map[string]*Network
	guests   map[string]*Domain
	uuids    map[string]string // of guests, by name

	live, inactive map[string]string // networks' documents as last seen; absent: gone

	// unrecorded are live documents that a look would have found but that no event
	// brought, by step: hot-plug and device update have none on these versions.
	unrecorded map[string]string

	calls []Call
}

func newObserver(t *testing.T) *observer {
	return &observer{
		t: t, networks: map[string]*Network{}, guests: map[string]*Domain{}, uuids: map[string]string{},
		live: map[string]string{}, inactive: map[string]string{}, unrecorded: map[string]string{},
	}
}

// run looks where the records of a step give reason to, and returns the calls.
func (o *observer) run(s step) []Call {
	o.calls = nil
	for i, r := range s.records {
		switch r.Kind {
		case "network-event":
			o.networkEvent(r)
		case "domain-event", "device-removed":
			o.domainEvent(r)
		case "file":
			o.kick(s, r, s.records[i+1:])
		}
	}
	return o.calls
}

func (o *observer) networkEvent(r observation) {
	switch {
	case strings.Contains(r.Event, `"started"`):
		o.lookAtNetwork(r.Network, r.XML, CauseEvent)
	case strings.Contains(r.Event, `"defined"`):
		o.inactive[r.Network] = r.XML
	case strings.Contains(r.Event, `"stopped"`):
		o.lookAtNetwork(r.Network, "", CauseEvent)
		if r.XML == "" { // it was transient
			delete(o.inactive, r.Network)
		}
	case strings.Contains(r.Event, `"undefined"`):
		delete(o.inactive, r.Network)
	}
}

// lookAtNetwork looks at a network whose live document is live, or that is not active.
func (o *observer) lookAtNetwork(name, live string, cause Cause) {
	seen := NetworkSeen{Conn: "qemu:///system", Name: name, Active: live != "", Live: live, Cause: cause}
	if seen.Active {
		head, err := ParseNetwork(live)
		if err != nil {
			o.t.Fatal(err)
		}
		seen.UUID = head.UUID
		// Of a transient network the inactive document was not recorded. netc, which
		// is the only one, has forward mode bridge: libvirt adds nothing to its live
		// document.
		if seen.Inactive = o.inactive[name]; seen.Inactive == "" {
			seen.Inactive = live
		}
		o.live[name] = live
	} else {
		delete(o.live, name)
	}
	now, calls := o.networks[name].Look(seen)
	o.networks[name] = now
	o.calls = append(o.calls, calls...)
}

func (o *observer) domainEvent(r observation) {
	seen := DomainSeen{Live: r.XML, Inactive: r.Inactive, Cause: CauseEvent}
	if r.Kind == "device-removed" {
		seen.Removed = []string{r.Event}
	}
	o.lookAtGuest(r.Domain, seen)
}

func (o *observer) lookAtGuest(name string, seen DomainSeen) {
	seen.Conn, seen.NetworkConn, seen.Name, seen.ID = "qemu:///system", "qemu:///system", name, -1
	if seen.Live != "" {
		head, err := ParseDomain(seen.Live)
		if err != nil {
			o.t.Fatal(err)
		}
		seen.ID, o.uuids[name] = head.ID, head.UUID
	}
	seen.Running, seen.UUID = seen.ID >= 0, o.uuids[name]
	now, calls, err := o.guests[name].Look(seen, o.document)
	if err != nil {
		o.t.Errorf("%s: %v", name, err)
	}
	o.guests[name] = now
	o.calls = append(o.calls, calls...)
}

// document is what libvirt has for a network.
func (o *observer) document(name string) (string, string) {
	if doc := o.live[name]; doc != "" {
		return doc, ""
	}
	if doc := o.inactive[name]; doc != "" {
		return doc, ""
	}
	doc, err := AuthorNetwork(name, "")
	if err != nil {
		o.t.Fatal(err)
	}
	return doc, "not recorded"
}

// kick looks at the object whose status file was renamed into place or removed. What the
// look finds was not recorded, but an event behind it in the same step shows it, or the
// step's document in unrecorded. A libvirtd of these versions does not answer while it is
// at work on the object, so nothing half done is seen.
func (o *observer) kick(s step, r observation, later []observation) {
	dir, file := path.Split(r.Path)
	name, isXML := strings.CutSuffix(file, ".xml")
	if !isXML || r.Change != "MOVED_TO" && r.Change != "DELETE" {
		return
	}
	var shown observation
	if i := slices.IndexFunc(later, func(l observation) bool { return l.XML != "" && (l.Network == name || l.Domain == name) }); i >= 0 {
		shown = later[i]
	}
	switch {
	case strings.HasSuffix(dir, "/network/") && r.Change == "DELETE":
		o.lookAtNetwork(name, "", CauseKick)
	case strings.HasSuffix(dir, "/network/"):
		if shown.XML == "" {
			// Before 1.2.1 no event shows a network.
			shown.XML, _ = o.document(name)
		}
		o.lookAtNetwork(name, shown.XML, CauseKick)
	case r.Change == "DELETE":
		o.lookAtGuest(name, DomainSeen{Cause: CauseKick})
	case shown.XML != "":
		o.lookAtGuest(name, DomainSeen{Live: shown.XML, Inactive: shown.Inactive, Cause: CauseKick})
	case o.unrecorded[s.name] != "":
		o.lookAtGuest(name, DomainSeen{Live: o.unrecorded[s.name], Inactive: o.inactiveGuest(name), Cause: CauseKick})
	}
	// Else the guest is about to stop: the file is written once more, showing nothing new.
}

// inactiveGuest is the inactive document of a guest of which only the interfaces matter:
// g1's, the only one with an unrecorded live document.
func (o *observer) inactiveGuest(name string) string {
	if name != "g1" {
		o.t.Fatalf("no document of %s", name)
	}
	return "<domain type='qemu'>\n  <name>g1</name>\n  <devices>\n    " +
		on("neta", "52:54:00:0d:01:01", "") + on("netb", "52:54:00:0d:01:02", "") + on("netc", "52:54:00:0d:01:03", "") + on("neta", "52:54:00:0d:01:04", "") +
		"</devices>\n</domain>\n"
}
