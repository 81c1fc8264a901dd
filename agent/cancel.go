package agent

import (
	"slices"

	"hookbridge/internal/store"
)

// cancel takes back the calls of a passage that have not begun, and returns their
// numbers in the store.
func (d *dispatcher) cancel(guest string, p *passage) []store.CallID {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, c := range d.waiting[guest] {
		if c.passage() != p {
			continue
		}
		network := c.next()
		l := d.lanes[network]
		if l.running == c || c.undoing {
			gone := callIDs(c.tasks[1:]...)
			d.shorten(c, c.tasks[:1:1], network)
			return gone
		}
		gone := callIDs(c.tasks...)
		if i == 0 {
			place := c.places[network]
			place.ready = slices.DeleteFunc(place.ready, func(o *chain) bool { return o == c })
		}
		d.shorten(c, nil, "")
		if i == 0 {
			d.finish(c)
		} else {
			d.remove(c, network)
		}
		return gone
	}
	return nil
}

// passage returns the passage of which the chain has steps left, nil if there is none.
func (c *chain) passage() *passage {
	for i := range c.tasks {
		if g := c.tasks[i].gate; g != nil && !g.back {
			return g.passage
		}
	}
	return nil
}

// abandon lets a guest go on without waiting for an undo that is under way for an
// earlier run of it: that waits for libvirt, which may be waiting for the guest.
func (d *dispatcher) abandon(guest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	chains := d.waiting[guest]
	if len(chains) == 0 || !chains[0].undoing {
		return
	}
	chains[0].outcast = true
	if len(chains) == 1 {
		delete(d.waiting, guest)
		return
	}
	d.waiting[guest] = chains[1:]
	if !d.closed {
		d.queue(chains[1])
	}
}

// turnBack ends the passages that need a network which is about to be taken down.
// d.mu is held.
func (d *dispatcher) turnBack(network *task) {
	for c := range d.live {
		if p := c.passage(); p != nil && c.needs(network.network()) {
			p.block(takenDown(network.call.Network))
		}
	}
}

// turnAllBack ends all passages: their calls are not made any more. d.mu is held.
func (d *dispatcher) turnAllBack() {
	for c := range d.live {
		if p := c.passage(); p != nil {
			p.block(stopping)
		}
	}
}

const stopping = "the agent is being stopped"

// ending reports whether no other call begins.
func (d *dispatcher) ending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// undoing reports whether a network is just being taken down by an undo.
func (d *dispatcher) undoing(network string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[network]
	return l != nil && len(l.segments) > 0 && l.segments[0].barrier != nil && l.segments[0].barrier.undoing
}

func takenDown(network string) string {
	return "network " + network + " is being taken down: its hook script has refused it"
}
