package agent

import (
	"context"
	"time"

	"hookbridge/translate"
)

// callAtGate makes a call that a guest's start waits for, or one that takes such a
// call back. Nothing is undone: libvirtd refuses the start.
func (c *caller) callAtGate(ctx context.Context, t task, rest []task, planned time.Time) aftermath {
	if !t.gate.begin() {
		c.done(t)
		return nil
	}
	connections := c.count.of(t.call)
	c.keeper.await(t.kept)
	var made []Finished
	for _, call := range c.ops(t.call.Conn).Select(t.call) {
		f := c.make(ctx, call, t.moved, false, connections)
		f.Planned = planned
		made = append(made, f)
		if !t.gate.back && f.Report.Verdict() != nil {
			made[len(made)-1].Undo = Undone{translate.UndoDone, "the guest is not started"}
			break
		}
	}
	for _, f := range made {
		c.tell(f)
	}
	refused := false
	if !t.gate.back {
		if refused = t.gate.finish(made); refused {
			c.count.refused(t.call)
			c.keeper.cut(callIDs(rest...)) // the end is not kept without
		}
	}
	c.done(t)
	if !refused || len(rest) == 0 {
		return nil
	}
	return func() []task { return nil }
}
