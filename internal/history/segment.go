package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// segment is one file of a history.
type segment struct {
	number  int
	bytes   int64
	entries int
}

const namePattern = "runs-%010d.jsonl"

func (s segment) name() string { return fmt.Sprintf(namePattern, s.number) }

// list returns the segments in a directory, oldest first. Other files are none of
// the history's.
func list(dir string) ([]segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, f := range files {
		s := segment{}
		if _, err := fmt.Sscanf(f.Name(), namePattern, &s.number); err == nil && s.name() == f.Name() && f.Type().IsRegular() {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b segment) int { return a.number - b.number })
	return all, nil
}

// measure counts what is in the segment; with mend it cuts a torn last line off.
func (s *segment) measure(dir string, mend bool) error {
	path := filepath.Join(dir, s.name())
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var size int64
	buf := make([]byte, 64<<10)
	for {
		n, err := file.Read(buf)
		s.entries += bytes.Count(buf[:n], []byte("\n"))
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			s.bytes = size + int64(i) + 1
		}
		size += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if mend && s.bytes < size {
		return os.Truncate(path, s.bytes)
	}
	s.bytes = size
	return nil
}
