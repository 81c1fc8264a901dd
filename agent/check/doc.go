// Package check tells whether hookbridge would work on this host, and if not,
// why, and which command mends it.
//
// [Run] goes through everything that stops such an agent in practice: libvirt's
// client library, libvirtd, what hooks it runs itself, the hook directory and
// each script in it, the gate, the store, the clock, free space, the systemd unit
// and the agent. Each is told of in one or more findings.
//
// # Contracts
//
// Nothing is changed on the host: no file is made, no script is run, no store is
// opened for writing, no daemon is started or signalled.
//
// It ends in seconds, whatever hangs: libvirt is asked by a process of its own,
// which is killed when its time is over, and every other wait has a limit.
//
// The identifiers of findings, the levels and the names in JSON are stable; the
// texts are for people and may change.
//
// A remedy is a command for root's shell wherever one command mends the matter.
// Running it makes the finding go away, or the next cause appear.
package check
