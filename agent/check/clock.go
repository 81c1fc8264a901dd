package check

import (
	"fmt"
	"os"
	"time"
)

// written is about when this was written: no right clock shows an earlier time.
var written = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// checkClock tells of a clock that is far in the past, as after a boot with an
// empty battery. Order and state do not depend on it, log lines and the history
// do.
func checkClock(now time.Time) []Finding {
	const layout = "2006-01-02 15:04:05 MST"
	earliest, why := written, "which is before hookbridge was written"
	if self, err := os.Executable(); err == nil {
		if info, err := os.Stat(self); err == nil && info.ModTime().After(earliest) {
			earliest, why = info.ModTime(), "which is before this program was installed"
		}
	}
	// A package can come from a place whose clock is a little ahead.
	if now.Before(earliest.Add(-24 * time.Hour)) {
		return []Finding{warning(Clock, "", fmt.Sprintf("the clock shows %s, %s (%s): logs and history will be of no use",
			now.UTC().Format(layout), why, earliest.UTC().Format(layout)), setClock())}
	}
	return []Finding{ok(Clock, "", "the clock shows "+now.UTC().Format(layout))}
}

func setClock() string {
	switch {
	case hasSystemd() && program("timedatectl") != "":
		return "timedatectl set-ntp true"
	case program("chronyd") != "":
		return "chronyd -q"
	case program("ntpd") != "":
		return "ntpd -gq"
	}
	return "Set it: date -u -s 'YYYY-MM-DD hh:mm:ss' && hwclock --systohc"
}
