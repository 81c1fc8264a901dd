package translate

import "hash/maphash"

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
	networks map[networkKey]*plugged
}

// plugged is what is counted in a network.
type plugged struct {
	nics    map[nicHash]int32 // how often each is
	total   int
	renewed int // plugged again since a restart
}

// nicHash stands for the name of an interface, which takes a hundred bytes, in what may
// be tens of thousands of them.
type nicHash uint64

var nicSeed = maphash.MakeSeed()

func hashOf(nic string) nicHash { return nicHash(maphash.String(nicSeed, nic)) }

type networkKey struct{ conn, network string }

// Of returns the number for the network's document of this call, and counts the call.
// Every call counts, whether a script is run for it or not, and once: port-created and
// port-deleted are other names of a moment that has been counted.
func (p *PlugCount) Of(call Call) int {
	key := networkKey{call.Conn, call.Network}
	switch call.Op {
	case OpStart:
		delete(p.networks, key)
		return 0
	case OpStopped:
		defer delete(p.networks, key)
	case OpPlugged:
		return p.at(key).plug(call)
	case OpUnplugged:
		return p.at(key).unplug(call.countKey())
	}
	return p.Present(call.Conn, call.Network)
}

// Present returns how many interfaces are plugged into a network.
func (p *PlugCount) Present(conn, network string) int {
	if n := p.networks[networkKey{conn, network}]; n != nil {
		return n.total
	}
	return 0
}

func (p *PlugCount) at(key networkKey) *plugged {
	n := p.networks[key]
	if n == nil {
		n = &plugged{nics: map[nicHash]int32{}}
		if p.networks == nil {
			p.networks = map[networkKey]*plugged{}
		}
		p.networks[key] = n
	}
	return n
}

func (n *plugged) plug(call Call) int {
	nic := hashOf(call.countKey())
	if call.Cause == CauseRestart && n.nics[nic] > 0 {
		n.renewed++
		now := n.renewed
		if now >= n.total {
			n.renewed = 0
		}
		return now
	}
	n.nics[nic]++
	n.total++
	return n.total
}

func (n *plugged) unplug(name string) int {
	nic := hashOf(name)
	if n.nics[nic] > 0 {
		n.nics[nic]--
		n.total--
	}
	if n.nics[nic] == 0 {
		delete(n.nics, nic)
	}
	return n.total
}

// Refused takes back what [PlugCount.Of] counted for a plugged call whose refusal has been
// undone: natively the counter is rolled back (networkAllocateActualDevice, 1.2.2).
func (p *PlugCount) Refused(call Call) {
	if call.Op == OpPlugged {
		call.Op = OpUnplugged
		p.Of(call)
	}
}

// Interface returns the name under which the interface of a call is counted, and how
// often it is, to be kept and given to [PlugCount.Restore] by a later run. The name is
// empty for a network's own calls.
func (p *PlugCount) Interface(call Call) (nic string, count int) {
	if call.NIC == nil || call.Domain == nil {
		return "", 0
	}
	nic = call.countKey()
	if n := p.networks[networkKey{call.Conn, call.Network}]; n != nil {
		count = int(n.nics[hashOf(nic)])
	}
	return nic, count
}

// Restore takes over what [PlugCount.Interface] returned in an earlier run.
func (p *PlugCount) Restore(conn, network, nic string, count int) {
	n := p.at(networkKey{conn, network})
	n.total += count - int(n.nics[hashOf(nic)])
	n.nics[hashOf(nic)] = int32(count) //nolint:gosec // an interface is plugged once, at most a few times
}

// countKey names an interface within its network as well as a MAC address can: a guest may
// have two with the same, so they are counted.
func (c Call) countKey() string {
	if c.Domain.Conn == c.Conn { // as nearly always
		return c.Domain.UUID + " " + c.NIC.MAC
	}
	return c.Domain.UUID + " " + c.NIC.MAC + " " + c.Domain.Conn
}
