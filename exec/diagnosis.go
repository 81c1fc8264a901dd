package exec

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Inspect tells without running it whether the script at path would be started:
// whether it is safe, and whether the kernel would find what it needs. It cannot
// foresee everything (a security module's denial, for one). The error is nil or a
// [*RunError].
func Inspect(path string) error {
	if err := Trust(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return lookupFailure(path, err)
	}
	if !info.Mode().IsRegular() {
		return &RunError{Path: path, Kind: NotStarted, Reason: "it is not a regular file", Err: syscall.EACCES}
	}
	for _, find := range []func(string) *RunError{whyDenied, whyMissing, whyNoFormat} {
		if e := find(path); e != nil {
			return e
		}
	}
	if lineEndsInCR(path) {
		return &RunError{Path: path, Kind: NotStarted, Reason: crReason, Remedy: crRemedy(path), Err: syscall.ENOENT}
	}
	return nil
}

// startFailure names the cause of a failed execve, which the errno alone does not.
func startFailure(path string, err error) *RunError {
	var found *RunError
	switch {
	case errors.Is(err, syscall.ENOENT):
		found = whyMissing(path)
	case errors.Is(err, syscall.EACCES):
		if found = whyDenied(path); found == nil {
			found = &RunError{
				Reason: "the kernel denies it, though the mode allows it: probably SELinux or AppArmor",
				Remedy: "restorecon -v " + Quote(path) + ", or see: journalctl -k --grep 'avc|apparmor'",
			}
		}
	case errors.Is(err, syscall.ENOEXEC):
		if found = whyNoFormat(path); found == nil {
			found = foreign(path)
		}
	case errors.Is(err, syscall.ETXTBSY):
		found = &RunError{
			Reason: fmt.Sprintf("still open for writing somewhere after %s of retrying", busyTotal),
			Remedy: "end the process that writes it, shown by: fuser -v " + Quote(path),
		}
	case errors.Is(err, syscall.E2BIG):
		found = &RunError{Reason: "its arguments and environment are too long for the kernel"}
	case errors.Is(err, syscall.ELOOP):
		found = &RunError{Reason: "too many scripts are each other's interpreter", Remedy: "correct the first line of " + Quote(path)}
	}
	if found == nil {
		found = &RunError{Reason: err.Error()}
	}
	found.Path, found.Kind, found.Err = path, NotStarted, err
	return found
}

const crReason = "its first line ends in CR LF (DOS line ends), and the CR is taken as a part of it"

func crRemedy(path string) string { return `sed -i 's/\r$//' ` + Quote(path) }

// hint says what is wrong with a script that started and failed, if it can be seen in
// its first line: with "#!/usr/bin/env bash\r" and "#!/bin/sh -e\r" it is the
// interpreter that starts and then complains.
func hint(path string) string {
	if lineEndsInCR(path) {
		return crReason + "; remedy: " + crRemedy(path)
	}
	return ""
}

// whyMissing explains ENOENT from execve. It returns nil if nothing is missing.
func whyMissing(path string) *RunError {
	missing := func(reason, remedy string) *RunError {
		return &RunError{Path: path, Kind: NotStarted, Reason: reason, Remedy: remedy, Err: syscall.ENOENT}
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return missing("it does not exist any more", "")
	}
	interpreter := interpreterOf(path)
	if interpreter == "" {
		if loader := missingLoader(path); loader != "" {
			return missing("the loader that it was linked for is missing: "+show(loader),
				"install a build for this system, or the package that brings "+Quote(loader))
		}
		return nil
	}
	if _, err := os.Stat(interpreter); errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		if strings.HasSuffix(interpreter, "\r") {
			return missing(crReason, crRemedy(path))
		}
		return missing("the interpreter in its first line is missing: "+show(interpreter),
			"install it, or correct the first line of "+Quote(path))
	}
	if loader := missingLoader(interpreter); loader != "" {
		return missing(fmt.Sprintf("its interpreter %s needs the missing loader %s", show(interpreter), show(loader)),
			"install "+Quote(interpreter)+" anew")
	}
	return nil
}

// whyDenied explains EACCES from execve. It returns nil if modes and mounts allow it.
func whyDenied(path string) *RunError {
	denied := func(reason, remedy string) *RunError {
		return &RunError{Path: path, Kind: NotStarted, Reason: reason, Remedy: remedy, Err: syscall.EACCES}
	}
	what := "it"
	for _, file := range []string{path, interpreterOf(path)} {
		if file == "" {
			break
		}
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return nil //nolint:nilerr // why a file cannot be looked at does not explain why it could not be run
		case info.Mode().IsRegular() && info.Mode().Perm()&0o111 == 0:
			return denied(what+" is not executable", "chmod a+x "+Quote(file))
		case !info.Mode().IsRegular():
			return denied(what+" is not a regular file", "correct the first line of "+Quote(path))
		}
		if mount := noexecMount(file); mount != "" {
			return denied(fmt.Sprintf("%s lies on %s, which is mounted noexec", what, show(mount)),
				"mount -o remount,exec "+Quote(mount))
		}
		if unix.Access(file, unix.X_OK) == unix.EACCES {
			return denied(what+" may not be executed by this user", "chmod a+x "+Quote(file))
		}
		what = "its interpreter " + show(interpreterOf(path))
	}
	return nil
}

// whyNoFormat explains ENOEXEC from execve. It returns nil for a #! script and for
// any program file: which of those a host can run is known to its kernel only.
func whyNoFormat(path string) *RunError {
	broken := func(reason, remedy string) *RunError {
		return &RunError{Path: path, Kind: NotStarted, Reason: reason, Remedy: remedy, Err: syscall.ENOEXEC}
	}
	head := headOf(path)
	switch {
	case len(head) == 0:
		return broken("it is empty", "write a script there, or: rm "+Quote(path))
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf#!")):
		return broken("a byte order mark stands before its #! line", `sed -i '1s/^\xef\xbb\xbf//' `+Quote(path))
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return nil
	case !bytes.HasPrefix(head, []byte("#!")):
		return broken("it has no #! line, so the kernel does not know its interpreter", "sed -i '1i #!/bin/sh' "+Quote(path))
	case interpreterOf(path) == "":
		return broken("its #! line names no interpreter", "sed -i '1s|.*|#!/bin/sh|' "+Quote(path))
	}
	return nil
}

// foreign explains ENOEXEC for what is neither empty nor without a #! line.
func foreign(path string) *RunError {
	e := &RunError{Reason: "the kernel cannot run it", Remedy: "install a build for this system"}
	if !bytes.HasPrefix(headOf(path), []byte(elf.ELFMAG)) {
		e.Reason, e.Remedy = "the kernel cannot run its interpreter", "correct the first line of "+Quote(path)
		return e
	}
	program, err := elf.Open(path)
	if err != nil {
		e.Reason = "it is a damaged program (ELF) file"
		return e
	}
	defer program.Close()
	e.Reason = fmt.Sprintf("it is a program for another system (%s, %s)", program.Machine, program.Class)
	return e
}

// headOf reads as much of a file as the kernel looks at for the #! line.
func headOf(path string) []byte {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // should it be a fifo
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, 256) // BINPRM_BUF_SIZE; 128 before Linux 5.1
	n, _ := io.ReadFull(f, head)
	return head[:n]
}

// interpreterOf gives the interpreter in the #! line as the kernel reads it, empty if
// there is none.
func interpreterOf(path string) string {
	line, ok := bytes.CutPrefix(headOf(path), []byte("#!"))
	if !ok {
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	line = bytes.Trim(line, " \t")
	if i := bytes.IndexAny(line, " \t\x00"); i >= 0 {
		line = line[:i]
	}
	interpreter := string(line)
	if interpreter != "" && !filepath.IsAbs(interpreter) {
		interpreter = "/" + interpreter // the working directory
	}
	return interpreter
}

func lineEndsInCR(path string) bool {
	line, _, complete := bytes.Cut(headOf(path), []byte("\n"))
	return complete && bytes.HasPrefix(line, []byte("#!")) && bytes.HasSuffix(line, []byte("\r"))
}

// missingLoader gives the dynamic loader that a program asks for, if it is missing.
func missingLoader(path string) string {
	program, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer program.Close()
	for _, segment := range program.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		name, _ := io.ReadAll(io.LimitReader(segment.Open(), 4096))
		loader := string(bytes.TrimRight(name, "\x00"))
		if _, err := os.Stat(loader); errors.Is(err, os.ErrNotExist) {
			return loader
		}
	}
	return ""
}

// noexecMount gives the mount point that forbids to execute the file, empty if none
// does.
func noexecMount(path string) string {
	noexec := func(path string) bool {
		var fs unix.Statfs_t
		return unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
	}
	at, err := filepath.EvalSymlinks(path)
	if err != nil || !noexec(at) {
		return ""
	}
	// The uppermost directory from here on with the same device and the same flag.
	var st, up unix.Stat_t
	if unix.Stat(at, &st) != nil {
		return at
	}
	for at != "/" {
		parent := filepath.Dir(at)
		if unix.Stat(parent, &up) != nil || up.Dev != st.Dev || !noexec(parent) {
			break
		}
		at = parent
	}
	return at
}
