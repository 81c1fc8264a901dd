package agent

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"hookbridge/internal/libvirtd"
	"hookbridge/translate"
)

// gateRig is a gate without libvirt: this process stands for libvirtd, a directory
// for its status files.
type gateRig struct {
	*gate
	t     *testing.T
	run   string // libvirt's run directory
	mu    sync.Mutex
	calls []string
	more  chan struct{} // a token for each
}

func newGateRig(t *testing.T, native translate.Ops) *gateRig {
	t.Helper()
	log := logrus.New()
	log.SetOutput(t.Output())
	r := &gateRig{t: t, run: t.TempDir(), more: make(chan struct{}, 100)}
	if err := os.Mkdir(r.run+"/network", 0o755); err != nil {
		t.Fatal(err)
	}
	replay := newReplay(nil)
	d := newDispatcher(t.Context(), 2, r.call)
	ledger := newLedger(d.submit, keeper{log: log})
	ledger.withdraw, ledger.abandon = d.withdraw, d.abandon
	w := &watcher{
		uri: "qemu:///system", ledger: ledger, replay: replay, log: logrus.NewEntry(log), runDir: r.run, libDir: r.run,
		host: &hostNetworks{conn: "qemu:///system"},
	}
	r.gate = &gate{
		ledger: ledger, dispatcher: d, replay: replay, watchers: []*watcher{w}, log: log,
		hookDir: func() string { return r.run + "/hooks" },
		calledBy: func(pid int) libvirtd.Caller {
			return libvirtd.Caller{
				Network: libvirtd.Process{PID: pid, Start: 1}, Judged: true,
				Verdict: translate.Verdict{Native: native, Reason: "the test says so"},
			}
		},
	}
	t.Cleanup(func() { d.close() })
	return r
}

// call stands for the scripts.
func (r *gateRig) call(_ context.Context, t task, rest []task, _ time.Time) aftermath {
	if t.gate != nil && !t.gate.begin() {
		return nil
	}
	text := t.call.Network + " " + string(t.call.Op)
	if t.call.NIC != nil {
		text += " " + t.call.NIC.MAC
	}
	r.mu.Lock()
	r.calls = append(r.calls, text)
	r.mu.Unlock()
	r.more <- struct{}{}
	if t.gate != nil && !t.gate.back {
		t.gate.finish(nil)
	}
	return nil
}

func (r *gateRig) up(network string) {
	r.t.Helper()
	text := fmt.Sprintf("<networkstatus>\n  <network>\n    <name>%s</name>\n    <uuid>11111111-1111-1111-1111-111111111111</uuid>\n    <forward mode='bridge'/>\n    <bridge name='br0'/>\n  </network>\n</networkstatus>\n", network)
	if err := os.WriteFile(r.run+"/network/"+network+".xml", []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *gateRig) ask(op, document string) GateAnswer {
	return r.answer(r.t.Context(), GateCall{Guest: "qemu", Object: "g", Op: op, SubOp: "begin", PID: os.Getpid(), Document: document, Timeout: 5000})
}

func (r *gateRig) made(want ...string) {
	r.t.Helper()
	for range want {
		select {
		case <-r.more:
		case <-time.After(30 * time.Second):
			r.t.Error("not all calls were made")
		}
	}
	r.dispatcher.close()
	if diff := cmp.Diff(perNetwork(want), perNetwork(r.calls)); diff != "" {
		r.t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// perNetwork sorts calls by network: between networks there is no order.
func perNetwork(calls []string) map[string][]string {
	m := map[string][]string{}
	for _, c := range calls {
		network, _, _ := strings.Cut(c, " ")
		m[network] = append(m[network], c)
	}
	return m
}

const gateGuest = `<domain type='qemu' id='4'>
  <name>g</name>
  <uuid>22222222-2222-2222-2222-222222222222</uuid>
  <devices>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='front'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:02'/>
      <source bridge='br0'/>
    </interface>
    <interface type='network'>
      <mac address='52:54:00:00:00:03'/>
      <source network='back'/>
    </interface>
  </devices>
</domain>
`

// Before anybody has connected to libvirtd its own files tell of the networks; what
// came up is announced before what is plugged into it.
func TestGateKnowsNetworksFromFiles(t *testing.T) {
	r := newGateRig(t, translate.Ops{})
	r.up("front")
	r.up("back")
	if a := r.ask("prepare", gateGuest); !a.Allow || a.Message != "" {
		t.Fatalf("%+v", a)
	}
	if a := r.ask("start", gateGuest); !a.Allow {
		t.Fatalf("%+v", a)
	}
	r.ask("stopped", gateGuest)
	r.ask("release", gateGuest)
	r.made("front start", "front started", "back start", "back started",
		"front plugged 52:54:00:00:00:01", "back plugged 52:54:00:00:00:03",
		"front unplugged 52:54:00:00:00:01", "back unplugged 52:54:00:00:00:03")
}

// A libvirtd without prepare is served at start.
func TestGateWithoutPrepare(t *testing.T) {
	r := newGateRig(t, translate.Ops{})
	r.up("front")
	r.up("back")
	r.ask("start", gateGuest)
	r.ask("stopped", gateGuest)
	r.made("front start", "front started", "back start", "back started",
		"front plugged 52:54:00:00:00:01", "back plugged 52:54:00:00:00:03",
		"front unplugged 52:54:00:00:00:01", "back unplugged 52:54:00:00:00:03")
}

// A libvirtd that was upgraded to one with the hook is not the gate's affair, whatever
// the one before was.
func TestGatePassesANativeLibvirtdThrough(t *testing.T) {
	r := newGateRig(t, translate.NewOps(translate.ClassicOps()...))
	r.replay.judged("qemu:///system", translate.Verdict{Native: translate.Ops{}, Reason: "the libvirtd before had none"})
	r.up("front")
	r.up("back")
	for _, op := range []string{"prepare", "start", "stopped", "release", "reconnect"} {
		if a := r.ask(op, gateGuest); !a.Allow || a.Message != "" {
			t.Errorf("%s: %+v", op, a)
		}
	}
	if n := r.counts().Passed; n != 5 {
		t.Errorf("%d calls passed through, want 5", n)
	}
	r.made()
}

// A guest in a network that is down is libvirt's to refuse.
func TestGateOfANetworkThatIsDown(t *testing.T) {
	r := newGateRig(t, translate.Ops{})
	r.up("front")
	if a := r.ask("prepare", gateGuest); !a.Allow {
		t.Errorf("%+v", a)
	}
	r.made("front start", "front started")
}

func TestGateOfWhatMakesNoSense(t *testing.T) {
	r := newGateRig(t, translate.Ops{})
	for _, document := range []string{
		"", " ", "<", "<domain", "<domain/>", "<network><name>x</name></network>", "\x00", strings.Repeat("<domain>", 10000),
		strings.ReplaceAll(gateGuest, "front", "../../etc/passwd"), strings.ReplaceAll(gateGuest, "</devices>", ""), gateGuest[:len(gateGuest)/2],
	} {
		for _, op := range []string{"prepare", "start", "stopped", "release", "reconnect", "nonsense", ""} {
			if a := r.ask(op, document); !a.Allow {
				t.Errorf("%s of %.40q: %+v", op, document, a)
			}
		}
	}
	for _, call := range []GateCall{{}, {Guest: "qemu"}, {Guest: "xen", Op: "prepare"}, {Guest: "qemu", Op: "prepare", PID: -1, Document: gateGuest}} {
		if a := r.answer(t.Context(), call); !a.Allow {
			t.Errorf("%+v: %+v", call, a)
		}
	}
}

// A call whose shim has gone is not made.
func TestGateOfAShimThatHasGone(t *testing.T) {
	r := newGateRig(t, translate.Ops{})
	r.up("front")
	r.up("back")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r.answer(gone, GateCall{Guest: "qemu", Object: "g", Op: "prepare", PID: os.Getpid(), Document: gateGuest})
	if !r.ledger.wentUngated("qemu:///system", "22222222-2222-2222-2222-222222222222") {
		t.Error("nobody knows that the guest was not asked about")
	}
	r.made()
}
