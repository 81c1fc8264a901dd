package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/internal/process"
	"hookbridge/translate"
)

// What follows is for a diagnosis of the host: what an agent would find, without
// being one.

// DefaultConnect returns the connections that are watched when none is named;
// those that the host does not offer are left alone.
func DefaultConnect() []string { return slices.Clone(defaultConnect) }

// OnThisHost reports whether a connection is served by a libvirtd of this host.
func OnThisHost(uri string) bool { return localDaemon(uri) }

// Answer is what a libvirt connection shows to one who asks.
type Answer struct {
	URI     string `json:"uri"`
	Version uint32 `json:"version"` // libvirt's, on the daemon's side; 0 if it does not tell

	// Features are those that an agent would use.
	Features []Feature `json:"features"`

	// Failed says why an agent would get nowhere; empty if it would watch. Code is
	// libvirt's number for that, 0 if it has none, and Stage how far it came.
	Failed string `json:"failed,omitempty"`
	Code   int    `json:"code,omitempty"`
	Stage  Stage  `json:"stage,omitempty"`
}

// Stage is a step of setting up a connection.
type Stage string

// The steps, in their order.
const (
	StageLibrary  Stage = "library"  // libvirt's client library
	StageConnect  Stage = "connect"  // the connection itself
	StageEvents   Stage = "events"   // domain lifecycle events
	StageDomains  Stage = "domains"  // listing the domains
	StageNetworks Stage = "networks" // listing the networks
)

// Ask connects as an agent does, registers for the same events, lists what is
// there, and closes the connection. It waits for as long as libvirt does, which
// may be for ever: call it in a process that can be killed.
func Ask(uri string) Answer {
	a := Answer{URI: uri}
	fail := func(stage Stage, err error) Answer {
		a.Stage, a.Failed = stage, err.Error()
		var e libvirt.Error
		if errors.As(err, &e) {
			a.Code, a.Failed = int(e.Code), e.Message
		}
		return a
	}
	stop, err := runEventLoop(func(error) {})
	if err != nil {
		return fail(StageLibrary, err)
	}
	defer stop()
	conn, err := libvirt.NewConnect(uri)
	if err != nil {
		return fail(StageConnect, err)
	}
	defer func() { _, _ = conn.Close() }()
	a.Version, _ = conn.GetLibVersion()

	has := newFeatures(nil)
	closed := conn.RegisterCloseCallback(func(*libvirt.Connect, libvirt.ConnectCloseReason) {})
	if has.found(CloseCallback, closed == nil); closed == nil {
		defer func() { _ = conn.UnregisterCloseCallback() }()
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	subs, err := subscribe(conn, newHintQueue(nil), has, logrus.NewEntry(quiet))
	if err != nil {
		return fail(StageEvents, err)
	}
	defer func() {
		for _, s := range subs {
			_ = s.deregister()
		}
	}()
	if _, err := activeDomains(conn, has); err != nil {
		return fail(StageDomains, err)
	}
	// A driver without networks, such as esx, is watched for its domains.
	if _, err := activeNetworks(conn, has); err != nil && !hasCode(err, libvirt.ERR_NO_SUPPORT) {
		return fail(StageNetworks, err)
	}
	has.found(Kicks, localDaemon(uri))
	for _, f := range Features() {
		if has.has(f) {
			a.Features = append(a.Features, f)
		}
	}
	return a
}

// LibvirtDaemon is what can be told of the libvirtd of this host without asking
// it.
type LibvirtDaemon struct {
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

// ErrNoDaemon says that no libvirtd runs on this host.
var ErrNoDaemon = errNoDaemon

// FindLibvirtDaemon looks at the process that runs the network driver. The error
// is ErrNoDaemon if there is none.
func FindLibvirtDaemon() (LibvirtDaemon, error) {
	d, err := findDaemon()
	if err != nil {
		return LibvirtDaemon{}, err
	}
	found := LibvirtDaemon{PID: d.PID, SocketDirs: d.socketDirs(), HookDirs: d.hookDirs()}
	stat, err := process.Read(d.PID)
	if err != nil {
		return LibvirtDaemon{}, errNoDaemon // it has just ended
	}
	found.Program, found.Stopped = stat.Name, stat.Stopped
	found.Marks, found.MarksErr = d.marks()
	return found, nil
}

// Verdict says which operations this libvirtd runs itself. version is what it
// answers when asked, 0 if it was not.
func (d LibvirtDaemon) Verdict(version uint32) translate.Verdict {
	return translate.Judge(d.Marks, version)
}

// hookDirs returns the hook directories in the files that a daemon maps:
// LIBVIRT_HOOK_DIR, which is SYSCONFDIR/libvirt/hooks (src/util/virhook.c).
func (d daemon) hookDirs() []string {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", d.PID))
	if err != nil {
		return nil
	}
	const end = "/libvirt/hooks\x00"
	var dirs []string
	seen := map[string]bool{}
	for line := range bytes.Lines(maps) {
		region, path := mapping(string(line))
		if path == "" || seen[path] || !strings.Contains(filepath.Base(path), "virt") {
			continue
		}
		seen[path] = true
		text, _, err := readMapped(d.PID, region, path)
		if err != nil {
			continue
		}
		for rest := text; ; {
			i := bytes.Index(rest, []byte(end))
			if i < 0 {
				break
			}
			dir := string(rest[bytes.LastIndexByte(rest[:i], 0)+1:i]) + "/libvirt/hooks"
			if filepath.IsAbs(dir) && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
			rest = rest[i+len(end):]
		}
	}
	return dirs
}
