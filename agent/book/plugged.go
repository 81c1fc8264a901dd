package book

import (
	"slices"
	"strings"
	"time"
	"unique"

	"hookbridge/internal/history"
	"hookbridge/translate"
)

// plugNote is the [Note] of an interface. There may be tens of thousands: nothing in it
// holds on to a document.
type plugNote struct {
	network unique.Handle[networkKey]
	mac     string
	since   time.Time
	last    *lastCall // nil: there was none
}

// lastCall is how the last call about an interface ended, without what its place tells.
type lastCall struct {
	run    string
	domain unique.Handle[string]
	op     translate.Op
	cause  translate.Cause
	time   time.Time
	script unique.Handle[string]
	took   history.Duration
	result unique.Handle[string]
	rest   *CallResult // of one that failed
}

func lastCallOf(r CallResult) *lastCall {
	l := &lastCall{
		run: r.Run, domain: unique.Make(r.Domain), op: r.Op, cause: r.Cause,
		time: r.Time, script: unique.Make(r.Script), took: r.Duration, result: unique.Make(r.Result),
	}
	if r.Failed || r.Undo != "" {
		r.CallRef = CallRef{}
		l.rest = &r
	}
	return l
}

// callResult is the CallResult of an interface's last call, nil if there was none.
func (n *plugNote) callResult() *CallResult {
	l := n.last
	if l == nil {
		return nil
	}
	r := CallResult{Run: l.run, Time: l.time, Result: l.result.Value(), Script: l.script.Value(), Duration: l.took}
	if l.rest != nil {
		r = *l.rest
	}
	conn, network, _ := strings.Cut(string(n.network.Value()), "\n")
	r.CallRef = CallRef{Network: network, Op: l.op, Connection: conn, Domain: l.domain.Value(), MAC: n.mac, Cause: l.cause}
	return &r
}

// plugged returns what is remembered of an interface, nil if that is nothing. b.mu is held.
func (b *Book) plugged(k interfaceKey) *plugNote {
	all := b.guests[k.uuid]
	for i := range all {
		if all[i].mac == k.mac && all[i].network.Value() == k.network {
			return &all[i]
		}
	}
	return nil
}

// plug enters an interface. b.mu is held.
func (b *Book) plug(k interfaceKey, since time.Time) {
	n := b.plugged(k)
	if n == nil {
		uuid := k.uuid
		if b.guests[uuid] == nil {
			uuid = strings.Clone(uuid)
		}
		b.guests[uuid] = append(b.guests[uuid], plugNote{network: unique.Make(k.network), mac: strings.Clone(k.mac)})
		n = &b.guests[uuid][len(b.guests[uuid])-1]
	}
	n.since, n.last = since, nil
}

// unplug forgets an interface. b.mu is held.
func (b *Book) unplug(k interfaceKey) {
	if b.plugged(k) == nil {
		return
	}
	rest := slices.DeleteFunc(b.guests[k.uuid], func(o plugNote) bool { return o.mac == k.mac && o.network.Value() == k.network })
	if b.guests[k.uuid] = rest; len(rest) == 0 {
		delete(b.guests, k.uuid)
	}
}
