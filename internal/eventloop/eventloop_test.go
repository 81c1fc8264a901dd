package eventloop_test

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"hookbridge/internal/eventloop"
)

// run runs the loop during a test. libvirt hands what the test asks of it to the loop.
func run(t *testing.T) {
	t.Helper()
	stop, err := eventloop.Start(func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// turn waits until the loop has turned: what was ready before has been told.
func turn(t *testing.T) {
	t.Helper()
	for range 2 {
		before := eventloop.Turned()
		eventloop.Signal()
		for deadline := time.Now().Add(10 * time.Second); !eventloop.Turned().After(before); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the loop does not turn")
			}
		}
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func watch(t *testing.T, fd int, events libvirt.EventHandleType, callback libvirt.EventHandleCallback) int {
	t.Helper()
	n, err := libvirt.EventAddHandle(fd, events, callback)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A handle is told of what it wants, for as long as it wants it, and several can be on
// one descriptor.
func TestHandles(t *testing.T) {
	run(t)
	r, w := pipe(t)
	fd := int(r.Fd())
	var first, second atomic.Int32
	count := func(n *atomic.Int32) libvirt.EventHandleCallback {
		return func(watch, file int, events libvirt.EventHandleType) {
			if file != fd || events != libvirt.EVENT_HANDLE_READABLE {
				t.Errorf("watch %d: %d of %d", watch, events, file)
			}
			n.Add(1)
			libvirt.EventUpdateHandle(watch, 0) // from within the callback
		}
	}
	a := watch(t, fd, libvirt.EVENT_HANDLE_READABLE, count(&first))
	b := watch(t, fd, 0, count(&second))
	turn(t)
	told := func(wantFirst, wantSecond int32) {
		t.Helper()
		turn(t)
		if first.Load() != wantFirst || second.Load() != wantSecond {
			t.Fatalf("told %d and %d times, want %d and %d", first.Load(), second.Load(), wantFirst, wantSecond)
		}
	}
	told(0, 0)
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	told(1, 0)
	libvirt.EventUpdateHandle(b, libvirt.EVENT_HANDLE_READABLE)
	told(1, 1)
	libvirt.EventUpdateHandle(a, libvirt.EVENT_HANDLE_READABLE)
	if err := libvirt.EventRemoveHandle(b); err != nil {
		t.Error(err)
	}
	told(2, 1)
	libvirt.EventUpdateHandle(b, libvirt.EVENT_HANDLE_READABLE) // gone
	told(2, 1)
	if err := libvirt.EventRemoveHandle(a); err != nil {
		t.Error(err)
	}
	if err := libvirt.EventRemoveHandle(a); err == nil {
		t.Error("removed twice")
	}
}

// A hang-up cannot be masked; nobody is told who wants nothing, and the loop does not
// turn for it again and again.
func TestHangUpThatNobodyWants(t *testing.T) {
	run(t)
	r, w := pipe(t)
	var told atomic.Int32
	h := watch(t, int(r.Fd()), 0, func(int, int, libvirt.EventHandleType) { told.Add(1) })
	w.Close()
	turn(t)
	before := eventloop.Turned()
	time.Sleep(50 * time.Millisecond)
	if eventloop.Turned() != before || told.Load() != 0 {
		t.Errorf("turns without end, or told %d times", told.Load())
	}
	libvirt.EventUpdateHandle(h, libvirt.EVENT_HANDLE_READABLE)
	for told.Load() == 0 {
		turn(t)
	}
	if err := libvirt.EventRemoveHandle(h); err != nil {
		t.Error(err)
	}
}

// A descriptor is closed before its handle is removed, and its number given to another.
func TestClosedBeforeItIsRemoved(t *testing.T) {
	run(t)
	r, _ := pipe(t)
	fd := int(r.Fd())
	old := watch(t, fd, libvirt.EVENT_HANDLE_READABLE, func(int, int, libvirt.EventHandleType) { t.Error("the old one is told") })
	r.Close()
	r, w := pipe(t)
	if int(r.Fd()) != fd {
		t.Skipf("descriptor %d has not been given again", fd)
	}
	libvirt.EventUpdateHandle(old, 0)
	told := make(chan struct{}, 1)
	h := watch(t, fd, libvirt.EVENT_HANDLE_READABLE, func(watch, _ int, _ libvirt.EventHandleType) {
		libvirt.EventUpdateHandle(watch, 0)
		told <- struct{}{}
	})
	if err := libvirt.EventRemoveHandle(old); err != nil {
		t.Error(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-time.After(10 * time.Second):
		t.Error("the new one is not told")
	}
	if err := libvirt.EventRemoveHandle(h); err != nil {
		t.Error(err)
	}
}

// Timers fire while the loop sleeps for nothing, or for longer; they begin, end and
// begin others from within callbacks.
func TestTimers(t *testing.T) {
	run(t)
	turn(t)
	fired := make(chan string, 100)
	long, err := libvirt.EventAddTimeout(int(time.Hour.Milliseconds()), func(int) {
		select {
		case fired <- "long":
		default: // at each turn
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	if _, err = libvirt.EventAddTimeout(-1, func(int) { t.Error("a timer fires that is off") }); err != nil {
		t.Fatal(err)
	}
	if _, err = libvirt.EventAddTimeout(1, func(timer int) {
		if n.Add(1) == 3 {
			_ = libvirt.EventRemoveTimeout(timer)
			libvirt.EventUpdateTimeout(long, 0)
			fired <- "short"
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"short", "long"} {
		select {
		case got := <-fired:
			if got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s does not fire", want)
		}
	}
	libvirt.EventUpdateTimeout(long, -1)
	turn(t)
	for len(fired) > 0 {
		<-fired
	}
	turn(t)
	if len(fired) > 0 || n.Load() != 3 {
		t.Errorf("a timer goes on: %d, %d", len(fired), n.Load())
	}
	if err := libvirt.EventRemoveTimeout(long); err != nil {
		t.Error(err)
	}
}

// The loop runs until the last has stopped it, and can be started again.
func TestStartAndStop(t *testing.T) {
	for range 3 {
		first, err := eventloop.Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		second, err := eventloop.Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		first()
		first()
		turn(t)
		second()
	}
	before := eventloop.Turned()
	eventloop.Signal()
	time.Sleep(10 * time.Millisecond)
	if eventloop.Turned() != before {
		t.Error("it turns after its end")
	}
}
