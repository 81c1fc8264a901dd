// Package translate says which network hook calls libvirt 1.2.2 would have
// made, given what has been announced to the hook so far and what a libvirtd
// shows now.
//
// It is pure: no I/O, no clock, no goroutine, no cgo, no logging, and no
// libvirt binding. Everything it needs arrives as values, everything it finds
// out leaves as values, and equal input gives equal output. That is what makes
// the hook's semantics testable against recordings of real libvirtds.
//
// The package has two sides.
//
// # What happened
//
// A [Network] or [Domain] is the record of what the hook script has been told
// about one object. [Network.Look] and [Domain.Look] compare such a record with
// an observation ([NetworkSeen], [DomainSeen]) and return the next record and
// the ordered hook calls that lead from one to the other. They are level
// triggered: an event, a file that changed and a periodic reconcile all end in
// the same comparison, so there is one place that knows the native order.
// A nil record means "never announced"; a nil result means "nothing left to
// remember".
//
// A [Call] is complete: the operation, what it is about, and the documents.
// Calls returned together form a chain: they are to be made in that order, and
// none before its predecessor has ended.
//
// [PlugCount] knows what libvirt's counter of plugged interfaces would show at a
// call, which the documents, read afterwards, do not tell.
//
// [Ops] says which of the calls are hookbridge's to make at all.
//
// # What the script reads
//
// [HookData] writes the document on the script's stdin from the texts that
// libvirt printed. Those texts are never decoded and encoded again: interfaces
// are cut out of the domain by position ([Interfaces]), lines are indented only
// where libvirt's own formatter starts a line, and the value of `connections`
// is the only one that is ever edited ([WithConnections]). libvirtxml serves to
// marshal the few documents that hookbridge has to author itself.
//
// # Errors
//
// A document that cannot be read never stops a call. What could be read is
// used, and the error is returned beside it for the caller to log and count.
package translate
