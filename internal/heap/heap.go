package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// growth is how many bytes the heap may grow by.
	growth = 8 << 20
	// least and most bound the share that this makes of what is in use: at 50 % a storm
	// among 10,000 guests leaves 10 MiB behind, and collects as often as it has to. Below
	// 4 MiB in use Go itself lets the heap grow to 4 MiB times the share.
	least, most = 50, 200
)

// Bound does so until this process ends. Who has set GOGC knows better: then it does
// nothing. It is to be called once.
func Bound() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(most)
	afterEachCollection(most)
}

// collected is garbage from the first on: the next collection finalizes it.
type collected struct{ _ *byte }

// afterEachCollection sets the share for what is in use then. set is what is set now.
func afterEachCollection(set int) {
	runtime.SetFinalizer(new(collected), func(*collected) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if share := share(live[0].Value.Uint64()); share != set {
			debug.SetGCPercent(share)
			set = share
		}
		afterEachCollection(set)
	})
}

// share returns by how many percent the heap may grow over so many bytes in use.
func share(live uint64) int {
	return max(least, min(most, int(growth*100/max(live, 1))))
}
