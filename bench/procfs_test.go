//go:build bench

package bench

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the processor time that a process itself has used, without its
// children, by the process's own clock: /proc tells it in ticks of 10 ms only.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	const scheduler = 2 // CPUCLOCK_SCHED, see clock_getcpuclockid(3)
	var used unix.Timespec
	must(t, unix.ClockGettime(int32(^pid<<3|scheduler), &used))
	return time.Duration(used.Nano())
}

// wakeups counts how often each thread of a process has waited for something since it
// was started. To be preempted is no wake-up.
func wakeups(t *testing.T, pid int) map[string]int64 {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	must(t, err)
	woken := map[string]int64{}
	for _, path := range threads {
		woken[path] = statusFields(t, path, "voluntary_ctxt_switches")
	}
	return woken
}

// statusFields sums fields of a status file up.
func statusFields(t *testing.T, path string, names ...string) (sum int64) {
	t.Helper()
	status, err := os.ReadFile(path)
	must(t, err)
	for line := range strings.Lines(string(status)) {
		for _, name := range names {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				n, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
				must(t, err)
				sum += n
			}
		}
	}
	return sum
}

// footprint is what a process costs in memory, in MiB.
type footprint struct {
	anon, shmem, store float64
}

// total counts the store once: what of it is mapped is in shmem, too.
func (m footprint) total() float64 { return m.anon + max(m.shmem, m.store) }

func (m footprint) String() string {
	return fmt.Sprintf("RssAnon %.1f, RssShmem %.1f, store %.1f MiB", m.anon, m.shmem, m.store)
}

// memoryOf measures a process and its directory on a tmpfs.
func memoryOf(t *testing.T, p *process) footprint {
	t.Helper()
	status := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	var blocks int64
	must(t, filepath.WalkDir(p.stateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/history/") {
			return err // the history is on disk, by default
		}
		info, err := d.Info()
		if err == nil {
			blocks += info.Sys().(*syscall.Stat_t).Blocks
		}
		return err
	}))
	return footprint{
		anon:  float64(statusFields(t, status, "RssAnon")) / 1024,
		shmem: float64(statusFields(t, status, "RssShmem")) / 1024,
		store: float64(blocks) * 512 / (1 << 20),
	}
}

// settledMemory waits until a process has given back what it does not need any
// more: until ten seconds have brought less than a MiB, for a minute at most.
func settledMemory(t *testing.T, p *process) footprint {
	t.Helper()
	now := memoryOf(t, p)
	for range 6 {
		time.Sleep(10 * time.Second)
		before := now
		if now = memoryOf(t, p); before.total()-now.total() < 1 {
			break
		}
	}
	return now
}
