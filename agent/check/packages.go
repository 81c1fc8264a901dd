package check

import (
	"os"
	"path/filepath"
)

// programDirs are where administrators' programs are, whatever this process's
// PATH says.
var programDirs = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"}

// program returns the path of a program, empty if the host does not have it.
func program(name string) string {
	for _, dir := range programDirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// packager is one of the distributions' package managers.
type packager struct {
	program  string
	install  string // the command, but for the package
	library  string // the package with libvirt.so.0
	libvirtd string // the package with the daemon
}

var packagers = []packager{
	{"apt-get", "apt-get install ", "libvirt0", "libvirt-daemon-system"},
	{"dnf", "dnf install ", "libvirt-libs", "libvirt-daemon-kvm"},
	{"yum", "yum install ", "libvirt-client", "libvirt"},
	{"zypper", "zypper install ", "libvirt-client", "libvirt-daemon-qemu"},
	{"pacman", "pacman -S ", "libvirt", "libvirt"},
}

// thePackager returns the one of this host.
func thePackager() (packager, bool) {
	for _, p := range packagers {
		if program(p.program) != "" {
			return p, true
		}
	}
	return packager{}, false
}

func installLibrary() string {
	if p, ok := thePackager(); ok {
		return p.install + p.library
	}
	return "Install the package that brings libvirt.so.0"
}

func installLibvirtd() string {
	if p, ok := thePackager(); ok {
		return p.install + p.libvirtd
	}
	return "Install the package that brings libvirtd"
}

// serviceCommand returns the command that does something (start, restart) with
// the first of the named services that this host has, by systemd or by an init
// script; empty if it has none of them.
func serviceCommand(verb string, names ...string) string {
	for _, name := range names {
		if hasSystemd() {
			for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
				if _, err := os.Stat(filepath.Join(dir, name+".service")); err == nil {
					return "systemctl " + verb + " " + name
				}
			}
		}
		for _, script := range []string{"/etc/init.d/" + name, "/etc/init/" + name + ".conf"} {
			if _, err := os.Stat(script); err == nil && !hasSystemd() {
				return "service " + name + " " + verb
			}
		}
	}
	return ""
}

// hasSystemd tells whether systemd runs this host (sd_booted(3)).
func hasSystemd() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// libvirtdServices are the names of libvirtd's service; Ubuntu's was libvirt-bin
// until 2016.
var libvirtdServices = []string{"libvirtd", "libvirt-bin", "virtqemud"}

func startLibvirtd() string {
	if c := serviceCommand("start", libvirtdServices...); c != "" {
		return c
	}
	return "libvirtd -d"
}

func restartLibvirtd() string {
	if c := serviceCommand("restart", libvirtdServices...); c != "" {
		return c
	}
	return "Restart libvirtd; its guests keep running meanwhile."
}
