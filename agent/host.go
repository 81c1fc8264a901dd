package agent

import "sync"

// hostNetworks is what the watchers of connections to one host share: its
// networks. One of them follows the networks, any that is connected; when its
// connection is lost another takes over.
type hostNetworks struct {
	// conn is the name under which the networks are known, the URI of the first
	// of the connections.
	conn string

	// reading makes reading a network and entering what was seen one step: two
	// watchers may look at the same network.
	reading sync.Mutex

	mu       sync.Mutex
	follower *watcher
	watchers []*watcher // those with a session
	complete bool       // the follower has listed all networks
}

// listed notes that a watcher has looked at all networks.
func (h *hostNetworks) listed(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.follower == w {
		h.complete = true
	}
}

// known reports whether all networks have been looked at since somebody follows
// them: one that has not been announced has come up after that.
func (h *hostNetworks) known() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.complete
}

// join enters a watcher whose connection is up and reports whether it is the one
// to follow the networks.
func (h *hostNetworks) join(w *watcher) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers = append(h.watchers, w)
	if h.follower == nil {
		h.follower = w
	}
	return h.follower == w
}

// follows reports whether the watcher is the one that follows the networks.
func (h *hostNetworks) follows(w *watcher) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.follower == w
}

// leave takes out a watcher whose connection is gone. If it followed the
// networks another one is told that it does now.
func (h *hostNetworks) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, other := range h.watchers {
		if other == w {
			h.watchers = append(h.watchers[:i], h.watchers[i+1:]...)
			break
		}
	}
	if h.follower != w {
		return
	}
	h.follower, h.complete = nil, false
	if len(h.watchers) > 0 {
		h.follower = h.watchers[0]
		select {
		case h.follower.takeOver <- struct{}{}:
		default: // told already
		}
	}
}
