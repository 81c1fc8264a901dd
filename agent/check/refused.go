package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"hookbridge/agent"
	"hookbridge/internal/libvirtd"
)

// libvirt's numbers of errors (virterror.h).
const (
	errAuthFailed      = 45
	errAuthCancelled   = 79
	errAuthUnavailable = 80
)

// whyNot explains why a connection cannot be watched.
func (h libvirtHost) whyNot(a asked) Finding {
	local := libvirtd.OnThisHost(a.uri)
	cannot := func(text, remedy string) Finding { return problem(Libvirtd, a.uri, a.uri+": "+text, remedy) }
	said := firstLine(a.answer.Failed)
	switch {
	case errors.Is(a.err, context.DeadlineExceeded):
		return h.hangs(a, local)
	case a.err != nil:
		return cannot(a.err.Error(), "Run hookbridge check again; if this stays, report it.")
	case a.answer.Stage == agent.StageLibrary:
		return cannot("libvirt's client library cannot be used: "+said, installLibrary())
	case a.answer.Stage == agent.StageEvents:
		return cannot("this libvirtd has no domain lifecycle events, it is older than 0.8.0: "+said, installLibvirtd())
	case a.answer.Stage == agent.StageNetworks:
		remedy := serviceCommand("start", "virtnetworkd")
		if remedy == "" {
			remedy = "Install libvirt's network driver (libvirt-daemon-driver-network)."
		}
		return cannot("the networks cannot be listed: "+said, remedy)
	case a.answer.Code == errNoConnect:
		return cannot("libvirtd has no driver for it: "+said, "Name another connection with --connect; virsh uri shows one that works.")
	case oldProtocol(a.answer):
		return cannot("what answers speaks another protocol than libvirt's, or another version of it: "+said, h.restart())
	case a.answer.Code == errAuthFailed || a.answer.Code == errAuthCancelled || a.answer.Code == errAuthUnavailable:
		return h.refuses(a, said)
	case !local:
		return cannot(said, "virsh -c "+word(a.uri)+" uri")
	}
	return h.unreachable(a, said)
}

// oldProtocol recognises the answers of something that does not speak the
// protocol of this library.
func oldProtocol(a agent.Answer) bool {
	for _, text := range []string{"received from server too large", "Cannot find program", "Unknown program", "version mismatch", "packet header", "Unable to decode"} {
		if strings.Contains(a.Failed, text) {
			return true
		}
	}
	return false
}

func (h libvirtHost) hangs(a asked, local bool) Finding {
	text := fmt.Sprintf("%s: did not answer in %.3g s", a.uri, h.patience.Seconds())
	switch {
	case !local:
		return problem(Libvirtd, a.uri, text, "virsh -c "+word(a.uri)+" uri")
	case h.daemonErr == nil && h.daemon.Stopped:
		return problem(Libvirtd, a.uri, fmt.Sprintf("%s; %s (pid %d) is stopped, by a signal or a debugger", text, h.daemon.Program, h.daemon.PID),
			fmt.Sprintf("kill -CONT %d", h.daemon.PID))
	case h.daemonErr == nil:
		return problem(Libvirtd, a.uri, fmt.Sprintf("%s; %s (pid %d) hangs, is busy, or has all the clients that max_clients in libvirtd.conf allows",
			text, h.daemon.Program, h.daemon.PID), h.restart())
	}
	return problem(Libvirtd, a.uri, text+"; something else than libvirtd holds its socket", startLibvirtd())
}

func (h libvirtHost) restart() string {
	if h.daemonErr != nil {
		return startLibvirtd()
	}
	return restartLibvirtd()
}

func (h libvirtHost) refuses(a asked, said string) Finding {
	text := a.uri + ": libvirtd refuses the connection: " + said
	if os.Geteuid() != 0 {
		return problem(Libvirtd, a.uri, text, "sudo hookbridge check")
	}
	return problem(Libvirtd, a.uri, text,
		"Set auth_unix_rw = \"none\" in /etc/libvirt/libvirtd.conf (root alone may open the socket anyway), then restart libvirtd.")
}

// quotedPath finds the socket in the library's message.
var quotedPath = regexp.MustCompile(`'(/[^']+)'`)

// unreachable explains why there is no connection to a libvirtd of this host.
func (h libvirtHost) unreachable(a asked, said string) Finding {
	cannot := func(text, remedy string) Finding { return problem(Libvirtd, a.uri, text, remedy) }
	socket := "/run/libvirt/libvirt-sock"
	if m := quotedPath.FindStringSubmatch(said); m != nil {
		socket = m[1]
	}
	reached := dial(socket)
	switch {
	case errors.Is(reached, unix.EACCES) || errors.Is(reached, unix.EPERM):
		remedy := "sudo hookbridge check"
		if os.Geteuid() == 0 {
			remedy = "Look for a denial: journalctl -k --grep 'avc|apparmor'"
		}
		return cannot(fmt.Sprintf("%s: no permission to open libvirtd's socket %s", a.uri, socket), remedy)
	case reached == nil:
		return cannot(fmt.Sprintf("%s: libvirtd takes the connection on %s and ends it: %s", a.uri, socket, said), h.restart())
	case h.daemonErr == nil && len(h.daemon.SocketDirs) > 0:
		return cannot(fmt.Sprintf("%s: %s runs (pid %d) with its sockets in %s, and libvirt's client library looks for %s",
			a.uri, h.daemon.Program, h.daemon.PID, strings.Join(h.daemon.SocketDirs, " and "), socket),
			fmt.Sprintf("hookbridge check --connect 'qemu+unix:///system?socket=%s/libvirt-sock'", h.daemon.SocketDirs[0]))
	case h.daemonErr == nil:
		return cannot(fmt.Sprintf("%s: %s runs (pid %d) and listens on no socket: %s", a.uri, h.daemon.Program, h.daemon.PID, said), h.restart())
	case !daemonInstalled():
		return cannot("libvirtd is not installed: "+said, installLibvirtd())
	}
	return cannot("libvirtd does not run: "+said, startLibvirtd())
}

// dial tells whether anybody takes connections on a socket.
func dial(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

// daemonInstalled tells whether the host has a libvirtd, whole or in parts.
func daemonInstalled() bool {
	for _, name := range []string{"libvirtd", "virtqemud", "virtlxcd", "virtxend"} {
		if program(name) != "" {
			return true
		}
	}
	return false
}
