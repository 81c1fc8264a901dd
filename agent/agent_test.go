package agent

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// The tests in this file run the whole agent on libvirt's test driver, which
// keeps one state for the process: they do not run in parallel.
const testURI = "test:///default"

// rig is a running agent.
type rig struct {
	t        *testing.T
	agent    *Agent
	finished chan Finished
	ready    chan string
	log      *logLines
	stop     func()
}

// logLines collects what the agent logs.
type logLines struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	wrote chan struct{}
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return l.buf.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// await waits for a line with the text.
func (l *logLines) await(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for !strings.Contains(l.String(), text) {
		select {
		case <-l.wrote:
		case <-timeout:
			t.Fatalf("no log line with %q in:\n%s", text, l)
		}
	}
}

func startAgent(t *testing.T, cfg Config) *rig {
	t.Helper()
	r := &rig{
		t: t, finished: make(chan Finished, 1000), ready: make(chan string, 10),
		log: &logLines{wrote: make(chan struct{}, 1)},
	}
	cfg.Log = logrus.New()
	cfg.Log.SetOutput(r.log)
	cfg.Log.SetLevel(logrus.DebugLevel)
	cfg.OnCall = func(f Finished) { r.finished <- f }
	cfg.OnReady = func(uri string) { r.ready <- uri }
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.agent = a
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *rig) awaitReady() {
	r.t.Helper()
	select {
	case <-r.ready:
	case <-time.After(30 * time.Second):
		r.t.Fatalf("the agent did not get ready:\n%s", r.log)
	}
}

// calls waits for n calls and returns them in short.
func (r *rig) calls(n int) []string {
	r.t.Helper()
	var got []string
	for range n {
		select {
		case f := <-r.finished:
			s := strings.Join(f.Call.Args(), " ")
			if f.Call.Domain != nil {
				s += fmt.Sprintf(" %s %s", f.Call.Domain.Name, f.Call.NIC.MAC)
			}
			got = append(got, s)
		case <-time.After(30 * time.Second):
			r.t.Fatalf("%d of %d calls: %q\n%s", len(got), n, got, r.log)
		}
	}
	return got
}

func (r *rig) expect(want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.calls(len(want))); diff != "" {
		r.t.Errorf("calls (-want +got):\n%s\n%s", diff, r.log)
	}
}

func connect(t *testing.T) *libvirt.Connect {
	t.Helper()
	conn, err := libvirt.NewConnect(testURI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close() })
	return conn
}

func hookDir(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(dir, "network"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const netXML = `<network><name>n</name><ip address='192.168.77.1' netmask='255.255.255.0'/></network>`

// domainXML is guest g, with an interface in network n for each MAC address.
func domainXML(macs ...string) string {
	nics := ""
	for _, mac := range macs {
		nics += "<interface type='network'><mac address='" + mac + "'/><source network='n'/></interface>"
	}
	return "<domain type='test'><name>g</name><memory>65536</memory><os><type>hvm</type></os><devices>" + nics + "</devices></domain>"
}

var adopted = []string{
	"default start begin -", "default started begin -", "default plugged begin - test aa:bb:cc:dd:ee:ff",
}

func TestLifeOfNetworkAndGuest(t *testing.T) {
	conn := connect(t)
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\ncat >/dev/null\n")})
	r.expect(adopted...)
	r.awaitReady()

	network, err := conn.NetworkCreateXML(netXML)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = network.Free() }()
	r.expect("n start begin -", "n started begin -")

	domain, err := conn.DomainCreateXML(domainXML("52:54:00:00:00:01", "52:54:00:00:00:02"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = domain.Free() }()
	r.expect("n plugged begin - g 52:54:00:00:00:01", "n plugged begin - g 52:54:00:00:00:02")

	// Nothing of this is a reason to call anything.
	for _, do := range []func() error{domain.Suspend, domain.Resume, func() error { return domain.Reboot(0) }} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if err := domain.Destroy(); err != nil {
		t.Fatal(err)
	}
	r.expect("n unplugged begin - g 52:54:00:00:00:01", "n unplugged begin - g 52:54:00:00:00:02")

	if err := network.Destroy(); err != nil {
		t.Fatal(err)
	}
	r.expect("n stopped end -")
	r.stop()
	if n := len(r.finished); n > 0 {
		t.Errorf("%d calls too many: %q", n, r.calls(n))
	}
}

// A guest that is started and gone again before anybody could look still gets
// its pair of calls.
func TestShortLivedGuests(t *testing.T) {
	conn := connect(t)
	network, err := conn.NetworkCreateXML(netXML)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = network.Destroy(); _ = network.Free() }()
	domain, err := conn.DomainDefineXML(domainXML("52:54:00:00:00:01"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = domain.Undefine(); _ = domain.Free() }()

	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\n")})
	r.calls(len(adopted) + 2)
	r.awaitReady()
	const rounds = 50
	var want []string
	for range rounds {
		if err := domain.Create(); err != nil {
			t.Fatal(err)
		}
		if err := domain.Destroy(); err != nil {
			t.Fatal(err)
		}
		want = append(want, "n plugged begin - g 52:54:00:00:00:01", "n unplugged begin - g 52:54:00:00:00:01")
	}
	r.expect(want...)
	r.stop()
	// Those that were learnt too late are told one by one and counted.
	late := strings.Count(r.log.String(), "learnt too late")
	if want := fmt.Sprintf("calls=%d inexact=%d ", 2*rounds+len(adopted)+2, late); !strings.Contains(r.log.String(), want) {
		t.Errorf("no %q when it stopped", want)
	}
}

// A transient guest leaves nothing to read when it has gone: each either gets its calls
// or is counted.
func TestTransientGuestsThatAreGone(t *testing.T) {
	conn := connect(t)
	network, err := conn.NetworkCreateXML(netXML)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = network.Destroy(); _ = network.Free() }()
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\n")})
	r.calls(len(adopted) + 2)
	r.awaitReady()
	const rounds = 50
	start := func(mac string) *libvirt.Domain {
		t.Helper()
		domain, err := conn.DomainCreateXML(domainXML(mac), 0)
		if err != nil {
			t.Fatal(err)
		}
		return domain
	}
	for range rounds {
		domain := start("52:54:00:00:00:01")
		if err := domain.Destroy(); err != nil {
			t.Fatal(err)
		}
		_ = domain.Free()
	}
	// What came before is through when the last one's call is made.
	last := start("52:54:00:00:00:02")
	defer func() { _ = last.Destroy(); _ = last.Free() }()
	made := 0
	for r.calls(1)[0] != "n plugged begin - g 52:54:00:00:00:02" {
		made++
	}
	unseen := r.status().Connections[0].GuestsUnseen
	if made != 2*(rounds-unseen) {
		t.Errorf("%d calls, and %d of %d guests were not seen\n%s", made, unseen, rounds, r.log)
	}
	t.Logf("%d of %d were not seen", unseen, rounds)
}

// Networks that go down and up faster than they can be looked at get the whole
// sequence each time.
func TestShortLivedNetworks(t *testing.T) {
	conn := connect(t)
	network, err := conn.NetworkDefineXML(netXML)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = network.Undefine(); _ = network.Free() }()
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\n")})
	r.expect(adopted...)
	r.awaitReady()
	const rounds = 30
	var want []string
	for range rounds {
		if err := network.Create(); err != nil {
			t.Fatal(err)
		}
		if err := network.Destroy(); err != nil {
			t.Fatal(err)
		}
		want = append(want, "n start begin -", "n started begin -", "n stopped end -")
	}
	r.expect(want...)
}

func TestUnreachableLibvirtIsToldOnceAndTriedAgain(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	r := startAgent(t, Config{Connect: []string{"qemu+unix:///system?socket=" + socket}, HookDir: t.TempDir()})
	r.log.await(t, "trying again")
	r.stop()
	if n := strings.Count(r.log.String(), "trying again"); n != 1 {
		t.Errorf("%d lines:\n%s", n, r.log)
	}
	if !strings.Contains(r.log.String(), socket) {
		t.Errorf("the line does not say what is missing:\n%s", r.log)
	}
}

func TestMissingScriptIsSuccessWithoutACall(t *testing.T) {
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: filepath.Join(t.TempDir(), "no", "such", "directory")})
	r.calls(len(adopted))
	r.stop()
	if strings.Contains(r.log.String(), "level=error") || strings.Contains(r.log.String(), "level=warning") {
		t.Errorf("a missing script is no finding:\n%s", r.log)
	}
}

func TestNonExecutableScriptIsToldOnce(t *testing.T) {
	dir := hookDir(t, "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "network"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: dir})
	r.calls(len(adopted))
	r.stop()
	if n := strings.Count(r.log.String(), "Non-executable hook script"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
}

func TestLineAboutACallSaysWhich(t *testing.T) {
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\necho 'no address left' >&2\nexit 3\n")})
	var run string
	for range adopted {
		run = (<-r.finished).Run
	}
	r.stop()
	for line := range strings.Lines(r.log.String()) {
		if !strings.Contains(line, run) {
			continue
		}
		for _, want := range []string{"network=default", "op=plugged", "domain=test", "aa:bb:cc:dd:ee:ff", `result="exit 3"`, "duration=", "no address left"} {
			if !strings.Contains(line, want) {
				t.Errorf("no %s in %s", want, line)
			}
		}
		return
	}
	t.Errorf("no line about run %s:\n%s", run, r.log)
}

func TestOpsSelectCalls(t *testing.T) {
	r := startAgent(t, Config{
		Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\n"),
		Ops: translate.NewOps(translate.OpPlugged),
	})
	r.expect(adopted[2])
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, cfg := range map[string]Config{
		"malformed URI":     {Connect: []string{"nonsense"}},
		"negative parallel": {Connect: []string{testURI}, Parallel: -1},
		"negative timeout":  {Connect: []string{testURI}, Timeout: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
