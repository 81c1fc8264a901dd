package agent

import "runtime/debug"

// Of a host with so many guests a look at all leaves much behind, and what is remembered
// of them is most of the heap.
const manyGuests = 1000

// gcPercent is how much the heap may grow over what is remembered of many guests, from
// the first look at so many on: of 10,000 guests that is 16 MiB, and with Go's 100 a storm
// among them left 19 MiB more resident than before it.
const gcPercent = 50

// giveBack returns to the system what a look at many guests has left behind: the
// documents of all of them have passed through memory, and Go would keep a multiple of what
// it needs for minutes.
//
// It does so beside the watcher, whose hints would wait for a whole collection. The
// watcher owns what runs there: [watcher.watch] returns when it has ended, within one
// collection.
func (w *watcher) giveBack(guests int) {
	if guests >= manyGuests {
		debug.SetGCPercent(gcPercent)
		w.givingBack.Go(debug.FreeOSMemory)
	}
}
