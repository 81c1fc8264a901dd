package agent

import "runtime/debug"

// Of a host with so many guests a look at all leaves much behind.
const manyGuests = 1000

// giveBack returns to the system what a look at many guests has left behind: the
// documents of all of them have passed through memory, and Go would keep a multiple of what
// it needs for minutes.
//
// It does so beside the watcher, whose hints would wait for a whole collection. The
// watcher owns what runs there: [watcher.watch] returns when it has ended, within one
// collection.
func (w *watcher) giveBack(guests int) {
	if guests >= manyGuests {
		w.givingBack.Go(debug.FreeOSMemory)
	}
}
