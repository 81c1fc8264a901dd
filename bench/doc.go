// Package bench measures hookbridge against the floor, what the machine needs at
// least for the same work, and against its peers, what an administrator would
// write instead.
//
// Each measure is a file with one subject. It gives figures, and each figure is a
// ratio: hookbridge and its counterpart run alternately, round by round, in the
// same call, so what else the machine does meets both. A figure carries median,
// 99th percentile and number of samples of both sides, its goal, and whether the
// goal is met. A goal that is not met is a result, not a failed test; a measure
// fails only when it cannot be taken.
//
// What is measured is the built binary in a process of its own, with the defaults
// of its command line. Its state directory is on a tmpfs, as /run is. Guests by
// the thousand are those of libvirt's test driver behind a real libvirtd; see
// package testhost.
//
// The measures have the build tag bench, need root, and want a machine that does
// nothing else: make bench.
package bench
