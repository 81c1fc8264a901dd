// Package demo gives a tour of hookbridge that needs nothing set up: libvirt's
// test driver, which lives inside the client library, plays the libvirtd, and
// the real agent watches it and runs a real script.
//
// What the script was given is compared with what libvirt 1.2.2 would have
// given it. The test driver has no hot-plug before libvirt 9.6 and keeps no
// counters; the tour says so.
package demo
