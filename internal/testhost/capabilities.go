package testhost

import (
	"os"
	"path/filepath"
)

// libvirtd starts each QEMU binary to ask what it can do, and keeps the answers
// in a directory; it checks itself whether they still hold. Hosts hand them on,
// which makes the first guest of a host start in half the time.

// loadCapabilities fills a new host's directory from the cache.
func loadCapabilities(dir string) error {
	if err := mkdirs(dir); err != nil {
		return err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil //nolint:nilerr // slower, not worse
	}
	copyMissing(filepath.Join(cache, "qemu-capabilities"), dir)
	return nil
}

// saveCapabilities keeps a host's answers for the next one.
func saveCapabilities(dir string) {
	cache, err := cacheDir()
	if err != nil {
		return
	}
	kept := filepath.Join(cache, "qemu-capabilities")
	if mkdirs(kept) == nil {
		copyMissing(dir, kept)
	}
}

// copyMissing copies the files that are not there or differ, each as a whole.
// It is an optimisation: what fails is left out.
func copyMissing(from, to string) {
	entries, _ := os.ReadDir(from)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil || filepath.Ext(e.Name()) != ".xml" {
			continue
		}
		target := filepath.Join(to, e.Name())
		if old, err := os.ReadFile(target); err == nil && string(old) == string(content) {
			continue
		}
		tmp, err := os.CreateTemp(to, ".new-")
		if err != nil {
			continue
		}
		_, err = tmp.Write(content)
		if cerr := tmp.Close(); err == nil && cerr == nil && os.Rename(tmp.Name(), target) == nil {
			continue
		}
		os.Remove(tmp.Name())
	}
}
