// Package eventloop is the event loop for libvirt's client library. The library has
// one of its own since 0.9.0, and means to end it since 0.9.3; this one serves all,
// back to 0.8.0.
//
// It is in C, all of it: libvirt changes what is watched several times in each of its
// calls, from any thread, also from within callbacks. Each change would otherwise be
// a call from C into Go, for which a thread must first get a processor from the
// scheduler, and a turn of the loop; and each keepalive message would wake up half of
// Go's scheduler.
package eventloop

/*
#cgo LDFLAGS: -ldl
#include "loop.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"libvirt.org/go/libvirt"
)

// register registers the loop, of which a process can have only one.
var register = sync.OnceValue(func() error {
	if _, err := libvirt.GetVersion(); err != nil { // loads the library
		return err
	}
	if failure := C.loop_register(); failure != nil {
		return errors.New(C.GoString(failure))
	}
	return nil
})

var (
	mu    sync.Mutex
	users int
	ended chan struct{} // closed when the loop that runs has ended
)

// Start registers the loop before the first connection opens, and runs it. The error
// says that libvirt's client library cannot be used; failed is called if the loop ends
// by itself.
//
// It has to run as long as any connection is open: without it keepalive answers are
// not sent and the daemon drops the connection. It ends when everybody who has started
// it has called stop, which then returns when it has ended.
func Start(failed func(error)) (stop func(), err error) {
	if err := register(); err != nil {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	if users++; users == 1 {
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			if errno := C.loop_run(); errno != 0 {
				failed(fmt.Errorf("epoll: %w", syscall.Errno(errno)))
			}
		}()
	}
	return sync.OnceFunc(func() {
		mu.Lock()
		defer mu.Unlock()
		if users--; users == 0 {
			C.loop_stop()
			<-ended
		}
	}), nil
}

// Signal makes the loop turn.
func Signal() { C.loop_signal() }

// HangUp ends the connections on which a request has waited for its answer for that long
// or longer, and returns how many there were. The requests fail, also the first of a
// local connection, for which keepalive does not watch yet.
func HangUp(age time.Duration) int { return int(C.loop_hang_up(C.int64_t(age))) }

// Turned is when the loop last turned. One that hangs in a callback does not.
func Turned() time.Time { return time.Unix(0, int64(C.loop_turned())) }
