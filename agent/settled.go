package agent

import "sync"

// settled waits until every watcher knows how it stands: its connection is ready,
// or has failed for the first time.
type settled struct {
	mu    sync.Mutex
	known map[*watcher]bool
	all   int
	told  func() // nil: nobody waits
}

func newSettled(watchers int, told func()) *settled {
	return &settled{known: map[*watcher]bool{}, all: watchers, told: told}
}

// knows notes that a watcher knows.
func (s *settled) knows(w *watcher) {
	s.mu.Lock()
	s.known[w] = true
	var told func()
	if len(s.known) == s.all {
		told, s.told = s.told, nil
	}
	s.mu.Unlock()
	if told != nil {
		told()
	}
}
