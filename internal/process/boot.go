package process

import (
	"fmt"
	"os"
	"strings"
)

// Boot returns the name of the current boot, which the kernel makes anew each time.
func Boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("the kernel does not tell which boot this is: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}
