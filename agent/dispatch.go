package agent

import (
	"context"
	"sync"
	"time"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// task is one call to be made.
type task struct {
	call translate.Call
	id   store.CallID // in the store

	// retry says that the call may have begun before: the agent was killed
	// between planning it and its end.
	retry bool

	// silent says that the call is not made: what it tells was there before
	// hookbridge, and is only to be known and counted.
	silent bool
}

// chain is a list of calls that one change asks for, to be made in order.
type chain struct {
	guest   string // the key of the domain, "" for a network's own calls
	tasks   []task
	planned time.Time
	places  map[string]*segment // by network, where the guest's calls stand
}

// network is the key of the task's network.
func (t *task) network() string { return key(t.call.Conn, t.call.Network) }

// next is the key of the network of the chain's next call.
func (c *chain) next() string { return c.tasks[0].network() }

// needs reports whether a call on this network is still to come.
func (c *chain) needs(network string) bool {
	for i := range c.tasks {
		if c.tasks[i].network() == network {
			return true
		}
	}
	return false
}

// dispatcher makes the calls. Two orders hold at once: one call at a time per
// network, and one at a time per guest. The call for a guest's next network is
// queued there when the one before has ended, so a script that hangs holds up
// its own network and nothing else.
//
// A network's own calls (start, started, stopped) are barriers: calls about its
// interfaces that were planned before come before, those planned after come
// after. Hence plugged never precedes started, and stopped never overtakes an
// unplugged that is held up elsewhere.
type dispatcher struct {
	run  func(ctx context.Context, t task, planned time.Time)
	slot chan struct{} // one token for each script that may run

	ctx   context.Context
	ended sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	lanes   map[string]*lane
	waiting map[string][]*chain // per guest; the first is under way
	live    map[*chain]struct{} // every chain that has calls left
}

// lane is what one network has to do, in segments: those between barriers, and
// the barriers themselves. Its worker exists only while something can be done.
type lane struct {
	segments []*segment
	worked   bool
}

// segment is either a barrier or the calls about interfaces between two
// barriers. Among these the order is that in which they become ready.
type segment struct {
	barrier     *chain
	outstanding int // chains with a place here
	ready       []*chain
}

// newDispatcher returns a dispatcher that makes calls with run, at most parallel
// at a time. ctx is handed to run; cancelling it is for emergencies, close ends
// the dispatcher in good order.
func newDispatcher(ctx context.Context, parallel int, run func(context.Context, task, time.Time)) *dispatcher {
	return &dispatcher{
		run:     run,
		slot:    make(chan struct{}, parallel),
		ctx:     ctx,
		lanes:   map[string]*lane{},
		waiting: map[string][]*chain{},
		live:    map[*chain]struct{}{},
	}
}

// submit queues a chain and returns at once. After close it does nothing.
func (d *dispatcher) submit(c chain) {
	if len(c.tasks) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.live[&c] = struct{}{}
	if c.guest == "" {
		l := d.lane(c.next())
		l.segments = append(l.segments, &segment{barrier: &c})
		d.wake(c.next(), l)
		return
	}
	c.places = make(map[string]*segment, len(c.tasks))
	for i := range c.tasks {
		network := c.tasks[i].network()
		if c.places[network] == nil {
			c.places[network] = d.lane(network).place()
		}
	}
	d.waiting[c.guest] = append(d.waiting[c.guest], &c)
	if len(d.waiting[c.guest]) == 1 {
		d.queue(&c)
	}
}

// lane returns a network's lane. d.mu is held.
func (d *dispatcher) lane(network string) *lane {
	l := d.lanes[network]
	if l == nil {
		l = &lane{}
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

// queue makes a guest's chain ready in the lane of its next call. d.mu is held.
func (d *dispatcher) queue(c *chain) {
	network := c.next()
	place := c.places[network]
	place.ready = append(place.ready, c)
	d.wake(network, d.lanes[network])
}

// wake starts a lane's worker unless it has one. d.mu is held.
func (d *dispatcher) wake(network string, l *lane) {
	if !l.worked && !d.closed && l.pick() != nil {
		l.worked = true
		d.ended.Add(1)
		go d.work(network, l)
	}
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

// work makes the calls of one network until none is ready.
func (d *dispatcher) work(network string, l *lane) {
	defer d.ended.Done()
	for {
		d.slot <- struct{}{}
		c := d.begin(l)
		if c != nil {
			d.makeCalls(network, c)
		}
		<-d.slot
		if c == nil || !d.advance(network, l, c) {
			return
		}
	}
}

// begin picks the next chain, nil after close.
func (d *dispatcher) begin(l *lane) *chain {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	return l.pick()
}

// makeCalls makes the calls at the head of a chain that are for this network.
// Those that follow each other are made in one go.
func (d *dispatcher) makeCalls(network string, c *chain) {
	for more := true; more; {
		d.run(d.ctx, c.tasks[0], c.planned)
		d.mu.Lock()
		c.tasks = c.tasks[1:]
		more = !d.closed && len(c.tasks) > 0 && c.next() == network
		d.mu.Unlock()
	}
}

// advance takes the chain out of the lane, queues what comes after it, and
// reports whether the lane has more to do now.
func (d *dispatcher) advance(network string, l *lane, c *chain) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	head := l.segments[0]
	if c.guest == "" {
		if len(c.tasks) > 0 {
			return false // closed in the midst of it
		}
		l.segments = l.segments[1:]
	} else {
		head.ready[0] = nil
		head.ready = head.ready[1:]
		if !c.needs(network) {
			head.outstanding--
		}
		if head.outstanding == 0 {
			l.segments = l.segments[1:]
		}
	}
	if len(c.tasks) == 0 {
		d.finish(c)
	} else if !d.closed {
		d.queue(c)
	}
	if len(l.segments) == 0 {
		delete(d.lanes, network)
	}
	l.worked = !d.closed && l.pick() != nil
	return l.worked
}

// finish forgets a chain whose calls are made and begins the guest's next.
// d.mu is held.
func (d *dispatcher) finish(c *chain) {
	delete(d.live, c)
	if c.guest == "" {
		return
	}
	rest := d.waiting[c.guest][1:]
	if len(rest) == 0 {
		delete(d.waiting, c.guest)
		return
	}
	d.waiting[c.guest] = rest
	if !d.closed {
		d.queue(rest[0])
	}
}

// close lets the calls under way finish, begins no other, and returns when all
// have ended. It returns the number of calls that were not made.
func (d *dispatcher) close() (left int) {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.ended.Wait()
	for c := range d.live {
		left += len(c.tasks)
	}
	return left
}
