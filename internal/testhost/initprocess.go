package testhost

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// initArgv0 is the argument zero that makes a binary with this package an init
// process.
const initArgv0 = "hookbridge-testhost-init"

// namespaces is what the host has of its own.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// initOrder tells the init process what to build.
type initOrder struct {
	Scratch string // directory to keep at its own path
	Cgroup  string // name of the host's control groups, empty for none
}

func init() {
	if len(os.Args) == 2 && os.Args[0] == initArgv0 {
		// Some namespaces belong to a thread: the set-up and whatever is
		// found under /proc/1/ns must be the main thread's.
		runtime.LockOSThread()
		os.Exit(initMain(os.Args[1]))
	}
}

// startInit starts the init process and waits for its report.
func (h *Host) startInit() error {
	if h.opts.lxc {
		sweepCgroups()
		h.cgroup = newCgroupName()
	}
	arg, err := json.Marshal(initOrder{Scratch: h.scratch, Cgroup: h.cgroup})
	if err != nil {
		return err
	}
	lifeR, lifeW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer lifeR.Close()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		lifeW.Close()
		return err
	}
	defer reportR.Close()

	h.init = exec.Command("/proc/self/exe")
	h.init.Args = []string{initArgv0, string(arg)}
	h.init.Env = []string{"PATH=" + insidePath}
	h.init.Stderr = os.Stderr
	h.init.ExtraFiles = []*os.File{lifeR, reportW}
	h.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	err = h.init.Start()
	reportW.Close()
	if err != nil {
		lifeW.Close()
		return err
	}
	h.lifeline = lifeW
	go func() {
		h.init.Wait() //nolint:errcheck // its status says nothing: it is killed or told to go
		close(h.initDone)
	}()
	report, err := io.ReadAll(reportR)
	if err == nil && string(report) != "ready" {
		err = fmt.Errorf("%s", report)
	}
	if err != nil {
		lifeW.Close()
		<-h.initDone
	}
	return err
}

// initMain is the life of the init process: build, report, reap, and go when
// the test process has gone. With it, the kernel kills everything inside.
func initMain(arg string) int {
	lifeline, report := os.NewFile(3, "lifeline"), os.NewFile(4, "report")
	// Neither may leak into anything that is started later.
	unix.CloseOnExec(3)
	unix.CloseOnExec(4)

	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)

	var order initOrder
	err := json.Unmarshal([]byte(arg), &order)
	if err == nil {
		err = order.build()
	}
	if err != nil {
		fmt.Fprintf(report, "%v", err)
		return 1
	}
	fmt.Fprint(report, "ready")
	report.Close()

	gone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, lifeline) //nolint:errcheck // any end of it means the same
		close(gone)
	}()
	for {
		select {
		case <-gone:
			return 0
		case <-children:
			// libvirt takes a process that was not reaped for a running one.
			for {
				pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
				if err != unix.EINTR && pid <= 0 {
					break
				}
			}
		}
	}
}

// build makes the host's own view of the machine.
func (o initOrder) build() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Sethostname([]byte("testhost")); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	var groups []cgroupMount
	if o.Cgroup != "" {
		var err error
		if groups, err = enterCgroups(o.Cgroup); err != nil {
			return err
		}
	}
	if err := o.mountPrivate(); err != nil {
		return err
	}
	if err := muteBootROMs(); err != nil {
		return err
	}
	// A new instance shows the devices of this network namespace only.
	if err := mount("sysfs", "/sys", "sysfs", ""); err != nil {
		return err
	}
	if err := mountCgroups(groups); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", ""); err != nil {
		return err
	}
	return loopbackUp()
}

// mountPrivate gives the host its own /run, /etc and /var, with nothing of the
// machine's libvirt in them.
func (o initOrder) mountPrivate() error {
	// Held by descriptor, since the mounts below may hide them.
	keep := []string{o.Scratch, "/var/tmp"}
	held := make([]int, len(keep))
	for i, dir := range keep {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			fd = -1
		}
		held[i] = fd
	}
	if err := mount("tmpfs", "/run", "tmpfs", "mode=755"); err != nil {
		return err
	}
	for _, dir := range []string{"/etc", "/var"} {
		upper, work := "/run/.private"+dir+"/upper", "/run/.private"+dir+"/work"
		if err := mkdirs(upper, work); err != nil {
			return err
		}
		opts := "lowerdir=" + dir + ",upperdir=" + upper + ",workdir=" + work
		if err := mount("overlay", dir, "overlay", opts); err != nil {
			return err
		}
	}
	for _, dir := range []string{
		"/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt",
		"/etc/hookbridge", "/var/lib/hookbridge", "/var/log/hookbridge",
	} {
		if err := mkdirs(dir); err != nil {
			return err
		}
		if err := mount("tmpfs", dir, "tmpfs", "mode=755"); err != nil {
			return err
		}
	}
	if err := mkdirs("/run/lock", "/run/libvirt", "/etc/libvirt/hooks", "/var/lib/libvirt/dnsmasq", "/var/lib/libvirt/images"); err != nil {
		return err
	}
	for i, dir := range keep {
		if held[i] < 0 {
			continue
		}
		if err := mkdirs(dir); err != nil {
			return err
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", held[i]), dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("keeping %s: %w", dir, err)
		}
		unix.Close(held[i])
	}
	logs := filepath.Join(o.Scratch, "log")
	if err := unix.Mount(logs, "/var/log/libvirt", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("placing the logs: %w", err)
	}
	return nil
}

// muteBootROMs replaces the network boot programs that QEMU gives to network
// cards by blank ones. No guest here boots from the network, and without KVM
// each of these programs keeps a processor busy for seconds.
func muteBootROMs() error {
	const dir = "/usr/lib/ipxe/qemu"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil //nolint:nilerr // elsewhere: only slower
	}
	if err := mount("tmpfs", dir, "tmpfs", "mode=755"); err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.WriteFile(filepath.Join(dir, e.Name()), make([]byte, 512), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, kind, data string) error {
	if err := unix.Mount(source, target, kind, 0, data); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", kind, target, err)
	}
	return nil
}

func mkdirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("bringing lo up: %w", err)
	}
	return nil
}
