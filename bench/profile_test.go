//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// profile records where the process spends its time if BENCH_PERF names a
// directory; perf report reads the file. perf sees the kernel and libvirt's client
// library, too, which Go's own profiler does not. The figures of such a run are
// not comparable.
func profile(t *testing.T, pid int) {
	t.Helper()
	dir := os.Getenv("BENCH_PERF")
	if dir == "" {
		return
	}
	name := fmt.Sprintf("%s-%d.data", strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestMeasures/"), "/", "-"), pid)
	cmd := exec.Command("perf", "record", "-q", "--no-inherit", "-F", "1999", "-g", "-o", filepath.Join(dir, name), "-p", fmt.Sprint(pid))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the process is stopped: clean-ups run backwards
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
}
