package agent

import (
	"slices"
	"sync"

	"hookbridge/translate"
)

// passage is a guest's way through the gate: the calls that its start waits for.
type passage struct {
	mu      sync.Mutex
	steps   []stepState
	left    int
	closed  bool // no other call begins
	refusal *Finished
	trouble []string // findings of ours: the scripts said nothing
	blocked string   // why it came to an end without an answer
	over    chan struct{}
}

type stepState int

const (
	stepWaits stepState = iota
	stepBegun
	stepAccepted
	stepRefused
)

// gateStep is a task's part in a passage.
type gateStep struct {
	passage *passage
	step    int

	// back says that the call takes the step back: it is made if the step was
	// accepted.
	back bool
}

func newPassage() *passage { return &passage{over: make(chan struct{})} }

// mark makes the plugged calls among the tasks the steps of the passage. A passage
// without any is over.
func (p *passage) mark(tasks []task) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range tasks {
		if tasks[i].call.Op == translate.OpPlugged {
			tasks[i].gate = &gateStep{passage: p, step: len(p.steps)}
			p.steps = append(p.steps, stepWaits)
		}
	}
	if p.left = len(p.steps); p.left == 0 {
		p.end()
	}
}

// markBack makes unplugged calls, in the order of the steps, those that take the
// passage back, and drops those of steps that can never be accepted.
func (p *passage) markBack(tasks []task) []task {
	p.mu.Lock()
	defer p.mu.Unlock()
	var back []task
	for i := range tasks {
		if i < len(p.steps) && (p.steps[i] == stepBegun || p.steps[i] == stepAccepted) {
			tasks[i].gate = &gateStep{passage: p, step: i, back: true}
			back = append(back, tasks[i])
		}
	}
	return back
}

// end says that nothing more is to be waited for. p.mu is held.
func (p *passage) end() {
	select {
	case <-p.over:
	default:
		close(p.over)
	}
}

// block ends the passage without an answer of the scripts.
func (p *passage) block(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || p.closed {
		return
	}
	p.closed, p.blocked = true, reason
	p.end()
}

// outcome returns what came of the passage.
func (p *passage) outcome() (refusal *Finished, trouble []string, blocked string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusal, slices.Clone(p.trouble), p.blocked
}

// begin reports whether the call is to be made.
func (s *gateStep) begin() bool {
	p := s.passage
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.back {
		return p.steps[s.step] == stepAccepted
	}
	if p.closed {
		return false
	}
	p.steps[s.step] = stepBegun
	return true
}

// finish enters how the step's scripts have ended, all of them or up to one that
// refused, and reports whether the guest is refused.
func (s *gateStep) finish(made []Finished) (refused bool) {
	p := s.passage
	p.mu.Lock()
	defer p.mu.Unlock()
	state := stepAccepted
	for i := range made {
		if made[i].Report.Verdict() != nil {
			state = stepRefused
			p.refusal = &made[i]
		} else if e := made[i].Report.Trouble(); e != nil {
			p.trouble = append(p.trouble, e.Error())
		}
	}
	p.steps[s.step] = state
	p.left--
	if state == stepRefused {
		p.closed = true
	}
	if p.left == 0 || p.closed {
		p.end()
	}
	return state == stepRefused
}
