package agent

import "sync"

// ahead is something that is being read while its turn has not come.
type ahead[T any] struct {
	value T
	err   error
	over  chan struct{}
}

// newAhead begins to read on a goroutine of the group.
func newAhead[T any](group *sync.WaitGroup, read func() (T, error)) *ahead[T] {
	a := &ahead[T]{over: make(chan struct{})}
	group.Go(func() {
		defer close(a.over)
		a.value, a.err = read()
	})
	return a
}

// get returns what was read, when it is.
func (a *ahead[T]) get() (T, error) {
	<-a.over
	return a.value, a.err
}
