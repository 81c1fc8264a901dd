package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Stat is what the kernel says of a process in /proc/PID/stat.
type Stat struct {
	// Name is the program's, of which the kernel keeps 15 bytes.
	Name string

	// Start is when the process was started, in hundredths of a second since the
	// boot. Together with the process id it names one process of a boot.
	Start uint64

	// Stopped says that a signal or a debugger has stopped it.
	Stopped bool
}

// Read reads a process's stat. The error is one of the file system if the process has
// ended.
func Read(pid int) (Stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return Stat{}, err
	}
	s, err := parse(text)
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func parse(text []byte) (s Stat, err error) {
	// The name is in parentheses and may itself hold any character.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return s, fmt.Errorf("no name in %q", text)
	}
	s.Name = string(text[open+1 : end])
	const start = 22 - 3 // counted from the state, which is field 3
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) <= start {
		return s, fmt.Errorf("%q ends early", text)
	}
	s.Stopped = fields[0] == "T" || fields[0] == "t"
	s.Start, err = strconv.ParseUint(fields[start], 10, 64)
	return s, err
}
