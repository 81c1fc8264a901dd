package agent

import (
	"time"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// task is one call to be made.
type task struct {
	call translate.Call
	id   store.CallID // in the store

	// kept is what must be in the store before the call may begin, for the calls of a
	// chain together: their plan, else they could be lost, and then the end of the call
	// before, else that could be made again behind this one. nil: nothing.
	kept *store.Ticket

	// moved is the guest's document in hookData, for the calls of a chain together, or nil.
	moved *translate.Moved

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

// hurry makes the chain's plan be kept soon, since its first call, which would wait for
// that, may not begin for long. No call of the chain is being made.
func (c *chain) hurry() {
	if kept := c.tasks[0].kept; kept != nil {
		kept.Soon()
	}
}

// setAside forgets what can be made again, since the chain has to wait.
func (c *chain) setAside() {
	if moved := c.tasks[0].moved; moved != nil {
		*moved = translate.Moved{}
	}
}

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
