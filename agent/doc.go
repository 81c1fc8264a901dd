// Package agent watches libvirtd and replays its network hook.
//
// Of the program it alone talks to libvirt, through the binding and package
// internal/eventloop. Data flows one way:
//
//	libvirt → watcher → ledger → dispatcher → exec
//	                      ↕
//	                  translate
//
// A watcher ([Config.Connect] has one URI for each) owns one connection. It
// registers for events, lists what is there, and turns everything that it hears
// into a hint: "look at this network", "look at that domain". A hint is never
// believed: the watcher reads the object from libvirt and hands what it saw to
// the ledger. The ledger holds what has been announced to the script, asks
// package translate which calls lead from there to what is seen now, and
// submits them to the dispatcher. The dispatcher keeps two orders at once, one
// call at a time for a network and one for a guest, and runs the scripts
// through package exec.
//
// A script that refuses a change has the consequences that it has natively, as
// far as they can be had after the fact: the change is undone. What that means is
// decided by translate and carried out here, once, if nothing has changed since.
//
// [Agent.Gate] answers libvirtd's own guest hooks, and [Agent.StartNetwork] starts a
// network: there the script's word comes first, and nothing has to be undone.
//
// [Agent.Status], [Agent.History] and [Agent.Fire] are for people; what they tell of
// calls that were made is package book's. [Agent.Reload] takes
// over a changed configuration while the agent runs.
//
// # Contracts
//
// Callbacks run on libvirt's event loop. They put names, numbers and a reference into a
// hint, recover from panics and return: a slow script or a slow libvirtd never
// delays keepalive.
//
// What was announced and the calls that are planned are kept in one transaction
// before the first of them is made: an agent that is killed at any instant goes on
// where it was, and makes a call that had not ended again.
//
// Of each connection to libvirtd one request is under way at a time: its own client
// library does not survive a libvirtd that hangs while there are more. Undos and
// requests of people have connections of their own, unless it is libvirt's test driver
// in this process.
//
// A watcher survives its libvirtd. An unreachable one is tried again with
// backoff; a feature that the daemon or the client library lacks is done
// without. Nothing but a cancelled context ends [Agent.Run].
//
// The gate never calls libvirt, nor waits for anything that does: libvirtd holds locks
// while it asks. It works from the document that it is given, from the ledger, and from
// libvirtd's files.
//
// A call that is made by hand changes nothing of what is announced.
//
// Every goroutine belongs to [Agent.Run] and has ended when it returns.
package agent
