// Package e2e holds the end-to-end tests: the hookbridge binary beside a real
// libvirtd, whose own network hook is the oracle.
//
// Each test has a private host (package testhost) where libvirt 9.0 calls its
// native hook, and hookbridge calls a hook of its own. Both write down every
// call, and the test compares. Where libvirt 9.0 says port-created and
// port-deleted, libvirt 1.2.2 said plugged and unplugged; see [compare].
//
// The steady test holds hookbridge against the test driver, and against itself. Tests
// of the gate, of undoing, of the commands, of the examples and of the README's
// sessions look at what becomes of the host instead.
//
// The tests have the build tag e2e and need root.
package e2e
