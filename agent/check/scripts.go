package check

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"hookbridge/exec"
)

// checkScripts tells of each script of the hook whether it would run. scripts are
// those that are there, whether they would or not.
func checkScripts(dir string) (scripts []string, found []Finding) {
	scripts, skipped, err := (&exec.Hooks{Dir: dir, Name: hookName}).Scripts()
	if err != nil {
		return nil, []Finding{untrusted(Script, dir, err)}
	}
	for _, path := range scripts {
		if err := exec.Inspect(path); err != nil {
			found = append(found, wouldNotRun(path, err))
			continue
		}
		found = append(found, ok(Script, path, describe(path)))
	}
	main := filepath.Join(dir, hookName)
	for _, s := range skipped {
		found = append(found, skippedScript(s, s.Path == main))
	}
	if len(found) == 0 {
		found = append(found, warning(Script, main, "there is no script: calls are counted, and nothing runs",
			fmt.Sprintf("Write one to %s, mode 0755; the manual has an example.", main)))
	}
	return scripts, found
}

// describe says what kind of script would run.
func describe(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	text := fmt.Sprintf("%s: mode %04o, only root can change it", path, info.Mode().Perm())
	if f, err := os.Open(path); err == nil {
		defer f.Close()
		line, _ := bufio.NewReader(f).ReadString('\n')
		if interpreter, found := strings.CutPrefix(strings.TrimSpace(line), "#!"); found {
			text += ", run by " + strings.TrimSpace(interpreter)
		}
	}
	return text
}

// wouldNotRun sorts what package exec has against a script.
func wouldNotRun(path string, err error) Finding {
	var e *exec.RunError
	if !errors.As(err, &e) {
		return untrusted(Script, path, err)
	}
	id := Script
	switch {
	case e.Kind == exec.Refused && strings.HasPrefix(e.Remedy, "chown "):
		id = ScriptOwner
	case e.Kind == exec.Refused:
		id = ScriptMode
	case strings.Contains(e.Reason, "CR LF"):
		id = ScriptCRLF
	case strings.Contains(e.Reason, "mounted noexec"):
		id = ScriptNoexec
	case errors.Is(e.Err, syscall.EACCES):
		id = ScriptMode
	case errors.Is(e.Err, syscall.ENOEXEC), errors.Is(e.Err, syscall.ENOENT):
		id = ScriptShebang
	}
	f := untrusted(id, path, e)
	if id == ScriptShebang && !strings.HasPrefix(f.Remedy, "sed ") && f.Remedy != "" {
		f.Remedy = strings.ToUpper(f.Remedy[:1]) + f.Remedy[1:] + "."
	}
	return f
}

// skippedScript tells of a file that looks like a script and is not run.
func skippedScript(s exec.Finding, main bool) Finding {
	switch s.Kind {
	case exec.NonExecutable:
		f := warning(ScriptMode, s.Path, s.Path+" is not executable: neither libvirtd nor hookbridge runs it", s.Remedy)
		if main {
			f.Level = Problem
		}
		return f
	case exec.Leftover:
		return warning(ScriptSkipped, s.Path, s.Path+" is skipped, as a leftover of an editor or package manager; libvirtd would run it", "chmod a-x "+word(s.Path))
	case exec.Dangling:
		target, _ := os.Readlink(s.Path)
		return problem(Script, s.Path, fmt.Sprintf("%s is a symbolic link to nothing: %s", s.Path, target), "rm "+word(s.Path))
	}
	return problem(Script, s.Path, s.Path+" is not a regular file", fmt.Sprintf("mv %s %s", word(s.Path), word(s.Path+".old")))
}
