package agent

import (
	"context"
	"testing"
	"testing/synctest"
)

// What a watcher has begun beside itself ends with it.
func TestGiveBackEndsWithTheWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watcher
		held, ended := make(chan struct{}), make(chan struct{})
		w.givingBack.Go(func() { <-held })
		w.giveBack(manyGuests)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		go func() { defer close(ended); w.watch(ctx) }()
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the watcher has ended before what it began")
		default:
		}
		close(held)
		<-ended
	})
}
