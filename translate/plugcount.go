package translate

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
// The zero value is ready for use, by one goroutine at a time.
type PlugCount struct {
	plugged map[networkKey]map[nicKey]int
}

type networkKey struct{ conn, network string }

// nicKey names an interface as well as a MAC address can: a guest may have two with the
// same, so they are counted.
type nicKey struct{ conn, domain, mac string }

// Of returns the number for the network's document of this call, and counts the call.
// Every call counts, whether a script is run for it or not, and once: port-created and
// port-deleted are other names of a moment that has been counted.
func (p *PlugCount) Of(call Call) int {
	if p.plugged == nil {
		p.plugged = map[networkKey]map[nicKey]int{}
	}
	network := networkKey{call.Conn, call.Network}
	switch call.Op {
	case OpStart:
		delete(p.plugged, network)
	case OpStopped:
		defer delete(p.plugged, network)
	case OpPlugged:
		if p.plugged[network] == nil {
			p.plugged[network] = map[nicKey]int{}
		}
		p.plugged[network][call.nicKey()]++
	case OpUnplugged:
		nics, nic := p.plugged[network], call.nicKey()
		if nics[nic] > 1 {
			nics[nic]--
		} else {
			delete(nics, nic)
		}
	}
	n := 0
	for _, count := range p.plugged[network] {
		n += count
	}
	return n
}

// Restarted says that libvirtd was restarted. Its counters begin at 0 then, and count
// again the interfaces for which it calls plugged again.
func (p *PlugCount) Restarted() { p.plugged = nil }

// Announced counts the interfaces of a record as plugged: how to begin with records that
// outlived the agent.
func (p *PlugCount) Announced(networkConn string, d *Domain) {
	for _, nic := range d.NICs {
		if nic.Network != "" {
			p.Of(Call{
				Op: OpPlugged, Conn: networkConn, Network: nic.Network,
				Domain: &DomainRef{Conn: d.Conn, UUID: d.UUID}, NIC: &NICRef{MAC: nic.MAC},
			})
		}
	}
}

func (c Call) nicKey() nicKey { return nicKey{c.Domain.Conn, c.Domain.UUID, c.NIC.MAC} }
