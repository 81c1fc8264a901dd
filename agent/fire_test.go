package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/translate"
)

// fire makes a call by hand.
func (r *rig) fire(req FireRequest) FireReport {
	r.t.Helper()
	report, err := r.agent.Fire(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

func TestFire(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	r := startAgent(t, Config{
		Connect: []string{testURI}, HistoryDir: filepath.Join(t.TempDir(), "history"), StateDir: stateDir(t),
		HookDir: hookDir(t, "#!/bin/sh\ncat > "+seen+"\necho \"$HOOKBRIDGE_CAUSE $*\"\n[ \"$2\" != unplugged ] || exit 3\n"),
	})
	r.expect(adopted...)
	r.awaitReady()
	native, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	before := r.status()

	// The same document as the announced call had, and the present count.
	report := r.fire(FireRequest{Network: "default", Op: translate.OpPlugged})
	r.expect(adopted[2])
	again, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(native), string(again)); diff != "" {
		t.Errorf("stdin (-announced +by hand):\n%s", diff)
	}
	if diff := cmp.Diff(string(again), report.Stdin); diff != "" {
		t.Errorf("reported stdin (-got by the script +reported):\n%s", diff)
	}
	if s := report.Scripts[0]; report.Failed || s.Result != "exit 0" || *s.Exit != 0 || s.Stdout != "manual default plugged begin -\n" {
		t.Errorf("report: %+v", report)
	}

	// A failure has no consequence.
	report = r.fire(FireRequest{Network: "default", Op: translate.OpUnplugged, Domain: "test", MAC: "AA:BB:CC:DD:EE:FF"})
	r.calls(1)
	if !report.Failed || *report.Scripts[0].Exit != 3 {
		t.Errorf("report: %+v", report)
	}
	report = r.fire(FireRequest{Network: "default", Op: translate.OpStopped, Connection: testURI})
	r.calls(1)
	if !strings.Contains(report.Stdin, "<network connections='1'>") {
		t.Errorf("without the present count:\n%s", report.Stdin)
	}
	report = r.fire(FireRequest{Network: "default", Op: translate.OpStart})
	r.calls(1)
	if strings.Contains(report.Stdin, "connections=") {
		t.Errorf("start with a count:\n%s", report.Stdin)
	}
	report = r.fire(FireRequest{Network: "default", Op: translate.OpPortCreated, Domain: "test"})
	r.calls(1)
	if !strings.Contains(report.Stdin, "<networkport>") {
		t.Errorf("port-created:\n%s", report.Stdin)
	}

	// Nothing that is announced has changed; the last calls have.
	after := r.status()
	if len(after.Networks) != 1 || len(after.Networks[0].Interfaces) != 1 || !after.Networks[0].Since.Equal(before.Networks[0].Since) {
		t.Errorf("networks before %+v, after %+v", before.Networks, after.Networks)
	}
	if last := after.Networks[0].LastCall; last.Cause != translate.CauseManual || last.Op != translate.OpStart {
		t.Errorf("last call: %+v", last)
	}
	if report = r.fire(FireRequest{Network: "default", Op: translate.OpUpdated, DryRun: true}); !strings.Contains(report.Stdin, "connections='1'") {
		t.Errorf("the count has changed:\n%s", report.Stdin)
	}
}

func TestFireDryRun(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	dir := hookDir(t, "#!/bin/sh\ncat > "+seen+"\n")
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: dir, HistoryDir: filepath.Join(t.TempDir(), "history")})
	r.expect(adopted...)
	r.awaitReady()
	want, _ := os.ReadFile(seen)
	if err := os.Mkdir(filepath.Join(dir, "network.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"10-more": 0o755, "20-open": 0o777, "30-off": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, "network.d", name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "network.d", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(seen); err != nil {
		t.Fatal(err)
	}

	report := r.fire(FireRequest{Network: "default", Op: translate.OpPlugged, DryRun: true})
	if diff := cmp.Diff(string(want), report.Stdin); diff != "" {
		t.Errorf("stdin (-as announced +dry):\n%s", diff)
	}
	var argvs [][]string
	for _, s := range report.Scripts {
		argvs = append(argvs, s.Argv)
	}
	args := []string{"default", "plugged", "begin", "-"}
	if diff := cmp.Diff([][]string{
		append([]string{dir + "/network"}, args...), append([]string{dir + "/network.d/10-more"}, args...), append([]string{dir + "/network.d/20-open"}, args...),
	}, argvs); diff != "" {
		t.Errorf("scripts (-want +got):\n%s", diff)
	}
	if !report.Failed || report.Scripts[0].Error != "" || !strings.Contains(report.Scripts[2].Error, "20-open") {
		t.Errorf("what would be refused: %+v", report.Scripts)
	}
	if len(report.Findings) != 1 || !strings.Contains(report.Findings[0], "30-off") {
		t.Errorf("findings: %q", report.Findings)
	}
	env := strings.Join(report.Env, "\n")
	for _, v := range []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOOKBRIDGE_RUN=dry-run", "HOOKBRIDGE_CAUSE=manual"} {
		if !strings.Contains(env, v) {
			t.Errorf("no %s in\n%s", v, env)
		}
	}
	if _, err := os.Stat(seen); err == nil {
		t.Error("the script was run")
	}
	if n := r.status().Calls.Made; n != 3 {
		t.Errorf("%d calls are counted", n)
	}
}

// What is not announced is read from libvirt.
func TestFireForWhatIsNotAnnounced(t *testing.T) {
	conn := connect(t)
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\n")})
	r.expect(adopted...)
	r.awaitReady()
	network, err := conn.NetworkDefineXML(netXML)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = network.Undefine(); _ = network.Free() }()
	domain, err := conn.DomainDefineXML(domainXML("52:54:00:00:00:01", "52:54:00:00:00:02"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = domain.Undefine(); _ = domain.Free() }()

	report := r.fire(FireRequest{Network: "n", Op: translate.OpStarted})
	if !strings.Contains(report.Stdin, "<name>n</name>") {
		t.Errorf("stdin:\n%s", report.Stdin)
	}
	report = r.fire(FireRequest{Network: "n", Op: translate.OpPlugged, Domain: "g", MAC: "52:54:00:00:00:02"})
	if report.MAC != "52:54:00:00:00:02" || !strings.Contains(report.Inexact, "does not run") {
		t.Errorf("report: %+v", report)
	}
	if s := r.status(); len(s.Networks) != 1 {
		t.Errorf("announced now: %+v", s.Networks)
	}
}

func TestFireThatCannotBe(t *testing.T) {
	conn := connect(t)
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: hookDir(t, "#!/bin/sh\n")})
	r.expect(adopted...)
	r.awaitReady()
	network, err := conn.NetworkCreateXML(netXML)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = network.Destroy(); _ = network.Free() }()
	domain, err := conn.DomainCreateXML(domainXML("52:54:00:00:00:01", "52:54:00:00:00:02"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = domain.Destroy(); _ = domain.Free() }()
	r.calls(4)

	for _, c := range []struct {
		req  FireRequest
		bad  bool // else not found
		want []string
	}{
		{FireRequest{Network: "n", Op: "pluged"}, true, []string{`unknown operation "pluged"`, "plugged"}},
		{FireRequest{Op: translate.OpStart}, true, []string{"no network named"}},
		{FireRequest{Network: "none", Op: translate.OpStart}, false, []string{"there is no network none"}},
		{FireRequest{Network: "n", Op: translate.OpStart, Domain: "g"}, true, []string{"about a whole network"}},
		{FireRequest{Network: "n", Op: translate.OpStart, Connection: "qemu:///system"}, true, []string{"is not watched", testURI}},
		{FireRequest{Network: "n", Op: translate.OpPlugged, Domain: "g"}, true, []string{"choose one of", "--mac 52:54:00:00:00:01", "--mac 52:54:00:00:00:02"}},
		{FireRequest{Network: "n", Op: translate.OpPlugged, Domain: "g", MAC: "52:54:00:00:00:03"}, false, []string{"no such interface", "--mac 52:54:00:00:00:01"}},
		{FireRequest{Network: "default", Op: translate.OpPlugged, Domain: "g"}, false, []string{"no such interface", "--domain test"}},
	} {
		_, err := r.agent.Fire(t.Context(), c.req)
		var bad *RequestError
		var missing *NotFoundError
		if c.bad && !errors.As(err, &bad) || !c.bad && !errors.As(err, &missing) {
			t.Errorf("%+v: %v (%T)", c.req, err, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: no %q in %v", c.req, w, err)
			}
		}
	}
}

// fireResult is what Fire returns.
type fireResult struct {
	report FireReport
	err    error
}

// fireLater makes a call by hand that has to wait; it returns when the call is in the
// queue.
func (r *rig) fireLater(ctx context.Context, op translate.Op) <-chan fireResult {
	r.t.Helper()
	done := make(chan fireResult, 1)
	planned := r.status().Queues.CallsPlanned
	go func() {
		report, err := r.agent.Fire(ctx, FireRequest{Network: "default", Op: op})
		done <- fireResult{report, err}
	}()
	for r.status().Queues.CallsPlanned == planned {
		if len(done) > 0 {
			r.t.Fatalf("it did not wait: %+v", <-done)
		}
		time.Sleep(time.Millisecond) // nobody is told what comes into the queue
	}
	return done
}

// A call by hand waits for its turn. It is not made when who wanted it has left.
func TestFireTakesItsTurn(t *testing.T) {
	first := newPause(t)
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: first.hookDir})
	r.awaitReady()
	first.await()
	left, leave := context.WithCancel(t.Context())
	gone := r.fireLater(left, translate.OpUpdated)
	waiting := r.fireLater(t.Context(), translate.OpStopped)
	leave()
	if res := <-gone; !errors.Is(res.err, context.Canceled) {
		t.Errorf("who has left: %+v", res)
	}
	first.end()
	r.expect(append(append([]string{}, adopted...), "default stopped end -")...)
	if res := <-waiting; res.err != nil || res.report.Failed {
		t.Errorf("%+v", res)
	}
}

// An agent that is stopped says that the call was not made.
func TestFireWhenTheAgentIsStopped(t *testing.T) {
	first := newPause(t)
	r := startAgent(t, Config{Connect: []string{testURI}, HookDir: first.hookDir})
	r.awaitReady()
	first.await()
	waiting := r.fireLater(t.Context(), translate.OpStopped)
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	r.log.await(t, "stopping")
	first.end()
	if res := <-waiting; !errors.Is(res.err, ErrNotMade) {
		t.Errorf("got %+v", res)
	}
	<-stopped
}
