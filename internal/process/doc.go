// Package process tells one process from another, and one boot from another, by what
// the kernel says of them.
package process
