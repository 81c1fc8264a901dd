package libvirtd

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// drivers are the libvirt drivers that know domain events, networks or both;
// the transports are those of libvirt's remote driver (docs/uri.rst).
var (
	drivers    = []string{"qemu", "lxc", "xen", "test", "libxl", "uml", "vbox", "bhyve", "ch", "vz", "openvz", "vmwareplayer", "vmwarews", "vmwarefusion", "esx", "vpx", "gsx", "hyperv", "phyp", "xenapi", "remote"}
	transports = []string{"unix", "ssh", "tls", "tcp", "ext", "libssh", "libssh2"}
)

// CheckURI tells whether libvirt could make sense of a connection URI. It does
// not connect. The error says what is wrong with which URI and shows a good one.
func CheckURI(uri string) error {
	const example = "; a good one is qemu:///system"
	u, err := url.Parse(uri)
	if err != nil {
		return fmt.Errorf("malformed connection URI %q: %w%s", uri, unwrapURL(err), example)
	}
	if u.Scheme == "" || !strings.Contains(uri, "://") {
		return fmt.Errorf("malformed connection URI %q: no driver in front of ://%s", uri, example)
	}
	driver, transport, hasTransport := strings.Cut(u.Scheme, "+")
	if !slices.Contains(drivers, driver) {
		return fmt.Errorf("unknown driver %q in connection URI %q%s", driver, uri, example)
	}
	if hasTransport && !slices.Contains(transports, transport) {
		return fmt.Errorf("unknown transport %q in connection URI %q: libvirt has %s", transport, uri, strings.Join(transports, ", "))
	}
	return nil
}

// unwrapURL drops the repetition of the URI from an error of net/url.
func unwrapURL(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // url.Parse returns it unwrapped
		return e.Err
	}
	return err
}

// OnThisHost reports whether a connection is served by a libvirtd of this
// host, whose own network driver runs hooks. The test driver, whether inside
// this process or behind a libvirtd, and remote hosts run none here.
func OnThisHost(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	driver, transport, _ := strings.Cut(u.Scheme, "+")
	if driver == "test" || driver == "esx" || driver == "vpx" || driver == "hyperv" {
		return false
	}
	return u.Host == "" && (transport == "" || transport == "unix")
}

// Driver returns the libvirt driver of a connection URI, which is also the name of
// its directory below /run/libvirt; empty if the URI is malformed.
func Driver(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	driver, _, _ := strings.Cut(u.Scheme, "+")
	if driver == "xen" {
		return "libxl"
	}
	return driver
}
