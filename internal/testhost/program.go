package testhost

import (
	"os"
	"syscall"
)

// WriteProgram writes a file that can be executed at once. As long as anybody has a
// file open for writing the kernel does not execute it (ETXTBSY), and a process that is
// forked here meanwhile would have it open until its own exec: nothing is forked
// meanwhile.
func WriteProgram(path string, content []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, content, mode); err != nil {
		return err
	}
	// os.WriteFile applies the umask and keeps the mode of an existing file.
	return os.Chmod(path, mode)
}
