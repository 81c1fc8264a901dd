package agent

import (
	"slices"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// withdraw takes back calls that wait: of a guest, or, with an empty guest, a
// network's own. drop is asked for each in order and must not call the
// dispatcher. What the chain under way has left is not touched. It returns the
// calls' numbers in the store.
func (d *dispatcher) withdraw(guest, network string, drop func(translate.Call) bool) []store.CallID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var gone []store.CallID
	for _, c := range d.behind(guest, network) {
		var rest []task
		for _, t := range c.tasks {
			if t.fired == nil && drop(t.call) {
				gone = append(gone, t.id)
			} else {
				rest = append(rest, t)
			}
		}
		if len(rest) == len(c.tasks) {
			continue
		}
		d.shorten(c, rest, "")
		if len(rest) == 0 {
			d.remove(c, network)
		}
	}
	return gone
}

// behind returns the chains that wait behind the one under way. d.mu is held.
func (d *dispatcher) behind(guest, network string) []*chain {
	if guest != "" {
		chains := d.waiting[guest]
		return slices.Clone(chains[min(1, len(chains)):])
	}
	l := d.lanes[network]
	if l == nil {
		return nil
	}
	var chains []*chain
	for i, s := range l.segments {
		if s.barrier != nil && (i > 0 || !l.worked) {
			chains = append(chains, s.barrier)
		}
	}
	return chains
}

// shorten sets what a chain has left, and gives its places up where nothing of it
// is left; not that in the lane of the call under way. d.mu is held.
func (d *dispatcher) shorten(c *chain, rest []task, underWay string) {
	before := c.tasks
	c.tasks = rest
	released := map[string]bool{underWay: true}
	for i := range before {
		network := before[i].network()
		if c.guest == "" || released[network] || c.needs(network) {
			continue
		}
		released[network] = true
		c.places[network].outstanding--
		l := d.lanes[network]
		l.sweep()
		d.wake(l)
	}
}

// remove forgets a chain that waits and has nothing left. d.mu is held.
func (d *dispatcher) remove(c *chain, network string) {
	delete(d.live, c)
	if c.guest != "" {
		d.waiting[c.guest] = slices.DeleteFunc(d.waiting[c.guest], func(o *chain) bool { return o == c })
		return
	}
	l := d.lanes[network]
	l.segments = slices.DeleteFunc(l.segments, func(s *segment) bool { return s.barrier == c })
	d.wake(l)
}
