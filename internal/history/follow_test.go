package history

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func runsOf(t *testing.T, n int) (all []Entry) {
	t.Helper()
	for i := range n {
		all = append(all, Entry{Run: fmt.Sprint(i)})
	}
	return all
}

func sequence(entries []Entry, err error) func(func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

func TestLast(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		there, n, first, want int
		err                   error
	}{{5, 0, 0, 5, nil}, {5, 2, 3, 2, nil}, {5, 5, 0, 5, nil}, {5, 9, 0, 5, nil}, {0, 3, 0, 0, nil}, {7, 3, 4, 3, broken}} {
		var got []string
		var failed error
		for e, err := range Last(sequence(runsOf(t, c.there), c.err), c.n) {
			if err != nil {
				failed = err
				continue
			}
			got = append(got, e.Run)
		}
		var want []string
		for i := range c.want {
			want = append(want, fmt.Sprint(c.first+i))
		}
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(failed, c.err) {
			t.Errorf("the last %d of %d: %v (-want +got):\n%s", c.n, c.there, failed, diff)
		}
	}
	for range Last(sequence(runsOf(t, 5), nil), 3) {
		break // ends it
	}
}

// Who follows gets each entry once, those that come while the past is read included.
func TestFollow(t *testing.T) {
	l, err := Open(t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, e := range runsOf(t, 10) {
		e.Network = "n"
		l.Append(e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	for e, err := range l.Follow(ctx, Filter{Network: "n"}, 3) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Run)
		switch len(got) {
		case 1: // the past is still being read
			l.Append(Entry{Run: "10", Network: "n"})
			l.Append(Entry{Run: "other", Network: "m"})
		case 4:
			l.Append(Entry{Run: "11", Network: "n"})
		case 5:
			cancel()
		}
	}
	if diff := cmp.Diff([]string{"7", "8", "9", "10", "11"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(l.followers) != 0 {
		t.Error("the follower is still known")
	}
}

func TestFollowEndsWithTheLog(t *testing.T) {
	l, err := Open(t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	l.Append(Entry{Run: "1"})
	ended := make(chan int)
	began := make(chan struct{})
	go func() {
		n := 0
		for range l.Follow(t.Context(), Filter{}, 0) {
			n++
			close(began)
		}
		ended <- n
	}()
	<-began
	_ = l.Close()
	select {
	case n := <-ended:
		if n != 1 {
			t.Errorf("%d entries", n)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
	for range l.Follow(t.Context(), Filter{Network: "none"}, 0) {
		t.Error("an entry after the end")
	}
}

func TestFollowTooSlow(t *testing.T) {
	l, err := Open(t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	l.Append(Entry{Run: "first"})
	n, failed := 0, error(nil)
	for _, err := range l.Follow(t.Context(), Filter{}, 0) {
		if err != nil {
			failed = err
			continue
		}
		if n++; n == 1 {
			for i := range followed + 1 {
				l.Append(Entry{Run: fmt.Sprint(i)})
			}
		}
	}
	if !errors.Is(failed, ErrTooSlow) || n < followed {
		t.Errorf("after %d entries: %v", n, failed)
	}
}
