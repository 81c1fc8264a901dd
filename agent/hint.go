package agent

import (
	"fmt"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// hint says that something may have changed with one object, and what libvirt
// said about it. It holds copies only: callbacks must not keep libvirt's
// objects.
type hint struct {
	kind    hintKind
	name    string
	uuid    string
	arrived time.Time

	// started and stopped are what a lifecycle event claimed.
	started, stopped bool

	// id is the domain's id as the event knew it, -1 if it had none.
	id int

	// removed is the device alias of a DEVICE_REMOVED event.
	removed string

	// kick says that no event of libvirt's but a file told of it; then there is
	// no UUID.
	kick bool
}

type hintKind int

const (
	networkHint hintKind = iota
	domainHint
	newBridgeHint // name is that of a link of the kernel's
	goneLinkHint  // likewise
)

// cause is the reason for calls that follow from the hint.
func (h hint) cause() translate.Cause {
	if h.kick {
		return translate.CauseKick
	}
	return translate.CauseEvent
}

func (h hint) String() string {
	kinds := map[hintKind]string{networkHint: "network", domainHint: "domain", newBridgeHint: "bridge", goneLinkHint: "link"}
	return fmt.Sprintf("%s %s", kinds[h.kind], h.name)
}

// hintQueueLimit bounds what a connection may have waiting. A storm of 2,000
// guests makes some 10,000 hints of about 150 bytes.
const hintQueueLimit = 1 << 16

// hintQueue takes hints from libvirt's event loop without ever blocking it. When
// it is full the hint is dropped and counted, and the watcher compares
// everything instead.
type hintQueue struct {
	mu       sync.Mutex
	hints    []hint
	dropped  int
	overflow bool
	kicked   map[hint]bool // the kicks among hints, without their time
	ready    chan struct{} // holds a token while there is something to take
}

func newHintQueue() *hintQueue {
	return &hintQueue{ready: make(chan struct{}, 1), kicked: map[hint]bool{}}
}

// kick puts a kick unless the same one waits already: a guest's status file is
// written several times in a start.
func (q *hintQueue) kick(h hint) {
	same := h
	same.arrived = time.Time{}
	q.mu.Lock()
	waits := q.kicked[same]
	q.kicked[same] = true
	q.mu.Unlock()
	if !waits {
		q.put(h)
	}
}

// lost makes the watcher compare everything: hints are known to be missing.
func (q *hintQueue) lost() {
	q.mu.Lock()
	q.overflow = true
	q.mu.Unlock()
	q.signal()
}

func (q *hintQueue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *hintQueue) put(h hint) {
	q.mu.Lock()
	if len(q.hints) >= hintQueueLimit {
		q.dropped++
		q.overflow = true
	} else {
		q.hints = append(q.hints, h)
	}
	q.mu.Unlock()
	q.signal()
}

// take returns all hints that wait, and whether some were dropped since the
// last call.
func (q *hintQueue) take() (hints []hint, overflow bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	hints, q.hints = q.hints, nil
	overflow, q.overflow = q.overflow, false
	clear(q.kicked)
	return hints, overflow
}

// domainHintOf copies what a callback was given.
func domainHintOf(d *libvirt.Domain) (hint, error) {
	h := hint{kind: domainHint, id: -1, arrived: time.Now()}
	var err error
	if h.name, err = d.GetName(); err != nil {
		return h, err
	}
	if h.uuid, err = d.GetUUIDString(); err != nil {
		return h, err
	}
	if id, err := d.GetID(); err == nil {
		h.id = int(int32(id)) // libvirt's -1 arrives as an unsigned number
	}
	return h, nil
}

func networkHintOf(n *libvirt.Network) (hint, error) {
	h := hint{kind: networkHint, id: -1, arrived: time.Now()}
	var err error
	if h.name, err = n.GetName(); err != nil {
		return h, err
	}
	h.uuid, err = n.GetUUIDString()
	return h, err
}
