// Package early answers "hookbridge gate run" before the rest of the program is
// initialised.
//
// The libvirt binding loads libvirt.so.0, with some fifty libraries behind it,
// in its own init function: 15 to 25 ms in every start of the binary, whether
// libvirt is used or not. The shim runs the binary in every guest start, while
// libvirtd waits.
//
// Go initialises packages in the order of their import paths, each as soon as
// those it imports are (Go 1.21 and later, by the language's specification). So
// this package, and everything it imports, is initialised before
// libvirt.org/go/libvirt, as long as nothing it imports needs a package whose
// path comes later: net and path/filepath are such. A test of the command watches
// over that.
//
// Importing the package makes the importing binary answer to "gate run" as its
// first two arguments: such a call never reaches main.
package early
