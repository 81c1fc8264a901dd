// Package api is the agent's door: HTTP with JSON on a unix socket, and the client
// that the commands use.
//
//	GET  /v1/status         an [agent.Status]
//	GET  /v1/history        runs of scripts, a [history.Entry] a line, oldest first
//	POST /v1/fire           an [agent.FireRequest]; answers with an [agent.FireReport]
//	POST /v1/network/start  a [NetworkStart]; answers with {}
//	POST /v1/gate           an [agent.GateCall]; answers with an [agent.GateAnswer]
//	GET  /healthz           200 while the agent runs, else 503
//	GET  /metrics           for Prometheus
//
// /v1/history takes network, domain (name or UUID), op, failed (true or false), since
// (RFC 3339), limit (the last so many) and follow (true or false: go on with each run as
// it ends, until the client or the agent goes).
//
// What cannot be answered has a status of 400 or more and the body {"error": "…"}. An
// example:
//
//	curl --unix-socket /run/hookbridge/hookbridge.sock http://localhost/v1/status
//
// # Contracts
//
// The socket can be reached by nobody else at any moment: it has mode 0600 before it
// has its name. Who connects is asked for as well: only root, or the user that the
// agent runs as, is served. A socket that somebody answers on is not taken over, and
// only the own one is removed at the end.
//
// Headers, bodies and the time that a client takes to send them are bounded. A client
// that goes away ends what was done for it, as far as it can be ended.
//
// /v1/gate accepts at once: it has read the call when the response's header is sent, and
// only then begins to think. libvirtd waits at the other end, so no other request can
// hold it up.
//
// Every goroutine belongs to [Server.Serve].
package api
