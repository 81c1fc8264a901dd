package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"hookbridge/exec"
)

// hookName is the hook whose scripts are called.
const hookName = "network"

// checkHookDir tells whether the hook directory is there and safe.
func checkHookDir(dir string) []Finding {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{warning(HookDir, dir, dir+" does not exist: there is no script to call yet", "install -d -m 0755 "+word(dir))}
	case errors.Is(err, syscall.EACCES):
		return []Finding{problem(HookDir, dir, dir+" cannot be looked into: permission denied", "sudo hookbridge check")}
	case err != nil:
		return []Finding{problem(HookDir, dir, fmt.Sprintf("%s cannot be looked into: %v", dir, err), "ls -ld "+word(dir))}
	case !info.IsDir():
		return []Finding{problem(HookDir, dir, dir+" is not a directory", fmt.Sprintf("mv %s %s && install -d -m 0755 %[1]s", word(dir), word(dir+".old")))}
	}
	if err := exec.Trust(dir); err != nil {
		return []Finding{untrusted(HookDir, dir, err)}
	}
	return []Finding{ok(HookDir, dir, fmt.Sprintf("%s: mode %04o, only root can change it", dir, info.Mode().Perm()))}
}

// untrusted makes a finding of an error of package exec.
func untrusted(id ID, path string, err error) Finding {
	var e *exec.RunError
	if !errors.As(err, &e) {
		return problem(id, path, fmt.Sprintf("%s: %v", path, err), "ls -ld "+word(path))
	}
	remedy := e.Remedy
	if remedy == "" {
		remedy = "ls -ld " + word(path)
	}
	return problem(id, path, path+": "+strings.TrimPrefix(e.Reason, "it "), remedy)
}

// otherPlaces are where network scripts are found that nobody calls: the hook
// directories of other builds of libvirt, and names that come near.
func otherPlaces(dir string, builtIn []string) []string {
	places := slices.Clone(builtIn)
	places = append(places, exec.DefaultDir, "/usr/local/etc/libvirt/hooks", "/etc/libvirt/hook", "/etc/libvirt")
	var scripts []string
	for _, p := range places {
		if path := filepath.Join(p, hookName); !sameFile(p, dir) && !slices.Contains(scripts, path) {
			scripts = append(scripts, path)
		}
	}
	for _, name := range []string{"networks", "network.sh", "network.py", "Network", "network.d.d"} {
		scripts = append(scripts, filepath.Join(dir, name))
	}
	return scripts
}

// checkPlaces tells of network scripts that lie elsewhere while the hook
// directory has none, and of what a package manager has put aside.
func checkPlaces(dir string, builtIn []string) []Finding {
	if _, err := os.Stat(filepath.Join(dir, hookName)); err == nil {
		return nil
	}
	if there, _, err := (&exec.Hooks{Dir: dir, Name: hookName}).Scripts(); err != nil || len(there) > 0 {
		return nil
	}
	main := filepath.Join(dir, hookName)
	var all []Finding
	for _, path := range otherPlaces(dir, builtIn) {
		if isFile(path) {
			all = append(all, warning(ScriptPlace, path, fmt.Sprintf("%s is not called: hookbridge looks for %s", path, main),
				fmt.Sprintf("cp -p %s %s", word(path), word(main))))
		}
	}
	for _, suffix := range []string{".rpmsave", ".dpkg-old", ".dpkg-bak", ".bak", ".orig", "~"} {
		if path := main + suffix; isFile(path) {
			all = append(all, warning(ScriptSkipped, path, fmt.Sprintf("%s was put aside, and there is no %s", path, main),
				fmt.Sprintf("mv %s %s", word(path), word(main))))
		}
	}
	return all
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
