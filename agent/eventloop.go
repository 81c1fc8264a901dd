package agent

import (
	"fmt"
	"sync"

	"libvirt.org/go/libvirt"
)

// theLoop is libvirt's event loop implementation, of which a process can have only
// one. It must be registered before the first connection opens.
var theLoop = sync.OnceValues(func() (*pollLoop, error) {
	loop, err := newPollLoop()
	if err != nil {
		return nil, err
	}
	return loop, libvirt.EventRegisterImpl(loop)
})

// runEventLoop runs libvirt's event loop until stop is closed. It has to run as
// long as any connection is open: without it keepalive answers are not sent and
// the daemon drops the connection. The channel is closed when the loop
// has ended.
func runEventLoop(stop <-chan struct{}, failed func(error)) (*pollLoop, <-chan struct{}, error) {
	loop, err := theLoop()
	if err != nil {
		return nil, nil, fmt.Errorf("libvirt's event loop cannot be set up (is libvirt.so.0 installed?): %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := loop.run(stop); err != nil {
			failed(err)
		}
	}()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		<-stop
		loop.signal()
		<-ended
	}()
	return loop, finished, nil
}
