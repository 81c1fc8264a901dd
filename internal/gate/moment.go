package gate

import (
	"time"

	"golang.org/x/sys/unix"

	"hookbridge/internal/libvirtd"
	"hookbridge/internal/process"
)

// moment is a point in time that a wall clock set later does not move: the boot,
// and hundredths of a second since then, which is what the kernel counts the
// start of processes in.
type moment struct {
	Boot  string `json:"boot"`
	Ticks int64  `json:"ticks"`
}

const tick = 10 * time.Millisecond

func now() (moment, error) {
	boot, err := process.Boot()
	if err != nil {
		return moment{}, err
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return moment{}, err
	}
	return moment{Boot: boot, Ticks: up.Nano() / int64(tick)}, nil
}

// ago returns the moment of a time on the wall clock. What was before the boot is
// moved to it.
func (m moment) ago(t time.Time) moment {
	m.Ticks = max(0, m.Ticks-int64(time.Since(t)/tick))
	return m
}

// startedAfter tells whether a process that runs at the moment m has started after an
// earlier one: then it has seen the hooks that were there.
func (m moment) startedAfter(p libvirtd.Process, earlier moment) bool {
	return m.Boot != earlier.Boot || int64(p.Start) > earlier.Ticks
}
