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

// status says of every operation who makes its calls, and why.
func (r *replay) status(conn string) []OpStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	verdict, judged := r.verdicts[conn]
	ops := r.fixed
	if ops == nil {
		ops = verdict.Auto()
	}
	all := make([]OpStatus, 0, len(translate.AllOps()))
	for _, op := range translate.AllOps() {
		o := OpStatus{Op: op}
		switch {
		case !judged && r.fixed == nil:
			o.State, o.Why = OpUnknown, "there has been no connection to libvirt yet"
		case ops[op] && r.fixed != nil && verdict.Native[op]:
			o.State, o.Why = OpReplayed, "the configuration names it, and libvirtd makes these calls, too"
		case ops[op] && r.fixed != nil:
			o.State, o.Why = OpReplayed, "the configuration names it"
		case ops[op]:
			o.State, o.Why = OpReplayed, verdict.Reason
		case verdict.Native[op]:
			o.State, o.Why = OpNative, verdict.Reason
		case r.fixed != nil:
			o.State, o.Why = OpOff, "the configuration does not name it"
		default:
			o.State, o.Why = OpOff, "newer than libvirt 1.2.2: only made where the configuration names it"
		}
		all = append(all, o)
	}
	return all
}
