//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Host describes the machine that was measured on.
type Host struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Kernel  string `json:"kernel"`
	Libvirt string `json:"libvirt"`
	Go      string `json:"go"`
	Load    string `json:"load"` // averages before the first measure
}

func (h Host) String() string {
	return fmt.Sprintf("%s, %d cores, Linux %s, libvirt %s, %s, load before %s", h.CPU, h.Cores, h.Kernel, h.Libvirt, h.Go, h.Load)
}

func thisHost() Host {
	h := Host{CPU: "unknown", Cores: runtime.NumCPU(), Go: runtime.Version()}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				h.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if out, err := exec.Command("virsh", "--version").Output(); err == nil {
		h.Libvirt = strings.TrimSpace(string(out))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		h.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	return h
}
