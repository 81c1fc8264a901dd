package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// Read returns the entries that the filter takes, the newest last, after having
// written what waits. A segment that is removed meanwhile is left out; an error of
// the file system ends the sequence.
func (l *Log) Read(f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l.Flush()
		Read(l.dir, f)(yield)
	}
}

// Read is [Log.Read] for a history that another process may have open. A
// directory that is not there is an empty history.
func Read(dir string, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		all, err := list(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			yield(Entry{}, err)
			return
		}
		for _, s := range all {
			if !readSegment(filepath.Join(dir, s.name()), f, yield) {
				return
			}
		}
	}
}

// readSegment yields what is in a file and reports whether to go on. Lines that
// make no sense are skipped: they were torn.
func readSegment(path string, f Filter, yield func(Entry, error) bool) bool {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		yield(Entry{}, err)
		return false
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return true // what follows the last line end is being written, or torn
		}
		if err != nil {
			yield(Entry{}, err)
			return false
		}
		var e Entry
		if json.Unmarshal(line, &e) == nil && f.takes(&e) && !yield(e, nil) {
			return false
		}
	}
}
