package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hookbridge/agent"
	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// libvirtHost is what libvirt and its daemon show of this host.
type libvirtHost struct {
	patience time.Duration
	ops      translate.Ops
	hookDir  string

	daemon    libvirtd.Daemon // zero if none runs
	daemonErr error

	optional bool // nobody has named the connections
	asked    []asked
}

// asked is what became of asking one connection.
type asked struct {
	uri    string
	answer agent.Answer
	err    error // why there is no answer; of the context if the time was over
}

// lookAtLibvirt asks all connections at once.
func lookAtLibvirt(ctx context.Context, o Options) libvirtHost {
	h := libvirtHost{patience: o.Patience, ops: o.Ops, hookDir: o.HookDir}
	uris := o.Connect
	if len(uris) == 0 {
		uris, h.optional = agent.DefaultConnect(), true
	}
	h.asked = make([]asked, len(uris))
	ctx, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	var all sync.WaitGroup
	for i, uri := range uris {
		all.Go(func() {
			h.asked[i].uri = uri
			h.asked[i].answer, h.asked[i].err = o.Ask(ctx, uri)
		})
	}
	h.daemon, h.daemonErr = libvirtd.Look()
	all.Wait()
	return h
}

// local reports whether any connection is to a libvirtd of this host.
func (h libvirtHost) local() bool {
	return slices.ContainsFunc(h.asked, func(a asked) bool { return libvirtd.OnThisHost(a.uri) })
}

// version is what this host's libvirtd answers, 0 if it did not.
func (h libvirtHost) version() uint32 {
	for _, a := range h.asked {
		if libvirtd.OnThisHost(a.uri) && a.answer.Version != 0 {
			return a.answer.Version
		}
	}
	return 0
}

// errNoConnect is VIR_ERR_NO_CONNECT: there is no driver for such a URI.
const errNoConnect = 5

// notOffered reports whether the host has no driver for a connection that nobody
// has asked for.
func (h libvirtHost) notOffered(a asked) bool {
	return h.optional && a.err == nil && a.answer.Failed != "" && a.answer.Code == errNoConnect
}

// checkAnswers tells of each connection whether an agent could watch it. Of those
// that fail in the same way one finding speaks.
func (h libvirtHost) checkAnswers() []Finding {
	var all []Finding
	offered := 0
	for _, a := range h.asked {
		if h.notOffered(a) {
			all = append(all, ok(Libvirtd, a.uri, a.uri+" is not offered by this host, and left alone"))
			continue
		}
		offered++
		all = append(all, h.checkAnswer(a)...)
	}
	if offered == 0 {
		uris := make([]string, len(h.asked))
		for i, a := range h.asked {
			uris[i] = a.uri
		}
		return []Finding{problem(Libvirtd, strings.Join(uris, ", "),
			"libvirtd has a driver for none of "+strings.Join(uris, ", "), "Name the connection to watch with --connect; virsh uri shows one that works.")}
	}
	said := map[string]bool{}
	return slices.DeleteFunc(all, func(f Finding) bool {
		twice := f.Level != OK && said[f.Remedy]
		said[f.Remedy] = true
		return twice
	})
}

func (h libvirtHost) checkAnswer(a asked) []Finding {
	if a.err != nil || a.answer.Failed != "" {
		return []Finding{h.whyNot(a)}
	}
	text := fmt.Sprintf("%s answers: libvirt %s", a.uri, translate.VersionText(a.answer.Version))
	if libvirtd.OnThisHost(a.uri) && h.daemonErr == nil {
		text += fmt.Sprintf(", %s with pid %d", h.daemon.Program, h.daemon.PID)
		if len(h.daemon.SocketDirs) > 0 {
			text += ", sockets in " + h.daemon.SocketDirs[0]
		}
	}
	return []Finding{ok(Libvirtd, a.uri, text), checkFeatures(a)}
}

// instead tells what an agent does without a feature.
var instead = map[agent.Feature]string{
	agent.NetworkEvents:      "status files and comparing every 30 s",
	agent.DeviceAdded:        "status files and comparing every 30 s",
	agent.DeviceRemoved:      "status files and comparing every 30 s",
	agent.DomainEventsDetail: "no undo of guest starts",
	agent.ListAll:            "the older list calls",
	agent.CloseCallback:      "a call every 2 s",
	agent.Kicks:              "events and comparing alone",
}

func checkFeatures(a asked) Finding {
	var have, lack []string
	for _, f := range agent.Features() {
		switch {
		case slices.Contains(a.answer.Features, f):
			have = append(have, string(f))
		case f == agent.Kicks && !libvirtd.OnThisHost(a.uri): // there are none elsewhere
		default:
			lack = append(lack, fmt.Sprintf("%s (instead: %s)", f, instead[f]))
		}
	}
	text := a.uri + ": uses " + strings.Join(have, ", ")
	if have == nil {
		text = a.uri + ": uses domain lifecycle events alone"
	}
	if lack != nil {
		text += "; without " + strings.Join(lack, ", ")
	}
	return ok(Features, a.uri, text)
}
