package history

import "iter"

// Last returns the last n entries of a sequence, all of them if n is 0 or less. An error
// within it comes at the end.
func Last(entries iter.Seq2[Entry, error], n int) iter.Seq2[Entry, error] {
	if n <= 0 {
		return entries
	}
	return func(yield func(Entry, error) bool) {
		var kept []Entry // a ring once it is full
		at := 0
		var failure error
		for e, err := range entries {
			switch {
			case err != nil:
				failure = err
			case len(kept) < n:
				kept = append(kept, e)
			default:
				kept[at] = e
				at = (at + 1) % n
			}
		}
		for i := range kept {
			if !yield(kept[(at+i)%len(kept)], nil) {
				return
			}
		}
		if failure != nil {
			yield(Entry{}, failure)
		}
	}
}
