package testhost

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// cgroupPrefix starts the names of the control groups that hosts make in the
// machine's hierarchies; the rest of a name is the pid of the test process and
// a number.
const cgroupPrefix = "hookbridge-test-"

var cgroupSerial atomic.Int64

func newCgroupName() string {
	return fmt.Sprintf("%s%d-%d", cgroupPrefix, os.Getpid(), cgroupSerial.Add(1))
}

// cgroupMount is one version 1 hierarchy of the machine.
type cgroupMount struct {
	dir     string // where the machine has it
	options string // controllers, or name=…: what to mount it by
}

// cgroupMounts lists the version 1 hierarchies. libvirt's LXC driver is given
// these only: with a version 2 hierarchy next to them it takes the machine for
// a hybrid one and asks systemd's place in it.
func cgroupMounts() ([]cgroupMount, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []cgroupMount
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		head, tail, ok := strings.Cut(sc.Text(), " - ")
		left, right := strings.Fields(head), strings.Fields(tail)
		if !ok || len(left) < 5 || len(right) < 3 || right[0] != "cgroup" {
			continue
		}
		opts := slices.DeleteFunc(strings.Split(right[2], ","), func(o string) bool {
			switch o {
			case "rw", "ro", "xattr", "clone_children", "noprefix":
				return true
			}
			return strings.HasPrefix(o, "release_agent=")
		})
		out = append(out, cgroupMount{dir: left[4], options: strings.Join(opts, ",")})
	}
	return out, sc.Err()
}

// enterCgroups makes a group of the given name in each hierarchy, moves the
// calling process there and makes that the root it sees from now on. It
// returns what [mountCgroups] needs.
func enterCgroups(name string) ([]cgroupMount, error) {
	groups, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		return nil, errors.New("LXC guests need control groups of version 1, and this machine has none")
	}
	for _, g := range groups {
		dir := filepath.Join(g.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("making a control group: %w", err)
		}
		// A new cpuset is empty, and takes no process until it is filled.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if v, err := os.ReadFile(filepath.Join(g.dir, file)); err == nil {
				if err := os.WriteFile(filepath.Join(dir, file), v, 0o644); err != nil {
					return nil, err
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return nil, fmt.Errorf("entering a control group: %w", err)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return nil, fmt.Errorf("making the control groups private: %w", err)
	}
	return groups, nil
}

// mountCgroups mounts the hierarchies of enterCgroups under /sys/fs/cgroup.
func mountCgroups(groups []cgroupMount) error {
	if len(groups) == 0 {
		return nil
	}
	if err := mount("tmpfs", "/sys/fs/cgroup", "tmpfs", "mode=755"); err != nil {
		return err
	}
	for _, g := range groups {
		dir := filepath.Join("/sys/fs/cgroup", filepath.Base(g.dir))
		if err := mkdirs(dir); err != nil {
			return err
		}
		if err := mount("cgroup", dir, "cgroup", g.options); err != nil {
			return err
		}
	}
	return nil
}

// joinCgroups moves the calling thread, and so what it starts, into the host's
// groups.
func joinCgroups(name string) error {
	groups, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := os.WriteFile(filepath.Join(g.dir, name, "tasks"), []byte("0"), 0o644); err != nil {
			return fmt.Errorf("joining a control group: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the groups of that name with all below them; they must
// have no process left.
func removeCgroups(name string) error {
	groups, err := cgroupMounts()
	for _, g := range groups {
		err = errors.Join(err, removeCgroupTree(filepath.Join(g.dir, name)))
	}
	return err
}

func removeCgroupTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeCgroupTree(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, unix.Rmdir(dir))
}

// sweepCgroups removes what test processes that were killed have left behind.
func sweepCgroups() {
	groups, err := cgroupMounts()
	if err != nil {
		return
	}
	for _, g := range groups {
		left, _ := filepath.Glob(filepath.Join(g.dir, cgroupPrefix+"*"))
		for _, dir := range left {
			owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), cgroupPrefix), "-")
			pid, err := strconv.Atoi(owner)
			if err != nil || unix.Kill(pid, 0) == nil {
				continue
			}
			removeCgroupTree(dir) //nolint:errcheck // the next host tries again
		}
	}
}
