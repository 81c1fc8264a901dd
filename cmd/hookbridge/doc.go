// Command hookbridge replays libvirt's network hook beside libvirtds that do not
// run it, or not any more in the form of libvirt 1.2.2.
package main
