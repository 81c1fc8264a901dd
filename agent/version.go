package agent

import (
	"fmt"

	"libvirt.org/go/libvirt"
)

// LibraryVersion returns the version of libvirt's client library, the host's
// libvirt.so.0. The error says that there is none that can be loaded.
func LibraryVersion() (string, error) {
	v, err := libvirt.GetVersion()
	if err != nil {
		return "", fmt.Errorf("libvirt's client library cannot be used: %w", err)
	}
	return versionText(v), nil
}

// versionText prints libvirt's version number, which is
// major*1000000 + minor*1000 + release.
func versionText(v uint32) string {
	return fmt.Sprintf("%d.%d.%d", v/1000000, v/1000%1000, v%1000)
}
