package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/internal/eventloop"
)

// answerWithin is how long libvirtd may take to answer when the agent is to end: longer
// than it tries to end a guest (40 s, virProcessKillPainfullyDelay), which an undo may
// wait for, and far shorter than the service manager waits for the agent.
const answerWithin = 45 * time.Second

// awaitOrHangUp calls wait. If that lasts for long after ctx has ended, what waits for a
// libvirtd that hangs is made to fail. Mostly keepalive has done so by then, but it does
// not watch while a connection is opened, nor if only libvirtd's workers hang.
func awaitOrHangUp(ctx context.Context, wait func(), log *logrus.Logger) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		wait()
	}()
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	again := time.NewTicker(answerWithin / 9)
	defer again.Stop()
	for {
		select {
		case <-over:
			return
		case <-again.C:
			if n := eventloop.HangUp(answerWithin); n > 0 {
				log.WithField("connections", n).Warn("libvirtd does not answer and hookbridge is to end: the connections to it are ended")
			}
		}
	}
}

// runEventLoop runs libvirt's event loop until stop is called, which returns when it
// has ended.
func runEventLoop(failed func(error)) (stop func(), err error) {
	stop, err = eventloop.Start(failed)
	if err != nil {
		return nil, fmt.Errorf("libvirt's event loop cannot be set up (is libvirt.so.0 installed?): %w", err)
	}
	return stop, nil
}
