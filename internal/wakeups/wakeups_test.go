package wakeups_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hookbridge/internal/wakeups"
)

func TestSlack(t *testing.T) {
	if got := wakeups.Before(); got <= 0 {
		t.Errorf("the process was started with a slack of %v", got)
	}
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || time.Duration(now) != 10*time.Millisecond {
		t.Errorf("a thread has a slack of %v (%v)", time.Duration(now), err)
	}
}

// The signal is caught by the runtime before, and by nobody afterwards; children are
// waited for all the same.
func TestWithoutSIGCHLD(t *testing.T) {
	if !caught(t, unix.SIGCHLD) {
		t.Fatal("the runtime does not catch SIGCHLD: there is nothing to be spared")
	}
	wakeups.WithoutSIGCHLD()
	if caught(t, unix.SIGCHLD) {
		t.Error("it is still caught")
	}
	if err := exec.Command("false").Run(); err == nil || err.Error() != "exit status 1" {
		t.Errorf("a child's end: %v", err)
	}
}

func caught(t *testing.T, signal unix.Signal) bool {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, mask, ok := strings.Cut(string(status), "SigCgt:")
	if !ok {
		t.Fatal("no SigCgt in /proc/self/status")
	}
	mask, _, _ = strings.Cut(strings.TrimSpace(mask), "\n")
	bits, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("SigCgt: %w", err))
	}
	return bits&(1<<(uint(signal)-1)) != 0
}
