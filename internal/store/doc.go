// Package store keeps what an agent must not forget when it is killed: what has
// been announced to the hook script, with the last live documents, and the calls
// that are planned.
//
// Its lifetime is the boot, since nothing of it is true after one: a store of
// another boot is dropped when it is opened. It lies below /run, which is memory,
// so nothing is synced to a disk; the page cache survives kill -9, and that is
// what it is for. One agent at a time has it open.
//
// Changes are committed in batches: who makes one gets a [Ticket], and hears by it when
// the change is kept. What must not happen before, such as the call that was planned,
// waits for that; nobody else does. The end of a call must be kept before the next call of
// its chain, and is noted in a file beside the database until the next transaction: see
// [Store.End].
//
// Values are the caller's: the package knows keys and bytes.
package store
