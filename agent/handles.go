package agent

import (
	"sync"

	"libvirt.org/go/libvirt"
)

// networkHandles keeps libvirt's objects of a session's networks: looking one up is a
// round trip to libvirtd, as reading its document is. An object stands for the network
// of its UUID, so one that is defined anew under its name is not mistaken for it.
type networkHandles struct {
	mu     sync.Mutex
	conn   *libvirt.Connect // nil: nothing is kept
	byName map[string]*libvirt.Network

	// noInactive says that libvirt knows no inactive documents of networks: before
	// 0.9.10, and the test driver. To ask again would leave an error in libvirtd's
	// log each time.
	noInactive bool
}

func (h *networkHandles) begin(conn *libvirt.Connect) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn, h.byName, h.noInactive = conn, map[string]*libvirt.Network{}, false
}

// end gives back all objects: the connection would stay open.
func (h *networkHandles) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.byName {
		_ = n.Free()
	}
	h.conn, h.byName = nil, nil
}

// with calls fn with the network of that name. The error is libvirt's, of the lookup or
// of fn: fn is called again if it says that there is no such network and the object was
// an old one.
func (h *networkHandles) with(conn *libvirt.Connect, name string, fn func(*libvirt.Network) error) error {
	if n := h.borrow(conn, name); n != nil {
		err := fn(n)
		_ = n.Free()
		if !hasCode(err, libvirt.ERR_NO_NETWORK) {
			return err
		}
	}
	n, err := conn.LookupNetworkByName(name)
	if err != nil {
		h.keep(conn, name, nil)
		return err
	}
	defer func() { _ = n.Free() }()
	h.keep(conn, name, n)
	return fn(n)
}

// borrow returns an object that is kept, to be freed; nil if there is none.
func (h *networkHandles) borrow(conn *libvirt.Connect, name string) *libvirt.Network {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.byName[name]
	if n == nil || h.conn != conn || n.Ref() != nil {
		return nil
	}
	return n
}

// keep replaces the object that is kept.
func (h *networkHandles) keep(conn *libvirt.Connect, name string, n *libvirt.Network) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn != conn {
		return
	}
	if old := h.byName[name]; old != nil {
		_ = old.Free()
		delete(h.byName, name)
	}
	if n != nil && n.Ref() == nil {
		h.byName[name] = n
	}
}

// inactive reads a network's inactive document, "" where there is none to be had.
func (h *networkHandles) inactive(network *libvirt.Network) string {
	h.mu.Lock()
	none := h.noInactive
	h.mu.Unlock()
	if none {
		return ""
	}
	text, err := network.GetXMLDesc(libvirt.NETWORK_XML_INACTIVE)
	if hasCode(err, libvirt.ERR_INVALID_ARG) { // virCheckFlags
		h.mu.Lock()
		h.noInactive = true
		h.mu.Unlock()
	}
	return text
}
