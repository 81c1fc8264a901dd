package wakeups_test

import (
	"maps"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"hookbridge/internal/wakeups"
)

// One thread has slack, which is the one that waits for times; all others have what the
// process was started with.
func TestSysmonsSlack(t *testing.T) {
	var all sync.WaitGroup
	hold := make(chan struct{})
	for range 4 { // some more threads
		all.Go(func() {
			runtime.LockOSThread()
			<-hold
		})
	}
	defer all.Wait()
	defer close(hold)
	slacks := map[string]int{}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		slack, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
		if err != nil {
			t.Fatal(err)
		}
		slacks[strings.TrimSpace(string(slack))]++
	}
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"3000000": 1, strconv.Itoa(own): len(threads) - 1}; !maps.Equal(slacks, want) {
		t.Errorf("threads by their slack: %v, want %v", slacks, want)
	}
}

var caughtAtFirst = caught(unix.SIGCHLD)

// The signal is caught by the runtime before, and by nobody afterwards; children are
// waited for all the same.
func TestWithoutSIGCHLD(t *testing.T) {
	if !caughtAtFirst {
		t.Fatal("the runtime does not catch SIGCHLD: there is nothing to be spared")
	}
	wakeups.WithoutSIGCHLD()
	if caught(unix.SIGCHLD) {
		t.Error("it is still caught")
	}
	if err := exec.Command("false").Run(); err == nil || err.Error() != "exit status 1" {
		t.Errorf("a child's end: %v", err)
	}
}

func caught(signal unix.Signal) bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, mask, _ := strings.Cut(string(status), "SigCgt:")
	mask, _, _ = strings.Cut(strings.TrimSpace(mask), "\n")
	bits, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		panic(err)
	}
	return bits&(1<<(uint(signal)-1)) != 0
}
