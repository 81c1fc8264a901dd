package agent

import (
	"fmt"

	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// LibraryVersion returns the version of libvirt's client library, the host's
// libvirt.so.0. The error says that there is none that can be loaded.
func LibraryVersion() (string, error) {
	v, err := libvirt.GetVersion()
	if err != nil {
		return "", fmt.Errorf("libvirt's client library cannot be used: %w", err)
	}
	return translate.VersionText(v), nil
}
