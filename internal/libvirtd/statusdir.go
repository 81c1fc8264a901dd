package libvirtd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// StatusDirs are the directories below which libvirtd keeps its status files:
// LOCALSTATEDIR/run/libvirt and LOCALSTATEDIR/lib/libvirt of its build.
type StatusDirs struct {
	Run   []string
	State []string
}

// UsualStatusDirs are those of every distribution.
func UsualStatusDirs() StatusDirs {
	return StatusDirs{
		Run:   []string{"/run/libvirt", "/var/run/libvirt"},
		State: []string{"/var/lib/libvirt"},
	}
}

// Named returns the directories with those in place of them that somebody has named;
// empty: nobody has.
func (d StatusDirs) Named(run, state string) StatusDirs {
	if run != "" {
		d.Run = []string{run}
	}
	if state != "" {
		d.State = []string{state}
	}
	return d
}

// Networks returns where the status files of networks may be: in the state
// directory up to 1.2.3, in the run directory since (b9e95491d).
func (d StatusDirs) Networks() []string {
	var dirs []string
	for _, base := range slices.Concat(d.Run, d.State) {
		dirs = append(dirs, filepath.Join(base, "network"))
	}
	return dirs
}

// Domains returns where a driver's status files may be.
func (d StatusDirs) Domains(driver string) []string {
	var dirs []string
	for _, base := range d.Run {
		dirs = append(dirs, filepath.Join(base, driver))
	}
	return dirs
}

// NetworkStatus is libvirtd's status file of a network.
type NetworkStatus struct {
	Text   string // empty: there is none, or nobody knows where it is
	Absent bool   // the directory is there, the file is not
}

// Network reads the status file of a network. Where several directories have one the
// first counts.
func (d StatusDirs) Network(name string) NetworkStatus {
	if strings.Contains(name, "/") { // libvirt has no such networks
		return NetworkStatus{}
	}
	var s NetworkStatus
	for _, dir := range d.Networks() {
		text, err := os.ReadFile(filepath.Join(dir, name+".xml"))
		if err == nil {
			return NetworkStatus{Text: string(text)}
		}
		if _, err := os.Stat(dir); err == nil {
			s.Absent = true
		}
	}
	return s
}

// StatusDirs finds out where a running libvirtd keeps its files: beside its socket,
// which it makes in its run directory. A libvirtd that was built with another prefix,
// in /usr/local for instance, is found this way. Of the zero Process they are the
// usual ones.
func (p Process) StatusDirs() StatusDirs {
	dirs := UsualStatusDirs()
	if p.PID == 0 {
		return dirs
	}
	for _, dir := range p.SocketDirs() {
		if filepath.Base(dir) != "libvirt" || slices.Contains(dirs.Run, dir) {
			continue
		}
		dirs.Run = append(dirs.Run, dir)
		// PREFIX/var/run/libvirt has PREFIX/var/lib/libvirt beside it.
		if local, ok := strings.CutSuffix(dir, "/run/libvirt"); ok {
			if other := local + "/lib/libvirt"; !slices.Contains(dirs.State, other) {
				dirs.State = append(dirs.State, other)
			}
		}
	}
	return dirs
}
