package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"hookbridge/agent"
	"hookbridge/agent/book"
	"hookbridge/exec"
	"hookbridge/translate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// given is an agent with a status.
type given struct {
	status agent.Status
	err    error
}

func (g *given) Status(context.Context) (agent.Status, error) { return g.status, g.err }

var now = time.Date(2026, 1, 31, 13, 45, 0, 0, time.UTC)

func full() agent.Status {
	return agent.Status{
		Now: now, Started: now.Add(-time.Hour), LibvirtLibrary: "9.0.0",
		Connections: []agent.ConnectionStatus{{
			URI: "qemu:///system", NetworksKnownBy: "qemu:///system", Connected: true, Ready: true, Reconnects: 2,
			HintsWaiting: 3, HintsSpilled: 4, HintsDropped: 5, Overflows: 1, GuestsUnseen: 8,
			Ops: []agent.OpStatus{{Op: translate.OpPlugged, State: agent.OpReplayed}},
		}},
		Networks: []agent.NetworkStatus{{
			Name: "front", Connection: "qemu:///system", Up: true,
			Interfaces: []agent.InterfaceStatus{{MAC: "1"}, {MAC: "2"}, {MAC: "3", Refused: true}},
		}},
		Running:    []book.RunningCall{{Since: now.Add(-90 * time.Second)}, {Since: now}},
		Queues:     agent.QueueStatus{CallsPlanned: 7, CallsHeld: 6},
		Calls:      agent.CallStatus{Made: 10, Inexact: 9},
		Undo:       agent.UndoStatus{Done: map[translate.UndoKind]int{translate.UndoDomain: 2}, NotDone: 3},
		Reconciles: agent.ReconcileStatus{Made: map[agent.Comparison]int{agent.ComparedAtConnect: 4}, Found: map[translate.Op]int{translate.OpStart: 5}},
		Gate:       agent.GateStatus{Asked: 11, Refused: 12, Unasked: 13, Passed: 14},
		History:    agent.HistoryStatus{Dropped: 15},
	}
}

func called(op translate.Op, cause translate.Cause, report exec.Report, planned time.Time) agent.Finished {
	return agent.Finished{Call: translate.Call{Op: op, Cause: cause}, Report: report, Planned: planned}
}

// made has taken some calls into account.
func made(source Source) *Metrics {
	m := New(source, "1.2.3")
	ok := exec.Report{Scripts: []exec.Outcome{{Pid: 1, Started: now, Duration: 20 * time.Millisecond}}}
	m.Called(called(translate.OpPlugged, translate.CauseEvent, ok, now.Add(-3*time.Millisecond)))
	m.Called(called(translate.OpPlugged, translate.CauseReconcile, ok, now.Add(-time.Hour)))
	m.Called(called(translate.OpStart, translate.CauseEvent, exec.Report{}, now))
	for _, err := range []error{
		&exec.ScriptError{ExitCode: 3}, &exec.RunError{Kind: exec.TimedOut}, &exec.RunError{Kind: exec.Refused},
		&exec.RunError{Kind: exec.NotStarted}, &exec.RunError{Kind: exec.Lost}, &exec.RunError{Kind: exec.Canceled},
	} {
		m.Called(called(translate.OpStopped, translate.CauseEvent, exec.Report{Scripts: []exec.Outcome{{Err: err}}}, now))
	}
	return m
}

// scrape returns what Prometheus would get.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestValues(t *testing.T) {
	got := scrape(t, made(&given{status: full()}))
	for _, want := range []string{
		`hookbridge_build_info{libvirt_library="9.0.0",version="1.2.3"} 1`,
		`hookbridge_running 1`,
		`hookbridge_connected{connection="qemu:///system"} 1`,
		`hookbridge_reconnects_total{connection="qemu:///system"} 2`,
		`hookbridge_hints_waiting{connection="qemu:///system",place="memory"} 3`,
		`hookbridge_hints_waiting{connection="qemu:///system",place="store"} 4`,
		`hookbridge_hints_dropped_total{connection="qemu:///system"} 5`,
		`hookbridge_overflows_total{connection="qemu:///system"} 1`,
		`hookbridge_guests_unseen_total{connection="qemu:///system"} 8`,
		`hookbridge_operation_state{connection="qemu:///system",op="plugged",state="replayed"} 1`,
		`hookbridge_interfaces_plugged{connection="qemu:///system",network="front"} 2`,
		`hookbridge_interfaces_refused{connection="qemu:///system",network="front"} 1`,
		`hookbridge_networks_up{connection="qemu:///system"} 1`,
		`hookbridge_calls_planned 7`,
		`hookbridge_calls_held 6`,
		`hookbridge_calls_running 2`,
		`hookbridge_longest_running_call_seconds 90`,
		`hookbridge_calls_inexact_total 9`,
		`hookbridge_undos_total{kind="destroy-domain",result="done"} 2`,
		`hookbridge_undos_total{kind="destroy-domain",result="failed"} 0`,
		`hookbridge_undos_total{kind="any",result="none"} 3`,
		`hookbridge_reconciles_total{reason="connect"} 4`,
		`hookbridge_reconcile_found_calls_total{op="start"} 5`,
		`hookbridge_gate_starts_asked_total 11`,
		`hookbridge_gate_starts_refused_total 12`,
		`hookbridge_gate_starts_unasked_total 13`,
		`hookbridge_gate_calls_passed_total 14`,
		`hookbridge_history_dropped_total 15`,
		`hookbridge_calls_total{op="plugged",result="ok"} 2`,
		`hookbridge_calls_total{op="start",result="no_script"} 1`,
		`hookbridge_calls_total{op="stopped",result="failed"} 1`,
		`hookbridge_calls_total{op="stopped",result="timed_out"} 1`,
		`hookbridge_calls_total{op="stopped",result="refused"} 1`,
		`hookbridge_calls_total{op="stopped",result="not_started"} 1`,
		`hookbridge_calls_total{op="stopped",result="lost"} 1`,
		`hookbridge_calls_total{op="stopped",result="canceled"} 1`,
		`hookbridge_calls_total{op="updated",result="failed"} 0`,
		`hookbridge_script_duration_seconds_bucket{op="plugged",le="0.025"} 2`,
		`hookbridge_call_latency_seconds_bucket{op="plugged",le="0.005"} 1`,
		`hookbridge_call_latency_seconds_count{op="plugged"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

func TestAgentThatDoesNotRun(t *testing.T) {
	got := scrape(t, New(&given{err: errors.New("not yet")}, ""))
	if !strings.Contains(got, "hookbridge_running 0\n") || strings.Contains(got, "hookbridge_connected") {
		t.Errorf("got\n%s", got)
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, made(&given{status: full()})))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// notShown are metrics that neither the dashboard nor an alert uses.
var notShown = []string{
	"hookbridge_connection_ready",        // short, and of use beside a log only
	"hookbridge_gate_calls_passed_total", // tells what hookbridge check does, too
}

const monitoring = "../../packaging/monitoring/"

func TestDashboardAndAlertsUseWhatIsThere(t *testing.T) {
	there := map[string]bool{}
	for line := range strings.Lines(scrape(t, made(&given{status: full()}))) {
		if name, ok := strings.CutPrefix(line, "# TYPE hookbridge_"); ok {
			there["hookbridge_"+strings.Fields(name)[0]] = true
		}
	}
	used := map[string]bool{}
	for _, name := range []string{"dashboard.json", "alerts.yaml"} {
		content, err := os.ReadFile(monitoring + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, expr := range expressions(t, name, content) {
			for _, metric := range regexp.MustCompile(`hookbridge_[a-z_]+`).FindAllString(expr, -1) {
				base := metric
				for _, suffix := range []string{"_bucket", "_sum", "_count"} {
					if cut, ok := strings.CutSuffix(metric, suffix); ok && there[cut] {
						base = cut
					}
				}
				if used[base] = true; !there[base] {
					t.Errorf("%s: there is no %s (%s)", name, metric, expr)
				}
			}
			for _, selector := range regexp.MustCompile(`result="([a-z_]*)"`).FindAllStringSubmatch(expr, -1) {
				if r := selector[1]; !slices.Contains(Results(), Result(r)) && r != "done" && r != "none" {
					t.Errorf("%s: there is no result %q (%s)", name, r, expr)
				}
			}
			if n := strings.Count(expr, "(") - strings.Count(expr, ")"); n != 0 {
				t.Errorf("%s: parentheses do not match (%s)", name, expr)
			}
		}
	}
	for metric := range there {
		if used[metric] == slices.Contains(notShown, metric) {
			t.Errorf("%s: used: %t, listed as not shown: %t", metric, used[metric], !used[metric])
		}
	}
	for _, metric := range notShown {
		if !there[metric] {
			t.Errorf("%s is listed and not there", metric)
		}
	}
}

// expressions returns the PromQL in a dashboard or in rules, and checks the form of the
// rest.
func expressions(t *testing.T, name string, content []byte) (all []string) {
	t.Helper()
	if strings.HasSuffix(name, ".json") {
		var board struct {
			Title, UID string
			Panels     []struct {
				ID      int
				Title   string
				Type    string
				Targets []struct{ Expr, RefID string }
			}
		}
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ids := map[int]bool{}
		for _, p := range board.Panels {
			if p.Title == "" || ids[p.ID] || p.Type != "row" && len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %q has no title, no target or no id of its own", name, p.ID, p.Title)
			}
			ids[p.ID] = true
			for _, target := range p.Targets {
				all = append(all, target.Expr)
			}
		}
		return all
	}
	rules := strings.Split(string(content), "\n      - alert: ")[1:]
	for _, rule := range rules {
		for _, part := range []string{"expr: ", "labels:", "severity: ", "annotations:", "summary: ", "description: "} {
			if strings.Count(rule, part) != 1 {
				t.Errorf("%s: a rule without %q:\n%s", name, part, rule)
			}
		}
		_, expr, _ := strings.Cut(rule, "expr: ")
		expr, _, _ = strings.Cut(expr, "\n")
		all = append(all, expr)
	}
	if len(all) == 0 {
		t.Errorf("%s has no rules", name)
	}
	return all
}

func TestListener(t *testing.T) {
	healthy := errors.New("not yet")
	m := New(&given{status: full()}, "")
	l, err := m.Listen(":0", func() error { return healthy })
	if err != nil {
		t.Fatal(err)
	}
	if addr := l.Addr().String(); !strings.HasPrefix(addr, "127.0.0.1:") {
		t.Errorf("without a host it listens on %s", addr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(method, path string) (int, string) {
		req, _ := http.NewRequest(method, fmt.Sprintf("http://%s%s", l.Addr(), path), nil)
		response, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	if code, body := get("GET", "/metrics"); code != 200 || !strings.Contains(body, "hookbridge_running 1") {
		t.Errorf("/metrics: %d", code)
	}
	if code, body := get("GET", "/healthz"); code != 503 || !strings.Contains(body, "not yet") {
		t.Errorf("/healthz: %d %s", code, body)
	}
	for _, path := range []string{"/", "/v1/status", "/v1/fire", "/v1/gate", "/debug/pprof/"} {
		if code, _ := get("GET", path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code, _ := get("POST", "/metrics"); code != 405 {
		t.Errorf("POST /metrics: %d", code)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := m.Listen("256.0.0.1:1", nil); err == nil {
		t.Error("an address that is none was taken")
	}
}
