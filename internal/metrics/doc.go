// Package metrics makes of an agent what Prometheus can fetch.
//
// What can be counted at any time comes from the agent's status when it is asked for;
// how long scripts take is learnt from each call as it ends ([Metrics.Called], for
// [agent.Agent.Observe]).
//
// # Contracts
//
// No label has more values than there are operations, results, connections or networks:
// no guest, no MAC address, no script. Counters begin with 0 when the agent is started.
// A name that was published keeps its meaning. A status that cannot be had is told by
// hookbridge_running being 0, and hides what would come from it.
//
// Every metric is used by the dashboard or the alerts in packaging/monitoring, or is
// listed in the test as one that is not; a name used there exists.
package metrics
