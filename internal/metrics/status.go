package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hookbridge/agent"
	"hookbridge/translate"
)

// statusLimit is how long a status may take.
const statusLimit = 5 * time.Second

// statusCollector asks for the status at each scrape.
type statusCollector struct {
	source  Source
	version string
}

func newStatusCollector(source Source, version string) *statusCollector {
	return &statusCollector{source, version}
}

// metric is one that comes from the status.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// described are all of them, in the order of their making.
var described []*prometheus.Desc

func gauge(name, help string, labels ...string) metric {
	return describe(prometheus.GaugeValue, name, help, labels)
}

func counter(name, help string, labels ...string) metric {
	return describe(prometheus.CounterValue, name, help, labels)
}

func describe(kind prometheus.ValueType, name, help string, labels []string) metric {
	m := metric{prometheus.NewDesc("hookbridge_"+name, help, labels, nil), kind}
	described = append(described, m.desc)
	return m
}

var (
	buildInfo = gauge("build_info", "1, with the version of hookbridge and of libvirt's client library.", "version", "libvirt_library")
	isRunning = gauge("running", "Whether the agent runs, so that its status can be had.")
	started   = gauge("start_time_seconds", "When the agent was started, in seconds since 1970.")

	connected  = gauge("connected", "Whether there is a connection to this libvirtd.", "connection")
	ready      = gauge("connection_ready", "Whether everything that was there at the connection's begin has been looked at.", "connection")
	reconnects = counter("reconnects_total", "Connections that were made again after one was lost.", "connection")
	operations = gauge("operation_state", "1 for what is done about an operation: replayed, native, off or unknown.", "connection", "op", "state")

	hints     = gauge("hints_waiting", "Events that wait to be looked at.", "connection", "place")
	dropped   = counter("hints_dropped_total", "Events for which there was no room.", "connection")
	overflows = counter("overflows_total", "Times that events were lost and everything was compared instead.", "connection")
	unseen    = counter("guests_unseen_total", "Guests that were started and gone before anything of them could be read: no call was made.", "connection")

	planned = gauge("calls_planned", "Hook calls that are planned and have not ended.")
	held    = gauge("calls_held", "Hook calls of an earlier run of the agent that wait for their connection.")
	running = gauge("calls_running", "Hook calls whose scripts run.")
	longest = gauge("longest_running_call_seconds", "For how long the longest of the running calls has been running.")
	inexact = counter("calls_inexact_total", "Hook calls with a substitute for a document that was gone, since the change was learnt too late.")

	networks = gauge("networks_up", "Networks that are announced as up.", "connection")
	plugged  = gauge("interfaces_plugged", "Guests' interfaces that are plugged into the network.", "connection", "network")
	refused  = gauge("interfaces_refused", "Guests' interfaces that the script has refused and that could not be taken away yet.", "connection", "network")

	undos      = counter("undos_total", "Refusals by scripts, by what was to be undone and what came of it: done, failed, or none.", "kind", "result")
	reconciles = counter("reconciles_total", "Comparisons of everything with what was announced, by their reason.", "reason")
	found      = counter("reconcile_found_calls_total", "Hook calls that such comparisons led to.", "op")

	gateAsked   = counter("gate_starts_asked_total", "Guest starts at the gate that the scripts were asked about.")
	gateRefused = counter("gate_starts_refused_total", "Guest starts at the gate that were refused.")
	gateUnasked = counter("gate_starts_unasked_total", "Guest starts at the gate that the scripts could not be asked about.")
	gatePassed  = counter("gate_calls_passed_total", "Calls at the gate that were passed through, since libvirtd has the network hook itself.")

	unwritten = counter("history_dropped_total", "Runs that could not be written into the history.")
)

// Describe is for a prometheus.Collector.
func (*statusCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range described {
		to <- d
	}
}

// Collect is for a prometheus.Collector.
func (c *statusCollector) Collect(to chan<- prometheus.Metric) {
	set := func(m metric, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
	defer cancel()
	s, err := c.source.Status(ctx)
	set(isRunning, truth(err == nil))
	if err != nil {
		return
	}
	set(buildInfo, 1, c.version, s.LibvirtLibrary)
	set(started, float64(s.Started.UnixMilli())/1000)
	up := map[string]int{}
	for i := range s.Connections {
		collectConnection(set, &s.Connections[i])
		up[s.Connections[i].NetworksKnownBy] = 0
	}
	set(planned, float64(s.Queues.CallsPlanned))
	set(held, float64(s.Queues.CallsHeld))
	set(running, float64(len(s.Running)))
	since := 0.0
	if len(s.Running) > 0 {
		since = max(0, s.Now.Sub(s.Running[0].Since)).Seconds()
	}
	set(longest, since)
	set(inexact, float64(s.Calls.Inexact))

	for i := range s.Networks {
		n := &s.Networks[i]
		if n.Up {
			up[n.Connection]++
		}
		in, out := 0, 0
		for j := range n.Interfaces {
			if n.Interfaces[j].Refused {
				out++
			} else {
				in++
			}
		}
		set(plugged, float64(in), n.Connection, n.Name)
		set(refused, float64(out), n.Connection, n.Name)
	}
	for conn, n := range up {
		set(networks, float64(n), conn)
	}
	collectCounts(set, &s)
}

func collectConnection(set func(metric, float64, ...string), conn *agent.ConnectionStatus) {
	set(connected, truth(conn.Connected), conn.URI)
	set(ready, truth(conn.Ready), conn.URI)
	set(reconnects, float64(conn.Reconnects), conn.URI)
	set(hints, float64(conn.HintsWaiting), conn.URI, "memory")
	set(hints, float64(conn.HintsSpilled), conn.URI, "store")
	set(dropped, float64(conn.HintsDropped), conn.URI)
	set(overflows, float64(conn.Overflows), conn.URI)
	set(unseen, float64(conn.GuestsUnseen), conn.URI)
	for _, o := range conn.Ops {
		set(operations, 1, conn.URI, string(o.Op), string(o.State))
	}
}

func collectCounts(set func(metric, float64, ...string), s *agent.Status) {
	for _, kind := range []translate.UndoKind{translate.UndoNetwork, translate.UndoDomain, translate.UndoPlug, translate.UndoUpdate} {
		set(undos, float64(s.Undo.Done[kind]), string(kind), string(translate.UndoDone))
		set(undos, float64(s.Undo.Failed[kind]), string(kind), string(translate.UndoFailed))
	}
	set(undos, float64(s.Undo.NotDone), "any", string(translate.UndoNotDone))
	for _, reason := range agent.Comparisons() {
		set(reconciles, float64(s.Reconciles.Made[reason]), string(reason))
	}
	for _, op := range translate.AllOps() {
		set(found, float64(s.Reconciles.Found[op]), string(op))
	}
	set(gateAsked, float64(s.Gate.Asked))
	set(gateRefused, float64(s.Gate.Refused))
	set(gateUnasked, float64(s.Gate.Unasked))
	set(gatePassed, float64(s.Gate.Passed))
	set(unwritten, float64(s.History.Dropped))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
