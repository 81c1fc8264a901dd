//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// vitals are what a hookbridge at rest holds, by name.
type vitals map[string]int

const (
	fdCount    = "descriptors"
	goroutines = "goroutines"
	children   = "child processes"
	heap       = "KiB that Go's collector has left"
	memory     = "KiB of memory"
	stateSize  = "KiB of state"
)

// margins are by how much more each may be in the end; of the others not one. What Go's
// collector leaves holds what was under way just then. libvirt's client library and
// threads get their memory from malloc, which keeps what lies between others, and Go
// keeps spans that are partly used. The state is a file that keeps its free pages; how
// many it needs at once is chance. Four descriptors are kept for the next script, or were
// left to what the last one left behind.
var margins = vitals{fdCount: 4, heap: 2 * 1024, memory: 6 * 1024, stateSize: 2 * 1024}

func vitalsOf(t *testing.T, pid int, state string, metrics map[string]float64) vitals {
	t.Helper()
	return vitals{
		fdCount:    descriptors(t, pid),
		goroutines: int(metrics["go_goroutines"]),
		children:   childrenOf(t, pid),
		heap:       int(metrics["go_memstats_next_gc_bytes"] / (1 + metrics["go_gc_gogc_percent"]/100) / 1024),
		memory:     resident(t, pid),
		stateSize:  sizeOf(t, state),
	}
}

// least returns the lower values of both; old may be empty.
func (v vitals) least(old vitals) vitals {
	for name, was := range old {
		v[name] = min(v[name], was)
	}
	return v
}

// worse lists what is more than at the start.
func (v vitals) worse(start vitals) (all []string) {
	for name, now := range v {
		if now > start[name]+margins[name] {
			all = append(all, fmt.Sprintf("%d %s, %d at the start; %d more would be let pass", now, name, start[name], margins[name]))
		}
	}
	return all
}

// childrenOf counts the children of a process, those that have ended and were not
// waited for included.
func childrenOf(t *testing.T, pid int) (n int) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range processes {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // gone
		}
		// Behind the name: the state, the parent.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if string(fields[1]) == strconv.Itoa(pid) {
			n++
		}
	}
	return n
}

// sizeOf returns how many KiB of a file system a directory takes.
func sizeOf(t *testing.T, dir string) int {
	t.Helper()
	var blocks int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			blocks += info.Sys().(*syscall.Stat_t).Blocks
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return int(blocks / 2)
}
