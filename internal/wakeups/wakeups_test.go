package wakeups_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	// While sysmon starts a thread it has none.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, n := slacks(t)
		want := map[string]int{"6000000": 1, strconv.Itoa(own): n - 1}
		if maps.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads by their slack: %v, want %v", got, want)
		}
	}
}

// slacks counts the threads of this process by their slack.
func slacks(t *testing.T) (count map[string]int, threads int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	count = map[string]int{}
	for _, thread := range all {
		slack, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		count[strings.TrimSpace(string(slack))]++
		threads++
	}
	return count, threads
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

func TestBoundProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for have, want := range map[int]int{1: 2, 2: 2, 3: 3, 4: 4, 64: 4} {
		runtime.GOMAXPROCS(have)
		wakeups.BoundProcessors()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("%d of %d processors, want %d", got, have, want)
		}
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
