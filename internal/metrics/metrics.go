package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hookbridge/agent"
	"hookbridge/exec"
	"hookbridge/translate"
)

// Source is where the status comes from; *agent.Agent is one.
type Source interface {
	Status(context.Context) (agent.Status, error)
}

// Metrics are those of one agent.
type Metrics struct {
	registry *prometheus.Registry

	calls     *prometheus.CounterVec
	durations *prometheus.HistogramVec
	latencies *prometheus.HistogramVec
}

// Result is how a call ended, as a label.
type Result string

// The results. Failed is the verdict of a script; what comes after it is no verdict of
// any script but a finding about the host; None is a call for which there is no script.
const (
	ResultOK         Result = "ok"
	ResultFailed     Result = "failed"
	ResultTimedOut   Result = "timed_out"
	ResultRefused    Result = "refused"
	ResultNotStarted Result = "not_started"
	ResultLost       Result = "lost"
	ResultCanceled   Result = "canceled"
	ResultNone       Result = "no_script"
)

// Results returns all of them.
func Results() []Result {
	return []Result{ResultOK, ResultFailed, ResultTimedOut, ResultRefused, ResultNotStarted, ResultLost, ResultCanceled, ResultNone}
}

// New returns the metrics of an agent of this version of hookbridge.
func New(source Source, version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hookbridge_calls_total", Help: "Hook calls made, all scripts of a call together, by how they ended.",
		}, []string{"op", "result"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hookbridge_script_duration_seconds", Help: "Run time of one hook script.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"op"}),
		latencies: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hookbridge_call_latency_seconds", Help: "Time from the arrival of libvirt's event, or what stands for it, to the start of the first script.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"op"}),
	}
	for _, op := range translate.AllOps() {
		for _, result := range Results() {
			m.calls.WithLabelValues(string(op), string(result))
		}
	}
	m.registry.MustRegister(m.calls, m.durations, m.latencies, newStatusCollector(source, version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}

// Called takes a finished call into account.
func (m *Metrics) Called(f agent.Finished) {
	op := string(f.Call.Op)
	m.calls.WithLabelValues(op, string(resultOf(f.Report))).Inc()
	for i := range f.Report.Scripts {
		if o := &f.Report.Scripts[i]; o.Pid != 0 {
			m.durations.WithLabelValues(op).Observe(o.Duration.Seconds())
		}
	}
	switch f.Call.Cause {
	case translate.CauseEvent, translate.CauseKick, translate.CauseGate:
		// What was found or is repeated has no moment to count from.
		if start := f.Report.FirstStart(); !start.IsZero() && !f.Planned.IsZero() && !f.Retry {
			m.latencies.WithLabelValues(op).Observe(max(0, start.Sub(f.Planned)).Seconds())
		}
	}
}

func resultOf(r exec.Report) Result {
	switch trouble := r.Trouble(); {
	case r.Verdict() != nil:
		return ResultFailed
	case trouble == nil && len(r.Scripts) == 0:
		return ResultNone
	case trouble == nil:
		return ResultOK
	default:
		switch trouble.Kind {
		case exec.TimedOut:
			return ResultTimedOut
		case exec.Refused:
			return ResultRefused
		case exec.Lost:
			return ResultLost
		case exec.Canceled:
			return ResultCanceled
		}
		return ResultNotStarted
	}
}
