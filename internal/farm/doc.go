// Package farm gives the benchmark, and tests with storms, guests and networks by the
// thousand: those of libvirt's test driver behind a host's real libvirtd (package
// testhost), made and driven through libvirt's binding; and a hook script that accounts
// for every call.
//
// Its users do not import the binding; what they need of it has its name here. A farm
// belongs to a test: errors fail it, and everything goes with it.
package farm
