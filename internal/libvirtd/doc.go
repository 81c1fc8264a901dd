// Package libvirtd finds out what this host shows of its libvirtd without asking it:
// the process, the files that it has mapped and the hooks that are in them, its
// sockets, the directories where it keeps status files, and which connection URIs lead
// to it.
//
// All of it is read from /proc and from files. Nothing here connects, waits, changes
// anything or needs libvirt's client library, so it answers while libvirtd hangs, and
// the gate may use it while libvirtd holds locks. What is read is judged by package
// translate; whether an answer is news is the caller's affair.
//
// A process that ends while it is looked at is as good as none. What takes root to read
// is an error for anybody else, never a guess.
package libvirtd
