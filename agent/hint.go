package agent

import (
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// hint says that something may have changed with one object, and what libvirt
// said about it.
type hint struct {
	kind    hintKind
	name    string
	uuid    string
	arrived time.Time

	// started and stopped are what a lifecycle event claimed.
	started, stopped bool

	// how says how a domain was started.
	how translate.Started

	// id is the domain's id as the event knew it, -1 if it had none.
	id int

	// removed is the device alias of a DEVICE_REMOVED event.
	removed string

	// kick says that no event of libvirt's but a file told of it; then there is
	// no UUID.
	kick bool

	// domain is libvirt's object that the event came with, which saves asking for
	// it; nil if there is none. The queue holds it until the hint is taken, then
	// who has taken it. Outside of both it is the callback's own.
	domain *libvirt.Domain
}

// hold keeps libvirt's object beyond the callback.
func (h *hint) hold() {
	if h.domain != nil && h.domain.Ref() != nil {
		h.domain = nil
	}
}

// release gives it back: a connection stays open as long as any object of it is held.
func (h *hint) release() {
	if h.domain != nil {
		_ = h.domain.Free()
		h.domain = nil
	}
}

type hintKind int

const (
	networkHint hintKind = iota
	domainHint
	newBridgeHint // name is that of a link of the kernel's
	goneLinkHint  // likewise
)

// cause is the reason for calls that follow from the hint.
func (h hint) cause() translate.Cause {
	if h.kick {
		return translate.CauseKick
	}
	return translate.CauseEvent
}

func (h hint) String() string {
	kinds := map[hintKind]string{networkHint: "network", domainHint: "domain", newBridgeHint: "bridge", goneLinkHint: "link"}
	return fmt.Sprintf("%s %s", kinds[h.kind], h.name)
}

// domainHintOf copies what a callback was given.
func domainHintOf(d *libvirt.Domain) (hint, error) {
	h := hint{kind: domainHint, id: -1, arrived: time.Now(), domain: d}
	var err error
	if h.name, err = d.GetName(); err != nil {
		return h, err
	}
	if h.uuid, err = d.GetUUIDString(); err != nil {
		return h, err
	}
	if id, err := d.GetID(); err == nil {
		h.id = int(int32(id)) // libvirt's -1 arrives as an unsigned number
	}
	return h, nil
}

func networkHintOf(n *libvirt.Network) (hint, error) {
	h := hint{kind: networkHint, id: -1, arrived: time.Now()}
	var err error
	if h.name, err = n.GetName(); err != nil {
		return h, err
	}
	h.uuid, err = n.GetUUIDString()
	return h, err
}
