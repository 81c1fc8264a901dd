package agent

import (
	"context"
	"errors"
	"iter"

	"hookbridge/internal/history"
)

// ErrNoHistory says that no history is kept.
var ErrNoHistory = errors.New("the agent keeps no history of runs")

// History returns the runs that the filter takes, the newest last. The error says that
// none is kept, or that the agent has ended.
func (a *Agent) History(ctx context.Context, f history.Filter) (iter.Seq2[history.Entry, error], error) {
	r, err := a.parts(ctx)
	if err != nil {
		return nil, err
	}
	if r.caller.history == nil {
		return nil, ErrNoHistory
	}
	return r.caller.history.Read(f), nil
}

// Follow returns the runs that the filter takes: the last of the past, all of it if last
// is 0, and then each as it ends, until ctx ends. The error within the sequence says that the
// reader was too slow, and where the history could not be read.
func (a *Agent) Follow(ctx context.Context, f history.Filter, last int) (iter.Seq2[history.Entry, error], error) {
	r, err := a.parts(ctx)
	if err != nil {
		return nil, err
	}
	if r.caller.history == nil {
		return nil, ErrNoHistory
	}
	return r.caller.history.Follow(ctx, f, last), nil
}
