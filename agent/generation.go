package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/vishvananda/netlink"

	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// generation returns what tells one life of a network of this host from the
// next, "" where nothing does.
//
// A network with a bridge of its own gets a new one at each start, with a new
// interface index. Networks over a bridge or a device of the host have nothing
// but their status file, which libvirtd writes at their start and seldom later:
// if it changed without the document having changed, the network was restarted;
// rewritten says so.
func generation(seen translate.NetworkSeen, dirs libvirtd.StatusDirs) (id string, rewritten bool) {
	head, err := translate.ParseNetwork(seen.Live)
	if err != nil {
		return "", false
	}
	switch head.ForwardMode {
	case "", "nat", "route", "open":
		if link, err := netlink.LinkByName(head.Bridge); err == nil {
			return fmt.Sprintf("bridge %d", link.Attrs().Index), false
		}
		return "", false
	}
	for _, dir := range dirs.Networks() {
		info, err := os.Stat(filepath.Join(dir, seen.Name+".xml"))
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			return fmt.Sprintf("file %d %d.%09d", st.Ino, st.Mtim.Sec, st.Mtim.Nsec), true
		}
	}
	return "", false
}
