package agent

// lengths returns how many hints wait in memory and how many in the store.
func (q *hintQueue) lengths() (memory, spilled int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.memory) + len(q.batch), q.spilled
}

// waiting returns how many hints wait on a connection.
func (l *liveSession) waiting() (memory, spilled int) {
	l.mu.Lock()
	queue := l.queue
	l.mu.Unlock()
	if queue == nil {
		return 0, 0
	}
	return queue.lengths()
}

// load returns how many calls are planned and have not ended, by network key.
func (d *dispatcher) load() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	lanes := map[string]int{}
	for c := range d.live {
		for i := range c.tasks {
			lanes[c.tasks[i].network()]++
		}
	}
	return lanes
}

// heldCalls returns how many calls of an earlier run wait for a verdict.
func (l *ledger) heldCalls() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.held {
		n += len(l.held[i].tasks)
	}
	return n
}
