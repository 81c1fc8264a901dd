package testhost

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Inside runs fn on a thread that has the host's mounts, network, IPC and host
// name, and whose new processes are born in the host's pid namespace. What fn
// opens or starts, it must open or start on its own goroutine.
func (h *Host) Inside(fn func() error) error {
	errs := make(chan error, 1)
	onSpareThread(func() {
		err := h.enter()
		if err == nil {
			err = fn()
		}
		errs <- err
	})
	return <-errs
}

// onSpareThread runs fn on a thread that is thrown away afterwards, and never
// on the main thread, whose namespaces are what /proc/PID shows of a process.
func onSpareThread(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the runtime ends a thread whose goroutine ends locked.
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			onSpareThread(fn)
			runtime.UnlockOSThread()
			return
		}
		fn()
	}()
	<-done
}

// enter moves the calling thread into the host.
func (h *Host) enter() error {
	if h.cgroup != "" {
		if err := joinCgroups(h.cgroup); err != nil {
			return err
		}
	}
	// Threads of one process share their root and working directory, and the
	// kernel lets no sharer change its mounts.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unsharing the file system context: %w", err)
	}
	// The mounts come last: they take the outer /proc away.
	for _, ns := range []string{"cgroup", "ipc", "uts", "net", "pid", "mnt"} {
		f, err := os.Open(filepath.Join("/proc", strconv.Itoa(h.PID()), "ns", ns))
		if err != nil {
			return fmt.Errorf("the host is gone: %w", err)
		}
		err = unix.Setns(int(f.Fd()), 0)
		f.Close()
		if err != nil {
			return fmt.Errorf("entering the host's %s namespace: %w", ns, err)
		}
	}
	return nil
}
