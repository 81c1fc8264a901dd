// Package ask is the shim's side of the gate: it hands one call of a guest hook
// to the agent and tells libvirtd the answer.
//
// It is kept apart, and from packages net and net/http in particular, so that it
// can run before libvirt's library is loaded; see package early.
package ask
