package agent

import (
	"fmt"

	"hookbridge/internal/eventloop"
)

// runEventLoop runs libvirt's event loop until stop is called, which returns when it
// has ended.
func runEventLoop(failed func(error)) (stop func(), err error) {
	stop, err = eventloop.Start(failed)
	if err != nil {
		return nil, fmt.Errorf("libvirt's event loop cannot be set up (is libvirt.so.0 installed?): %w", err)
	}
	return stop, nil
}
