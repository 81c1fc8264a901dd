package agent

import "slices"

// lane is what one network has to do, in segments: those between barriers, and
// the barriers themselves.
type lane struct {
	network  string
	segments []*segment
	worked   bool // its turn will come, or is
	running  *chain
}

// segment is either a barrier or the calls about interfaces between two
// barriers. Among those of these that are ready the order is that of their planning.
type segment struct {
	barrier     *chain
	outstanding int // chains with a place here
	ready       []*chain
}

// lane returns a network's lane. d.mu is held.
func (d *dispatcher) lane(network string) *lane {
	l := d.lanes[network]
	if l == nil {
		l = &lane{network: network}
		d.lanes[network] = l
	}
	return l
}

// place takes a place behind everything that is planned.
func (l *lane) place() *segment {
	last := len(l.segments) - 1
	if last < 0 || l.segments[last].barrier != nil {
		l.segments = append(l.segments, &segment{})
		last++
	}
	l.segments[last].outstanding++
	return l.segments[last]
}

// queue makes a guest's chain ready in the lane of its next call, before those that
// were planned later: what came first natively waits only for what is elsewhere. It
// reports whether a worker has been employed for that. d.mu is held.
func (d *dispatcher) queue(c *chain) (atOnce bool) {
	network := c.next()
	place := c.places[network]
	l := d.lanes[network]
	at := 0
	for at < len(place.ready) && (place.ready[at] == l.running || place.ready[at].number < c.number) {
		at++
	}
	place.ready = slices.Insert(place.ready, at, c)
	for _, behind := range place.ready[at+1:] {
		behind.hurry() // it may have been about to begin
	}
	if l.worked || l.pick() != c {
		c.setAside()
	}
	return d.wake(l)
}

// wake gives a lane a turn if it has something to do, and forgets one that has
// nothing left. It reports whether a worker has been employed for it. d.mu is held.
func (d *dispatcher) wake(l *lane) (employed bool) {
	switch {
	case l.worked:
	case len(l.segments) == 0:
		delete(d.lanes, l.network)
	case !d.closed && l.pick() != nil:
		l.worked = true
		d.turns = append(d.turns, l)
		return d.employ()
	}
	return false
}

// pick returns the chain whose calls come next, nil if all that come next are
// not ready.
func (l *lane) pick() *chain {
	if len(l.segments) == 0 {
		return nil
	}
	head := l.segments[0]
	if head.barrier != nil {
		return head.barrier
	}
	if len(head.ready) == 0 {
		return nil
	}
	return head.ready[0]
}

// sweep drops the segments between barriers that nothing has a place in any more.
func (l *lane) sweep() {
	l.segments = slices.DeleteFunc(l.segments, func(s *segment) bool { return s.barrier == nil && s.outstanding == 0 })
}
