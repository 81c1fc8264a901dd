// Package farm gives the benchmark guests and networks by the thousand: those of
// libvirt's test driver behind a host's real libvirtd (package testhost), made and
// driven through libvirt's binding.
//
// The benchmark itself does not import the binding; what it needs of it has its
// name here. A farm belongs to a test: errors fail it, and everything goes with it.
package farm
