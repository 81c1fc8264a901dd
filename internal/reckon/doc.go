// Package reckon holds the calls that libvirt's own network hook got against
// those that hookbridge made, over a stretch of time in which either was down now
// and then.
//
// While hookbridge watches, every call must have its counterpart. What happened
// while it did not watch it finds out afterwards, by comparing: then the calls
// must be those of the difference between before and after, and what began and
// ended in between may be missing, only as a whole. Anything else that differs has
// a name in [Result].Allowed, or is an error.
//
// The package is pure: tests feed it logs.
package reckon
