// Package gate puts the shim into libvirt's guest hooks, and takes it out again.
//
// libvirtd calls HOOK_DIR/qemu and HOOK_DIR/lxc synchronously, and obeys their
// exit status when a guest is about to start. The shim is such a script; it runs
// the one that was there before, then hands the call to the agent, by "hookbridge gate
// run" (package ask, which package early starts before the libvirt binding is loaded).
// Where the binary is missing it passes everything through by itself.
//
// Three things must never happen: that an administrator's script is lost, that
// the hook's path is missing for a moment, and that it is missing while a libvirtd
// runs that has seen it. The last is since libvirt looks for hooks only at its
// start and on SIGHUP, and up to 6.4 fails every call of one that has gone
// (virHookCall in src/util/virhook.c).
package gate
