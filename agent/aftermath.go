package agent

import "slices"

// aftermath is what a call leaves to be done that takes time but no script: an
// undo. The guest waits for it, and a network that is itself concerned; other
// guests' calls go on in the network, and it does not count as a script that runs.
// It returns what of the chain's rest is to be made.
type aftermath func() (rest []task)

// undoOfNetwork makes the aftermath of a network's own call: the network stands
// still meanwhile. d.mu is held, but not during the aftermath.
func (d *dispatcher) undoOfNetwork(l *lane, c *chain, after aftermath) {
	c.undoing = true
	d.turnBack(&c.tasks[0])
	rest := d.resign(after)
	c.undoing = false
	d.shorten(c, rest, l.network)
	d.advance(l, c)
	l.worked = false
	d.wake(l)
}

// undoOfGuest makes the aftermath of a guest's call. The chain leaves the lane and
// keeps its places: what waits for libvirt must not hold up the start of another
// guest, for which libvirt may be waiting. d.mu is held, but not during the
// aftermath.
func (d *dispatcher) undoOfGuest(l *lane, c *chain, after aftermath) {
	c.undoing = true
	head := l.segments[0]
	head.ready = slices.DeleteFunc(head.ready, func(o *chain) bool { return o == c })
	l.worked = false
	d.wake(l)
	rest := d.resign(after)
	c.undoing = false
	if c.outcast {
		rest = nil
	}
	d.shorten(c, rest, "")
	switch {
	case len(rest) == 0:
		d.finish(c)
	case !d.closed:
		d.queue(c)
	}
}

// resign lets somebody else work during an aftermath. d.mu is held, but not during
// the aftermath.
func (d *dispatcher) resign(after aftermath) (rest []task) {
	d.workers--
	d.coming--
	d.employ()
	d.mu.Unlock()
	rest = after()
	d.mu.Lock()
	d.workers++
	d.coming++
	return rest
}
