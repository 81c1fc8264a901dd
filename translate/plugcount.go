package translate

import "maps"

// PlugCount counts, for each network, the interfaces that are plugged into it, as
// libvirt's own counter shows at the moment of a call: incremented before plugged is
// called and decremented before unplugged (networkAllocateActualDevice and
// networkReleaseActualDevice, 1.2.2).
//
// It does not repeat libvirt's drift: when a network is restarted below its guests,
// native counts from 0 and each of those guests' interfaces takes it one further below
// when it goes. Here an interface that a network's present life has not counted does not
// count when it goes.
//
// When libvirtd is restarted it counts anew, from 1, the interfaces that it plugs
// again; so do the calls with that cause.
//
// The zero value is ready for use, by one goroutine at a time.
type PlugCount struct {
	plugged map[networkKey]map[string]int // by interface
	renewed map[networkKey]int            // plugged again since a restart
}

type networkKey struct{ conn, network string }

// Of returns the number for the network's document of this call, and counts the call.
// Every call counts, whether a script is run for it or not, and once: port-created and
// port-deleted are other names of a moment that has been counted.
func (p *PlugCount) Of(call Call) int {
	network := networkKey{call.Conn, call.Network}
	nics := p.plugged[network]
	switch call.Op {
	case OpStart:
		p.forget(network)
		return 0
	case OpStopped:
		defer p.forget(network)
	case OpPlugged:
		nic := call.countKey()
		if call.Cause == CauseRestart && nics[nic] > 0 {
			return p.renew(network)
		}
		if nics == nil {
			nics = map[string]int{}
			p.set(network, nics)
		}
		nics[nic]++
	case OpUnplugged:
		if nic := call.countKey(); nics[nic] > 1 {
			nics[nic]--
		} else {
			delete(nics, nic)
		}
	}
	return total(nics)
}

// Refused takes back what [PlugCount.Of] counted for a plugged call whose refusal has been
// undone: natively the counter is rolled back (networkAllocateActualDevice, 1.2.2).
func (p *PlugCount) Refused(call Call) {
	if call.Op == OpPlugged {
		call.Op = OpUnplugged
		p.Of(call)
	}
}

// renew counts an interface that was plugged already and is plugged again.
func (p *PlugCount) renew(network networkKey) int {
	if p.renewed == nil {
		p.renewed = map[networkKey]int{}
	}
	p.renewed[network]++
	n := p.renewed[network]
	if n >= total(p.plugged[network]) {
		delete(p.renewed, network)
	}
	return n
}

func (p *PlugCount) forget(network networkKey) {
	delete(p.plugged, network)
	delete(p.renewed, network)
}

func (p *PlugCount) set(network networkKey, nics map[string]int) {
	if p.plugged == nil {
		p.plugged = map[networkKey]map[string]int{}
	}
	p.plugged[network] = nics
}

// Interfaces returns a copy of what is counted in a network, to be kept and given to
// [PlugCount.Restore] by a later run.
func (p *PlugCount) Interfaces(conn, network string) map[string]int {
	return maps.Clone(p.plugged[networkKey{conn, network}])
}

// Restore takes over what [PlugCount.Interfaces] returned in an earlier run.
func (p *PlugCount) Restore(conn, network string, interfaces map[string]int) {
	p.set(networkKey{conn, network}, maps.Clone(interfaces))
}

func total(nics map[string]int) int {
	n := 0
	for _, count := range nics {
		n += count
	}
	return n
}

// countKey names an interface as well as a MAC address can: a guest may have two with
// the same, so they are counted.
func (c Call) countKey() string { return c.Domain.Conn + " " + c.Domain.UUID + " " + c.NIC.MAC }
