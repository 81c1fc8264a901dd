package libvirtd

import (
	"sync"

	"hookbridge/internal/process"
	"hookbridge/translate"
)

// Caller is what is known of a libvirtd that calls its guest hook.
type Caller struct {
	Network    Process // the process that runs the network driver
	Verdict    translate.Verdict
	Judged     bool // else nothing could be found out
	StatusDirs StatusDirs
}

// Callers remembers them: the files that a libvirtd maps take a while to read, and
// each start of a guest asks. The zero value is ready.
type Callers struct {
	mu   sync.Mutex
	last map[Process]Caller // by the calling process
}

// Of finds out about the process that called a guest hook. Of one that has ended there
// is nothing but the usual directories.
func (k *Callers) Of(pid int) Caller {
	stat, err := process.Read(pid)
	if err != nil {
		return Caller{StatusDirs: UsualStatusDirs()}
	}
	caller := Process{pid, stat.Start}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.last[caller]; ok {
		return c
	}
	c := Caller{Network: caller}
	if stat.Name != "libvirtd" {
		// virtqemud and the like: the network driver is in another process.
		if other, err := Find(); err == nil {
			c.Network = other
		}
	}
	c.StatusDirs = c.Network.StatusDirs()
	if marks, err := c.Network.Marks(); err == nil {
		c.Verdict, c.Judged = translate.Judge(marks, 0), true
	}
	if len(k.last) > 16 {
		k.last = nil // of daemons that have ended
	}
	if k.last == nil {
		k.last = map[Process]Caller{}
	}
	k.last[caller] = c
	return c
}
