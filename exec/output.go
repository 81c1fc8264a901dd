package exec

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/sys/unix"
)

// Output is what a script wrote to stdout or to stderr.
type Output struct {
	Head    []byte // the first bytes, up to Hooks.OutputLimit
	Dropped int64  // how many bytes came after them
}

// FirstLine is the first line that is not blank, fit for a message: without
// surrounding blanks, with control characters replaced, at most 400 bytes. It is
// empty if there is none.
func (o Output) FirstLine() string {
	const most = 400
	for line := range bytes.Lines(o.Head) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		more := ""
		if len(line) > most {
			line, more = line[:most-len("…")], "…"
		}
		return strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return '?'
			}
			return r
		}, strings.ToValidUTF8(string(line), "?")) + more
	}
	return ""
}

// readBuffers holds the *[64 KiB]byte that scripts' outputs are read through: as
// large as a pipe, so that a flood needs few reads.
var readBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// A capture reads one output of a script until all writers have closed it or the
// pipe's deadline has passed.
type capture struct {
	pipe  *os.File
	limit int

	done chan struct{} // closed at the end; what follows is valid then
	Output
	abandoned bool // somebody still had it open at the deadline
}

func (c *capture) run() {
	defer close(c.done)
	buf := readBuffers.Get().(*[64 << 10]byte)
	defer readBuffers.Put(buf)
	for {
		n, err := c.pipe.Read(buf[:])
		c.take(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.takeRest(buf[:])
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *capture) take(p []byte) {
	keep := max(0, min(len(p), c.limit-len(c.Head)))
	c.Head = append(c.Head, p[:keep]...)
	c.Dropped += int64(len(p) - keep)
}

// takeRest takes what is in the pipe without waiting for more. After its deadline a
// file does not read even what is there; on a busy host that can be all that the
// script wrote. It stops at the size of the largest pipe that a script can ask for, in
// case a left-behind process writes faster than it reads.
func (c *capture) takeRest(buf []byte) {
	raw, err := c.pipe.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		for most := 1 << 20; most > 0; {
			n, err := unix.Read(int(fd), buf)
			switch {
			case err == unix.EINTR:
				continue
			case err != nil: // EAGAIN
				c.abandoned = true
				return
			case n == 0:
				return
			}
			c.take(buf[:n])
			most -= n
		}
		c.abandoned = true
	})
}
