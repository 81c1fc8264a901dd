package agent

import (
	"context"
	"sync"
	"time"
)

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
	coming  int     // of these, who are about to take a turn
	turns   []*lane // that have something to do, in the order of their turns
	lanes   map[string]*lane
	waiting map[string][]*chain // per guest; the first is under way
	live    map[*chain]struct{} // every chain that has calls left
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

// submit queues a chain and returns at once. The chain's plan, which its first call writes
// if that is about to begin, is hurried if it is not, or when that comes to nothing: by what
// comes before it after all, or since no other call begins. After close it does nothing else.
func (d *dispatcher) submit(c chain) {
	if len(c.tasks) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.enter(&c) {
		c.hurry()
	}
}

// enter queues a chain that has calls. It reports whether the first of them is about to
// begin: a worker has been employed for it. d.mu is held.
func (d *dispatcher) enter(c *chain) (atOnce bool) {
	if d.closed {
		return false
	}
	d.planned++
	c.number = d.planned
	d.live[c] = struct{}{}
	if c.guest == "" {
		l := d.lane(c.next())
		l.segments = append(l.segments, &segment{barrier: c})
		return d.wake(l)
	}
	c.places = make(map[string]*segment, len(c.tasks))
	for i := range c.tasks {
		network := c.tasks[i].network()
		if c.places[network] == nil {
			c.places[network] = d.lane(network).place()
		}
	}
	d.waiting[c.guest] = append(d.waiting[c.guest], c)
	return len(d.waiting[c.guest]) == 1 && d.queue(c)
}

// employ starts a worker if there is a turn that nobody is about to take, and reports
// whether it did. d.mu is held.
func (d *dispatcher) employ() bool {
	if d.closed || d.workers >= d.parallel || len(d.turns) <= d.coming {
		return false
	}
	d.workers++
	d.coming++
	d.ended.Add(1)
	go d.work()
	return true
}

// work gives lanes their turns until none waits, or until somebody else has been
// employed in this worker's place.
func (d *dispatcher) work() {
	defer d.ended.Done()
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.workers--; d.coming-- }()
	for !d.closed && len(d.turns) > 0 && d.workers <= d.parallel {
		l := d.turns[0]
		d.turns = d.turns[1:]
		c := l.pick()
		if c == nil { // it has been withdrawn
			l.worked = false
			d.wake(l)
			continue
		}
		d.coming--
		l.running = c
		after := d.makeCalls(l, c)
		l.running = nil
		d.coming++ // it takes the chain's next turn itself, if that is the first
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
	d.hurryTurns()
}

// stop lets no other call begin. It returns at once.
func (d *dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.turnAllBack()
	d.hurryTurns()
}

// hurryTurns hurries the chains whose turn would have come next. d.mu is held.
func (d *dispatcher) hurryTurns() {
	for _, l := range d.turns {
		if c := l.pick(); c != nil {
			c.hurry()
		}
	}
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
