// Package testhost gives a test a private host: a real libvirtd with its own
// mounts, network, process ids, IPC and host name, started and ended by the
// test, with nothing of the machine's own libvirt, network or files touched.
//
// A [Host] consists of
//
//   - an init process, the test binary itself started again, that owns the
//     namespaces, mounts private directories over everything libvirt writes
//     to, and takes the whole host down when the test process is gone, however
//     that happened;
//   - libvirtd, which can be stopped, killed and started again while guests
//     keep running;
//   - the native oracle: recorders in the place of libvirt's own hook scripts,
//     whose [Log] says what libvirtd itself called, with every byte of stdin.
//
// It needs root, a libvirtd with its QEMU driver, dnsmasq and iptables on the
// machine, and a kernel with overlayfs. Hosts can run side by side.
//
// Importing the package makes the importing binary able to serve as that init
// process: a binary called with the reserved argument zero never reaches main.
package testhost
