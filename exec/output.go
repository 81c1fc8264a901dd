package exec

import (
	"bytes"
	"errors"
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

// A capture reads one output of a script.
type capture struct {
	fd      int // non-blocking
	watched bool
	limit   int

	Output
	closed bool // nobody has it open for writing any more
}

// begin begins with a script's output, of which so much is kept.
func (c *capture) begin(limit int) { c.limit, c.Output, c.closed = limit, Output{}, false }

// read takes what is in the pipe, or a part of it if that is much: others have their
// turn, too.
func (c *capture) read(buf *[64 << 10]byte) {
	for i := 0; i < 4 && !c.closed; i++ {
		n, err := unix.Read(c.fd, buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return
		case n <= 0:
			c.closed = true
		default:
			c.take(buf[:n])
		}
	}
}

// readRest takes what is in the pipe. It stops at the size of the largest pipe that a
// script can ask for, in case a left-behind process writes faster than it reads.
func (c *capture) readRest(buf *[64 << 10]byte) {
	for seen := c.size(); ; {
		before := c.size()
		c.read(buf)
		if c.closed || c.size() == before || c.size()-seen > 1<<20 {
			return
		}
	}
}

func (c *capture) size() int64 { return int64(len(c.Head)) + c.Dropped }

func (c *capture) take(p []byte) {
	keep := max(0, min(len(p), c.limit-len(c.Head)))
	c.Head = append(c.Head, p[:keep]...)
	c.Dropped += int64(len(p) - keep)
}
