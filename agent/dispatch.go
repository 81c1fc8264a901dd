package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// task is one call to be made.
type task struct {
	call translate.Call
	id   store.CallID // in the store
	kept store.Ticket // until when the call may not begin: else it could be lost

	// retry says that the call may have begun before: the agent was killed
	// between planning it and its end.
	retry bool

	// silent says that the call is not made: what it tells was there before
	// hookbridge, and is only to be known and counted.
	silent bool

	// gate is set for the calls that a guest's start waits for, and for those that
	// take them back.
	gate *gateStep

	// fired is set for a call that is made by hand.
	fired *fired

	outcome *outcome // nil: nobody waits for it

	// life is that of the network when the call was planned, for a network's own
	// calls.
	life uint64
}

// chain is a list of calls that one change asks for, to be made in order.
type chain struct {
	guest   string // the key of the domain, "" for a network's own calls
	tasks   []task
	planned time.Time
	number  uint64              // counts the chains in the order of their planning
	undoing bool                // an aftermath is under way
	outcast bool                // abandoned while it was
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
//
// A lane whose turn it is makes the calls of one chain and then goes behind all
// other lanes that wait: a storm in one network delays another by the scripts
// that run, not by its queue.
type dispatcher struct {
	run      func(ctx context.Context, t task, rest []task, planned time.Time) (after aftermath)
	parallel int

	ctx   context.Context
	ended sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	planned uint64  // chains so far
	workers int     // at most parallel
	turns   []*lane // that have something to do, in the order of their turns
	lanes   map[string]*lane
	waiting map[string][]*chain // per guest; the first is under way
	live    map[*chain]struct{} // every chain that has calls left
}

// aftermath is what a call leaves to be done that takes time but no script: an
// undo. The guest waits for it, and a network that is itself concerned; other
// guests' calls go on in the network, and it does not count as a script that runs.
// It returns what of the chain's rest is to be made.
type aftermath func() (rest []task)

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

// newDispatcher returns a dispatcher that makes calls with run, at most parallel
// at a time; run gets the call and what follows it in its chain. ctx is handed to
// run; cancelling it is for emergencies, close ends the dispatcher in good order.
func newDispatcher(ctx context.Context, parallel int, run func(context.Context, task, []task, time.Time) aftermath) *dispatcher {
	return &dispatcher{
		run:      run,
		parallel: parallel,
		ctx:      ctx,
		lanes:    map[string]*lane{},
		waiting:  map[string][]*chain{},
		live:     map[*chain]struct{}{},
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
	d.planned++
	c.number = d.planned
	d.live[&c] = struct{}{}
	if c.guest == "" {
		l := d.lane(c.next())
		l.segments = append(l.segments, &segment{barrier: &c})
		d.wake(l)
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
// were planned later: what came first natively waits only for what is elsewhere.
// d.mu is held.
func (d *dispatcher) queue(c *chain) {
	network := c.next()
	place := c.places[network]
	l := d.lanes[network]
	at := 0
	for at < len(place.ready) && (place.ready[at] == l.running || place.ready[at].number < c.number) {
		at++
	}
	place.ready = slices.Insert(place.ready, at, c)
	d.wake(l)
}

// wake gives a lane a turn if it has something to do, and forgets one that has
// nothing left. d.mu is held.
func (d *dispatcher) wake(l *lane) {
	switch {
	case l.worked:
	case len(l.segments) == 0:
		delete(d.lanes, l.network)
	case !d.closed && l.pick() != nil:
		l.worked = true
		d.turns = append(d.turns, l)
		d.employ()
	}
}

// employ starts a worker if there is a turn to be had. d.mu is held.
func (d *dispatcher) employ() {
	if !d.closed && d.workers < d.parallel && len(d.turns) > 0 {
		d.workers++
		d.ended.Add(1)
		go d.work()
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

// work gives lanes their turns until none waits, or until somebody else has been
// employed in this worker's place.
func (d *dispatcher) work() {
	defer d.ended.Done()
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.workers-- }()
	for !d.closed && len(d.turns) > 0 && d.workers <= d.parallel {
		l := d.turns[0]
		d.turns = d.turns[1:]
		c := l.pick()
		if c == nil { // it has been withdrawn
			l.worked = false
			d.wake(l)
			continue
		}
		l.running = c
		after := d.makeCalls(l, c)
		l.running = nil
		switch {
		case after == nil:
			d.advance(l, c)
			l.worked = false
			d.wake(l)
		case c.guest == "":
			d.undoOfNetwork(l, c, after)
		default:
			d.undoOfGuest(l, c, after)
		}
	}
}

// makeCalls makes the calls at the head of a chain that are for this network.
// Those that follow each other are made in one go, up to one with an aftermath,
// which it returns. d.mu is held, but not during the calls.
func (d *dispatcher) makeCalls(l *lane, c *chain) aftermath {
	for more := true; more; more = !d.closed && len(c.tasks) > 0 && c.next() == l.network {
		t, rest := c.tasks[0], c.tasks[1:]
		d.mu.Unlock()
		after := d.run(d.ctx, t, rest, c.planned)
		d.mu.Lock()
		if after != nil {
			return after
		}
		d.shorten(c, c.tasks[1:], l.network) // some may have been cancelled meanwhile
	}
	return nil
}

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
	d.employ()
	d.mu.Unlock()
	rest = after()
	d.mu.Lock()
	d.workers++
	return rest
}

// advance takes the chain out of the lane and queues what comes after it. d.mu is
// held.
func (d *dispatcher) advance(l *lane, c *chain) {
	head := l.segments[0]
	if c.guest == "" {
		if len(c.tasks) > 0 {
			return // closed in the midst of it, or after an aftermath
		}
		l.segments = l.segments[1:]
	} else {
		head.ready[0] = nil
		head.ready = head.ready[1:]
		if !c.needs(l.network) {
			head.outstanding--
		}
	}
	if len(c.tasks) == 0 {
		d.finish(c)
	} else if !d.closed {
		d.queue(c)
	}
	l.sweep()
}

// finish forgets a chain whose calls are made and begins the guest's next.
// d.mu is held.
func (d *dispatcher) finish(c *chain) {
	delete(d.live, c)
	if c.guest == "" || c.outcast {
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

// limit sets how many calls may be made at a time.
func (d *dispatcher) limit(parallel int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.parallel = parallel
	for range d.turns {
		d.employ()
	}
}

// stop lets no other call begin. It returns at once.
func (d *dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.turnAllBack()
}

// close lets the calls under way finish, begins no other, and returns when all
// have ended. It returns the number of calls that were not made.
func (d *dispatcher) close() (left int) {
	d.stop()
	d.ended.Wait()
	for c := range d.live {
		left += len(c.tasks)
	}
	return left
}
