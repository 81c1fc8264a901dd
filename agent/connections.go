package agent

import (
	"sync"

	"hookbridge/translate"
)

// plugCount counts, for each network, the interfaces that are plugged into it,
// as libvirt's own counter would at the moment of a call: incremented before
// plugged is called and decremented before unplugged
// (networkAllocateActualDevice and networkReleaseActualDevice, 1.2.2). A network
// that starts counts from nothing; an interface left over from its earlier life
// does not count, so that libvirt's drift below zero is not repeated.
type plugCount struct {
	mu      sync.Mutex
	plugged map[string]map[nicKey]int

	// renewed counts the interfaces that were plugged again after a restart of
	// libvirtd, which begins to count anew.
	renewed map[string]int
}

type nicKey struct{ domain, mac string }

func newPlugCount() *plugCount {
	return &plugCount{plugged: map[string]map[nicKey]int{}, renewed: map[string]int{}}
}

// at returns the number to show in the network's document of this call. Calls of
// one network come one at a time.
func (p *plugCount) at(call translate.Call) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	network := key(call.Conn, call.Network)
	nics := p.plugged[network]
	switch call.Op {
	case translate.OpStart:
		delete(p.plugged, network)
		return 0
	case translate.OpPlugged:
		if k := nicOf(call); call.Cause == translate.CauseRestart && nics[k] > 0 {
			p.renewed[network]++
			n := p.renewed[network]
			if n == total(nics) {
				delete(p.renewed, network)
			}
			return n
		}
		if nics == nil {
			nics = map[nicKey]int{}
			p.plugged[network] = nics
		}
		nics[nicOf(call)]++
	case translate.OpUnplugged:
		k := nicOf(call)
		if nics[k] > 1 {
			nics[k]--
		} else {
			delete(nics, k)
		}
	case translate.OpStopped:
		defer delete(p.plugged, network)
	}
	return total(nics)
}

func total(nics map[nicKey]int) int {
	n := 0
	for _, count := range nics {
		n += count
	}
	return n
}

func nicOf(call translate.Call) nicKey {
	return nicKey{call.Domain.UUID, call.NIC.MAC}
}
