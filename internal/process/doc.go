// Package process tells one process from another by what the kernel says of it.
package process
