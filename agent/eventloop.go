package agent

import (
	"fmt"
	"sync"

	"libvirt.org/go/libvirt"
)

// registerOnce guards libvirt's event loop implementation, of which a process
// can have only one. It must be registered before the first connection opens.
var registerOnce = sync.OnceValue(libvirt.EventRegisterDefaultImpl)

// runEventLoop runs libvirt's event loop until stop is closed. It has to run as
// long as any connection is open: without it keepalive answers are not sent and
// the daemon drops the connection. The returned channel is closed when the loop
// has ended.
func runEventLoop(stop <-chan struct{}, failed func(error)) (<-chan struct{}, error) {
	if err := registerOnce(); err != nil {
		return nil, fmt.Errorf("libvirt's event loop cannot be set up (is libvirt.so.0 installed?): %w", err)
	}
	// A timer that never fires on its own: set to zero it wakes the loop, which
	// otherwise sleeps in poll(2) without an end.
	wake, err := libvirt.EventAddTimeout(-1, func(timer int) { libvirt.EventUpdateTimeout(timer, -1) })
	if err != nil {
		return nil, fmt.Errorf("libvirt's event loop cannot be woken: %w", err)
	}
	ended := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := libvirt.EventRunDefaultImpl(); err != nil {
				failed(err)
				return
			}
		}
	}()
	go func() {
		defer close(finished)
		<-stop
		libvirt.EventUpdateTimeout(wake, 0)
		<-ended
		_ = libvirt.EventRemoveTimeout(wake)
	}()
	return finished, nil
}
