package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hookbridge/agent"
)

// checkLibrary tells which client library was loaded, and what it lacks. The
// first finding is a problem if none can be used.
func checkLibrary() []Finding {
	version, err := agent.LibraryVersion()
	path := mappedLibrary()
	if err != nil {
		why := whyNotLoaded()
		if why == "" {
			why = err.Error()
		}
		return []Finding{problem(Library, "libvirt.so.0", "libvirt's client library cannot be loaded: "+firstLine(why), installLibrary())}
	}
	text := "libvirt " + version
	if path != "" {
		text += " from " + path
	}
	return append([]Finding{ok(Library, path, text)}, checkSymbols(exported)...)
}

// mappedLibrary returns the file that this process has loaded as libvirt.so.0.
func mappedLibrary() string {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(maps)) {
		i := strings.IndexByte(line, '/')
		if i < 0 {
			continue
		}
		path := strings.TrimSuffix(line[i:], "\n")
		if strings.HasPrefix(filepath.Base(path), "libvirt.so.0") {
			return path
		}
	}
	return ""
}

// function is one of libvirt's that some hosts' library lacks.
type function struct {
	name    string
	since   string
	instead string // what the agent does without it; empty: it cannot do without
}

// functions are those that hookbridge uses and that came late.
var functions = []function{
	{"virEventRegisterImpl", "0.5.0", ""},
	{"virConnectDomainEventRegisterAny", "0.8.0", ""},
	{"virDomainIsActive", "0.7.3", ""},
	{"virNetworkIsActive", "0.7.3", ""},
	{"virConnectGetLibVersion", "0.7.3", "the files that libvirtd maps tell its hooks"},
	{"virDomainDetachDeviceFlags", "0.7.7", "a refused interface stays plugged"},
	{"virDomainUpdateDeviceFlags", "0.8.0", "a refused move of an interface stays"},
	{"virConnectSetKeepAlive", "0.9.8", "a call every 2 s asks whether libvirtd lives"},
	{"virConnectIsAlive", "0.9.8", "a call every 2 s asks whether libvirtd lives"},
	{"virConnectListAllDomains", "0.9.13", "the older list calls"},
	{"virConnectRegisterCloseCallback", "0.10.0", "a call every 2 s asks whether libvirtd lives"},
	{"virConnectListAllNetworks", "0.10.2", "the older list calls"},
	{"virConnectNetworkEventRegisterAny", "1.2.1", "libvirtd's status files and a comparison every 30 s"},
}

func checkSymbols(has func(string) bool) []Finding {
	var missing, replaced []string
	for _, f := range functions {
		switch {
		case has(f.name):
		case f.instead == "":
			missing = append(missing, f.name)
		default:
			replaced = append(replaced, fmt.Sprintf("no %s (libvirt %s): instead %s", f.name, f.since, f.instead))
		}
	}
	switch {
	case missing != nil:
		return []Finding{problem(Symbols, "libvirt.so.0",
			"older than libvirt 0.8.0, which is the oldest that can be watched: it lacks "+strings.Join(missing, ", "), installLibrary())}
	case replaced != nil:
		return []Finding{ok(Symbols, "libvirt.so.0", "works with less; "+strings.Join(replaced, "; "))}
	}
	return []Finding{ok(Symbols, "libvirt.so.0", "has every function that is used")}
}
