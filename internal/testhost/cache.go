package testhost

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// cacheDir returns a directory for what is costly to make and the same for all
// hosts. HOOKBRIDGE_TEST_CACHE names it; the default is in the user's cache.
func cacheDir() (string, error) {
	dir := os.Getenv("HOOKBRIDGE_TEST_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(base, "hookbridge-test")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// lockCache takes a lock among all test processes of the user and returns what
// gives it back; the end of the process does so, too.
func lockCache(name string) (unlock func(), err error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
