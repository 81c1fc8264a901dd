package agent

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"
)

// pollLoop is the event loop for libvirt's client library. The library has one of
// its own since 0.9.0, and means to end it since 0.9.3; this one serves all, back
// to 0.8.0.
//
// libvirt adds, changes and removes what is watched from any thread, also from
// within the callbacks, which are called without the lock.
type pollLoop struct {
	wake int // an eventfd

	turned atomic.Int64 // when the loop last turned, in nanoseconds since 1970

	mu      sync.Mutex
	last    int // the number given last: handles and timers share them
	handles map[int]*polledHandle
	timers  map[int]*polledTimer
	removed []func() // frees what the callbacks of removed ones refer to
}

type polledHandle struct {
	fd       int
	events   libvirt.EventHandleType
	callback *libvirt.EventHandleCallbackInfo
}

type polledTimer struct {
	every    time.Duration // negative: never
	due      time.Time
	callback *libvirt.EventTimeoutCallbackInfo
}

func newPollLoop() (*pollLoop, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &pollLoop{wake: wake, handles: map[int]*polledHandle{}, timers: map[int]*polledTimer{}}, nil
}

// signal makes the loop look again at what there is to watch.
func (l *pollLoop) signal() {
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full: it is awake
}

func (l *pollLoop) AddHandleFunc(fd int, events libvirt.EventHandleType, callback *libvirt.EventHandleCallbackInfo) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.signal()
	l.last++
	l.handles[l.last] = &polledHandle{fd, events, callback}
	return l.last
}

func (l *pollLoop) UpdateHandleFunc(watch int, events libvirt.EventHandleType) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.handles[watch]; h != nil && h.events != events {
		h.events = events
		l.signal()
	}
}

func (l *pollLoop) RemoveHandleFunc(watch int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.handles[watch]
	if h == nil {
		return -1
	}
	delete(l.handles, watch)
	l.free(h.callback)
	return 0
}

func (l *pollLoop) AddTimeoutFunc(every int, callback *libvirt.EventTimeoutCallbackInfo) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.signal()
	l.last++
	t := &polledTimer{callback: callback}
	t.set(every)
	l.timers[l.last] = t
	return l.last
}

func (l *pollLoop) UpdateTimeoutFunc(timer, every int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.timers[timer]; t != nil {
		t.set(every)
		l.signal()
	}
}

func (l *pollLoop) RemoveTimeoutFunc(timer int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.timers[timer]
	if t == nil {
		return -1
	}
	delete(l.timers, timer)
	l.free(t.callback)
	return 0
}

// set makes the timer fire every so many milliseconds, at each turn of the loop for
// 0, never below.
func (t *polledTimer) set(milliseconds int) {
	t.every = time.Duration(milliseconds) * time.Millisecond
	t.due = time.Now().Add(t.every)
}

// free has a callback's data freed from the loop: the callback may be running.
// libvirt may give no function for it, which the binding would call nevertheless.
// l.mu is held.
func (l *pollLoop) free(callback interface{ Free() }) {
	if reflect.ValueOf(callback).Elem().FieldByName("free").Uint() != 0 {
		l.removed = append(l.removed, callback.Free)
	}
	l.signal()
}

// run serves libvirt until stop is closed.
func (l *pollLoop) run(stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := l.turn(); err != nil {
			return err
		}
	}
}

// turn waits for something to happen and calls back.
func (l *pollLoop) turn() error {
	l.turned.Store(time.Now().UnixNano())
	watches, fds, timeout := l.watched()
	if _, err := unix.Poll(fds, timeout); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll: %w", err)
	}
	_, _ = unix.Read(l.wake, make([]byte, 8)) // resets it
	l.fireTimers()
	for i, watch := range watches {
		l.fireHandle(watch, fds[i+1])
	}
	l.mu.Lock()
	removed := l.removed
	l.removed = nil
	l.mu.Unlock()
	for _, free := range removed {
		free()
	}
	return nil
}

// watched returns what poll has to watch: the loop's own descriptor and then those
// of the watches, and for how many milliseconds.
func (l *pollLoop) watched() (watches []int, fds []unix.PollFd, timeout int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fds = []unix.PollFd{{Fd: int32(l.wake), Events: unix.POLLIN}}
	for _, watch := range slices.Sorted(maps.Keys(l.handles)) {
		if h := l.handles[watch]; h.events != 0 {
			watches = append(watches, watch)
			fds = append(fds, unix.PollFd{Fd: int32(h.fd), Events: pollEvents(h.events)})
		}
	}
	timeout = -1
	for _, t := range l.timers {
		if t.every < 0 {
			continue
		}
		// Rounded up: a wait that ends too early would be followed by many of none.
		wait := max(0, int((time.Until(t.due)+time.Millisecond-1)/time.Millisecond))
		if timeout < 0 || wait < timeout {
			timeout = wait
		}
	}
	return watches, fds, timeout
}

func (l *pollLoop) fireTimers() {
	l.mu.Lock()
	now := time.Now()
	var due []int
	for number, t := range l.timers {
		if t.every >= 0 && !now.Before(t.due) {
			t.due = now.Add(t.every)
			due = append(due, number)
		}
	}
	l.mu.Unlock()
	slices.Sort(due)
	for _, number := range due {
		l.mu.Lock()
		t := l.timers[number] // gone if an earlier callback has removed it
		l.mu.Unlock()
		if t != nil {
			t.callback.Invoke(number)
		}
	}
}

func (l *pollLoop) fireHandle(watch int, found unix.PollFd) {
	if found.Revents == 0 {
		return
	}
	l.mu.Lock()
	h := l.handles[watch]
	l.mu.Unlock()
	if h != nil && h.fd == int(found.Fd) {
		h.callback.Invoke(watch, h.fd, handleEvents(found.Revents))
	}
}

// polled pairs libvirt's names of events with those of poll(2).
var polled = []struct {
	libvirt libvirt.EventHandleType
	poll    int16
}{
	{libvirt.EVENT_HANDLE_READABLE, unix.POLLIN},
	{libvirt.EVENT_HANDLE_WRITABLE, unix.POLLOUT},
	{libvirt.EVENT_HANDLE_ERROR, unix.POLLERR},
	{libvirt.EVENT_HANDLE_HANGUP, unix.POLLHUP},
}

func pollEvents(events libvirt.EventHandleType) (poll int16) {
	for _, p := range polled {
		if events&p.libvirt != 0 {
			poll |= p.poll
		}
	}
	return poll
}

func handleEvents(poll int16) (events libvirt.EventHandleType) {
	for _, p := range polled {
		if poll&p.poll != 0 {
			events |= p.libvirt
		}
	}
	if poll&unix.POLLNVAL != 0 { // libvirt has no name for a closed descriptor
		events |= libvirt.EVENT_HANDLE_ERROR
	}
	return events
}
