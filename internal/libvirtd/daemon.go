package libvirtd

import (
	"hookbridge/internal/process"
	"hookbridge/translate"
)

// Daemon is what can be told of the libvirtd of this host without asking it.
type Daemon struct {
	PID     int
	Program string // the name of the process

	// Marks are what the files that it maps show of its hooks. MarksErr says why
	// they cannot be had; then they are zero.
	Marks    translate.Marks
	MarksErr error

	// Stopped says that the process is stopped by a signal or a debugger.
	Stopped bool

	// SocketDirs are the directories of the sockets that it listens on.
	SocketDirs []string

	// HookDirs are the hook directories that are built into it. They tell where it
	// looks for scripts itself.
	HookDirs []string
}

// Look looks at the process that runs the network driver. The error is [ErrNone] if
// there is none.
func Look() (Daemon, error) {
	p, err := Find()
	if err != nil {
		return Daemon{}, err
	}
	found := Daemon{PID: p.PID, SocketDirs: p.SocketDirs(), HookDirs: p.HookDirs()}
	stat, err := process.Read(p.PID)
	if err != nil {
		return Daemon{}, ErrNone // it has just ended
	}
	found.Program, found.Stopped = stat.Name, stat.Stopped
	found.Marks, found.MarksErr = p.Marks()
	return found, nil
}

// Verdict says which operations this libvirtd runs itself. version is what it
// answers when asked, 0 if it was not.
func (d Daemon) Verdict(version uint32) translate.Verdict {
	return translate.Judge(d.Marks, version)
}
