package agent

import (
	"sync"

	"hookbridge/translate"
)

// replay holds the operations to replay, by the connection that a network is
// known by. A verdict is made anew at each connect.
type replay struct {
	mu       sync.Mutex
	fixed    translate.Ops // from the configuration; nil: auto
	verdicts map[string]translate.Verdict
}

func newReplay(fixed translate.Ops) *replay {
	return &replay{fixed: fixed, verdicts: map[string]translate.Verdict{}}
}

// fix sets the operations, nil for auto.
func (r *replay) fix(ops translate.Ops) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fixed = ops
}

// judged enters a verdict and reports whether it differs from the one before.
func (r *replay) judged(conn string, v translate.Verdict) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := r.verdicts[conn]
	r.verdicts[conn] = v
	return !had || old.Native.String() != v.Native.String()
}

// news reports whether a verdict changes what is to be replayed.
func (r *replay) news(conn string, v translate.Verdict) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := r.verdicts[conn]
	return !had || old.Auto().String() != v.Auto().String()
}

// ops returns the operations to replay. Before the first verdict there are none:
// nothing can have been seen yet.
func (r *replay) ops(conn string) translate.Ops {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fixed != nil {
		return r.fixed
	}
	v, ok := r.verdicts[conn]
	if !ok {
		return translate.Ops{}
	}
	return v.Auto()
}
