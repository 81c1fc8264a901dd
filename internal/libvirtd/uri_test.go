package libvirtd

import (
	"strings"
	"testing"
)

func TestCheckURI(t *testing.T) {
	for _, good := range []string{
		"qemu:///system", "qemu:///session", "lxc:///", "lxc:///system", "xen:///", "xen:///system", "test:///default",
		"qemu+unix:///system?socket=/run/x", "qemu+ssh://root@host.example/system", "qemu+tcp://[::1]:16509/system",
		"test+unix:///default", "esx://host/?no_verify=1",
	} {
		if err := CheckURI(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                      "no driver",
		"qemu":                  "no driver",
		"/var/run/libvirt":      "no driver",
		"qemu:system":           "no driver",
		"://system":             "missing protocol scheme",
		"quemu:///system":       `unknown driver "quemu"`,
		"http://host/":          `unknown driver "http"`,
		"qemu+pigeon:///system": `unknown transport "pigeon"`,
		"qemu:///sys\ntem":      "invalid control character",
		"qemu://[::1/system":    "missing ']'",
	} {
		err := CheckURI(bad)
		if err == nil {
			t.Errorf("%q was accepted", bad)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want one line with %q", bad, err, want)
		}
	}
}

func TestLocalDaemon(t *testing.T) {
	for uri, want := range map[string]bool{
		"qemu:///system": true, "lxc:///": true, "qemu+unix:///system?socket=/run/x": true, "xen:///": true,
		"test:///default": false, "test+unix:///default": false, "qemu+ssh://host/system": false,
		"qemu+tcp://127.0.0.1/system": false, "esx://host/": false,
	} {
		if got := OnThisHost(uri); got != want {
			t.Errorf("OnThisHost(%q) = %v", uri, got)
		}
	}
}
