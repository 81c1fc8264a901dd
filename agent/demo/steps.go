package demo

import (
	"errors"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// virtualHost is what an administrator has set up in the test driver, step by step.
type virtualHost struct {
	conn     *libvirt.Connect
	networks []*libvirt.Network
	web, db  *libvirt.Domain
}

func (h *virtualHost) free() {
	for _, n := range h.networks {
		_ = n.Free()
	}
	for _, d := range []*libvirt.Domain{h.web, h.db} {
		if d != nil {
			_ = d.Free()
		}
	}
}

// tourStep is something that an administrator does, and the calls that it must bring
// about.
type tourStep struct {
	title string
	do    func() error
	calls []expected
}

// steps are those of the tour, each of which needs the ones before.
func (h *virtualHost) steps() []tourStep {
	ports := func(op translate.Op, guest string, number int) []expected {
		return []expected{
			{"front", op, guest, mac(number, 0)},
			{"back", op, guest, mac(number, 1)},
		}
	}
	return []tourStep{
		{"virsh net-create front.xml, back.xml", h.createNetworks, []expected{
			{"front", translate.OpStart, "", ""}, {"front", translate.OpStarted, "", ""},
			{"back", translate.OpStart, "", ""}, {"back", translate.OpStarted, "", ""},
		}},
		{"virsh create web.xml: a guest with two interfaces", func() (err error) {
			h.web, err = h.conn.DomainCreateXML(guestXML("web", 1, "front", "back"), 0)
			return err
		}, ports(translate.OpPlugged, "web", 1)},
		{"virsh create db.xml: another; connections='2' now", func() (err error) {
			h.db, err = h.conn.DomainCreateXML(guestXML("db", 2, "front", "back"), 0)
			return err
		}, ports(translate.OpPlugged, "db", 2)},
		{"virsh destroy web: the guest is gone, its last live documents are not", func() error {
			return h.web.Destroy()
		}, ports(translate.OpUnplugged, "web", 1)},
		{"virsh destroy db", func() error { return h.db.Destroy() }, ports(translate.OpUnplugged, "db", 2)},
		{"virsh net-destroy front, back", func() error {
			return errors.Join(h.networks[0].Destroy(), h.networks[1].Destroy())
		}, []expected{{"front", translate.OpStopped, "", ""}, {"back", translate.OpStopped, "", ""}}},
	}
}

func (h *virtualHost) createNetworks() error {
	for i, name := range []string{"front", "back"} {
		n, err := h.conn.NetworkCreateXML(networkXML(name, 150+i))
		if err != nil {
			return err
		}
		h.networks = append(h.networks, n)
	}
	return nil
}
