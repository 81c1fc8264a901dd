package agent

import (
	"sync"

	"hookbridge/internal/process"
	"hookbridge/translate"
)

// knownDaemon is what the gate knows of a libvirtd that calls its guest hook.
type knownDaemon struct {
	run     daemon // the process that runs the network driver
	verdict translate.Verdict
	judged  bool // else nothing could be found out
	dirs    statusDirs
}

// knownDaemons remembers them: the files that a libvirtd maps take a while to read,
// and each start of a guest asks.
type knownDaemons struct {
	mu   sync.Mutex
	last map[daemon]knownDaemon // by the calling process
}

// of finds out about the process that called a guest hook.
func (k *knownDaemons) of(pid int, w *watcher) knownDaemon {
	stat, err := process.Read(pid)
	if err != nil {
		return knownDaemon{dirs: w.statusDirsOf(daemon{})}
	}
	caller := daemon{pid, stat.Start}
	k.mu.Lock()
	defer k.mu.Unlock()
	if d, ok := k.last[caller]; ok {
		return d
	}
	d := knownDaemon{run: caller}
	if stat.Name != "libvirtd" {
		// virtqemud and the like: the network driver is in another process.
		if other, err := findDaemon(); err == nil {
			d.run = other
		}
	}
	d.dirs = w.statusDirsOf(d.run)
	if marks, err := d.run.marks(); err == nil {
		d.verdict, d.judged = translate.Judge(marks, 0), true
	}
	if len(k.last) > 16 {
		k.last = nil // of daemons that have ended
	}
	if k.last == nil {
		k.last = map[daemon]knownDaemon{}
	}
	k.last[caller] = d
	return d
}

// statusDirsOf returns where a libvirtd keeps its status files.
func (w *watcher) statusDirsOf(d daemon) statusDirs {
	dirs := usualStatusDirs
	if d.PID != 0 {
		dirs = findStatusDirs(d)
	}
	if w.runDir != "" {
		dirs.run = []string{w.runDir}
	}
	if w.libDir != "" {
		dirs.state = []string{w.libDir}
	}
	return dirs
}
