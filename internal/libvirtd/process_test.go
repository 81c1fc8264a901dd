package libvirtd

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hookbridge/internal/process"
)

// runAs starts a process whose program file carries the given bytes, as a
// libvirtd that was built with them would. It is a copy of sleep; what counts is
// that the kernel has the file mapped.
func runAs(t *testing.T, name, text string) (Process, string) {
	t.Helper()
	program, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, append(program, text...), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	stat, err := process.Read(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return Process{cmd.Process.Pid, stat.Start}, path
}

func TestFindDaemonByItsName(t *testing.T) {
	d, _ := runAs(t, "virtnetworkd", "")
	got, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	if got != d {
		t.Errorf("found %+v, want %+v", got, d)
	}
}
