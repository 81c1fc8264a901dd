package exec

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// programFor is the head of an ELF program that asks for a loader.
func programFor(machine elf.Machine, loader string) string {
	var b bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64,
		Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	binary.Write(&b, binary.LittleEndian, header)
	binary.Write(&b, binary.LittleEndian, elf.Prog64{
		Type: uint32(elf.PT_INTERP), Flags: uint32(elf.PF_R), Off: 120, Filesz: uint64(len(loader) + 1), Memsz: uint64(len(loader) + 1),
	})
	b.WriteString(loader + "\x00")
	return b.String()
}

func TestStartFailures(t *testing.T) {
	// DIR stands for the hook directory, in the content too.
	tests := []struct {
		name    string
		content string
		prepare func(t *testing.T, dir string)
		errno   syscall.Errno
		reason  string
		remedy  string
	}{
		{
			name: "no shebang", content: "echo hello\n", errno: syscall.ENOEXEC,
			reason: "it has no #! line, so the kernel does not know its interpreter",
			remedy: "sed -i '1i #!/bin/sh' DIR/network",
		},
		{
			name: "empty", content: "", errno: syscall.ENOEXEC,
			reason: "it is empty", remedy: "write a script there, or: rm DIR/network",
		},
		{
			name: "byte order mark", content: "\xef\xbb\xbf#!/bin/sh\n", errno: syscall.ENOEXEC,
			reason: "a byte order mark stands before its #! line",
			remedy: `sed -i '1s/^\xef\xbb\xbf//' DIR/network`,
		},
		{
			name: "shebang without interpreter", content: "#! \n", errno: syscall.ENOEXEC,
			reason: "its #! line names no interpreter",
			remedy: "sed -i '1s|.*|#!/bin/sh|' DIR/network",
		},
		{
			name: "missing interpreter", content: "#! /nowhere/python -u\n", errno: syscall.ENOENT,
			reason: "the interpreter in its first line is missing: /nowhere/python",
			remedy: "install it, or correct the first line of DIR/network",
		},
		{
			name: "relative interpreter", content: "#!nowhere/sh\n", errno: syscall.ENOENT,
			reason: "the interpreter in its first line is missing: /nowhere/sh",
			remedy: "install it, or correct the first line of DIR/network",
		},
		{
			name: "CR LF", content: "#!/bin/sh\r\nexit 0\r\n", errno: syscall.ENOENT,
			reason: crReason, remedy: `sed -i 's/\r$//' DIR/network`,
		},
		{
			name: "interpreter not executable", content: "#!DIR/sh\n", errno: syscall.EACCES,
			prepare: func(t *testing.T, dir string) { write(t, dir+"/sh", "", 0o644) },
			reason:  "its interpreter DIR/sh is not executable", remedy: "chmod a+x DIR/sh",
		},
		{
			name: "interpreter is a directory", content: "#!DIR\n", errno: syscall.EACCES,
			reason: "its interpreter DIR is not a regular file", remedy: "correct the first line of DIR/network",
		},
		{
			name: "missing loader", content: programFor(elf.EM_X86_64, "/nowhere/ld.so"), errno: syscall.ENOENT,
			reason: "the loader that it was linked for is missing: /nowhere/ld.so",
			remedy: "install a build for this system, or the package that brings /nowhere/ld.so",
		},
		{
			name: "interpreter with missing loader", content: "#!DIR/sh\n", errno: syscall.ENOENT,
			prepare: func(t *testing.T, dir string) {
				write(t, dir+"/sh", programFor(elf.EM_X86_64, "/nowhere/ld.so"), 0o755)
			},
			reason: "its interpreter DIR/sh needs the missing loader /nowhere/ld.so",
			remedy: "install DIR/sh anew",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.content, elf.ELFMAG) && runtime.GOARCH != "amd64" {
				t.Skip("the program is for amd64")
			}
			h := hooks(t, "")
			insert := func(s string) string { return strings.ReplaceAll(s, "DIR", h.Dir) }
			path := write(t, h.Dir+"/network", insert(tt.content), 0o755)
			if tt.prepare != nil {
				tt.prepare(t, h.Dir)
			}
			// Inspect foresees what then happens.
			o := run(t, h, Invocation{Stdin: []byte("doc")})
			for who, err := range map[string]error{"Run": o.Err, "Inspect": Inspect(path)} {
				var ours *RunError
				if !errors.As(err, &ours) {
					t.Fatalf("%s: %v, want a RunError", who, err)
				}
				if ours.Kind != NotStarted || !errors.Is(err, tt.errno) || ours.Path != path {
					t.Errorf("%s: kind %v, cause %v, path %s", who, ours.Kind, ours.Err, ours.Path)
				}
				if want := insert(tt.reason); ours.Reason != want {
					t.Errorf("%s: reason %q, want %q", who, ours.Reason, want)
				}
				if want := insert(tt.remedy); ours.Remedy != want {
					t.Errorf("%s: remedy %q, want %q", who, ours.Remedy, want)
				}
				if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: not one line with the path: %q", who, err)
				}
			}
			if o.Pid != 0 || o.ExitCode != -1 || o.Duration != 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// What only the kernel can tell.
func TestStartFailuresUnforeseen(t *testing.T) {
	tests := []struct {
		name, content string
		errno         syscall.Errno
		reason        string
	}{
		{"foreign program", programFor(elf.EM_S390, "/bin/sh"), syscall.ENOEXEC, "it is a program for another system (EM_S390, ELFCLASS64)"},
		{"damaged program", elf.ELFMAG + "garbage", syscall.ENOEXEC, "it is a damaged program (ELF) file"},
		{"its own interpreter", "#!DIR/network\n", syscall.ELOOP, "too many scripts are each other's interpreter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := hooks(t, "")
			path := write(t, h.Dir+"/network", strings.ReplaceAll(tt.content, "DIR", h.Dir), 0o755)
			if err := Inspect(path); err != nil {
				t.Errorf("Inspect: %v", err)
			}
			o := run(t, h, Invocation{})
			var ours *RunError
			if !errors.As(o.Err, &ours) || ours.Kind != NotStarted || ours.Reason != tt.reason || !errors.Is(o.Err, tt.errno) {
				t.Errorf("%v (%v), want %q", o.Err, errors.Unwrap(o.Err), tt.reason)
			}
		})
	}
}

func TestStartFailureTexts(t *testing.T) {
	path := write(t, tempDir(t)+"/network", "#!/bin/sh\n", 0o755)
	for errno, want := range map[syscall.Errno]string{
		syscall.EACCES:  "the kernel denies it, though the mode allows it: probably SELinux or AppArmor",
		syscall.ENOENT:  "no such file or directory",
		syscall.ENOMEM:  "cannot allocate memory",
		syscall.ENOEXEC: "the kernel cannot run its interpreter",
	} {
		e := startFailure(path, errno)
		if e.Reason != want || e.Path != path || e.Kind != NotStarted || !errors.Is(e, errno) {
			t.Errorf("%v: %+v, want %q", errno, e, want)
		}
	}
	os.Remove(path)
	if e := startFailure(path, syscall.ENOENT); e.Reason != "it does not exist any more" {
		t.Errorf("%v", e)
	}
}

// With a DOS line end after an interpreter's argument, it is the interpreter that
// complains: the verdict is the script's, and the cause is named.
func TestHint(t *testing.T) {
	t.Setenv("PATH", "/usr/bin:/bin")
	h := hooks(t, "")
	path := write(t, h.Dir+"/network", "#!/usr/bin/env sh\r\nexit 0\r\n", 0o755)
	o := run(t, h, Invocation{})
	var theirs *ScriptError
	if !errors.As(o.Err, &theirs) || theirs.ExitCode != 127 {
		t.Fatalf("%+v", o)
	}
	if want := `(` + crReason + `; remedy: sed -i 's/\r$//' ` + path + `)`; !strings.HasSuffix(theirs.Error(), want) {
		t.Errorf("got  %v\nwant …%s", theirs, want)
	}
	if err := Inspect(path); err == nil || !strings.Contains(err.Error(), crReason) {
		t.Errorf("Inspect: %v", err)
	}
}

func TestInspect(t *testing.T) {
	h := hooks(t, "exit 1")
	if err := Inspect(h.Dir + "/network"); err != nil {
		t.Error(err)
	}
	var ours *RunError
	if err := Inspect(h.Dir); !errors.As(err, &ours) || ours.Reason != "it is not a regular file" {
		t.Error(err)
	}
	if err := os.Chmod(h.Dir+"/network", 0o757); err != nil {
		t.Fatal(err)
	}
	if err := Inspect(h.Dir + "/network"); !errors.As(err, &ours) || ours.Kind != Refused {
		t.Error(err)
	}
	if err := Inspect(h.Dir + "/none"); !errors.As(err, &ours) || ours.Kind != NotStarted {
		t.Error(err)
	}
}

// A script open for writing is tried again until the writer is done.
func TestBusy(t *testing.T) {
	h := hooks(t, "echo ran; cat")
	writer, err := os.OpenFile(h.Dir+"/network", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	attempts := 0
	h.busy = func() {
		if attempts++; attempts == 3 {
			writer.Close()
		}
	}
	o := run(t, h, Invocation{Stdin: []byte("doc")})
	if attempts == 0 {
		t.Skip("this kernel executes files that are open for writing")
	}
	if o.Err != nil || string(o.Stdout.Head) != "ran\ndoc" || attempts < 3 {
		t.Errorf("%+v after %d attempts", o, attempts)
	}
}

func TestBusyForEver(t *testing.T) {
	h := hooks(t, "exit 0")
	writer, err := os.OpenFile(h.Dir+"/network", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	attempts := 0
	h.busy = func() { attempts++ }
	o := run(t, h, Invocation{})
	if attempts == 0 {
		t.Skip("this kernel executes files that are open for writing")
	}
	want := "hook script " + h.Dir + "/network not started: still open for writing somewhere after 1s of retrying; " +
		"remedy: end the process that writes it, shown by: fuser -v " + h.Dir + "/network"
	if !errors.Is(o.Err, syscall.ETXTBSY) || o.Err.Error() != want || attempts < 5 {
		t.Errorf("got  %v (%d attempts)\nwant %s", o.Err, attempts, want)
	}

	// A cancelled call does not go on trying.
	ctx, cancel := context.WithCancelCause(context.Background())
	attempts = 0
	h.busy = func() { attempts++; cancel(errShutdown) }
	o = only(t, h.Run(ctx, Invocation{}))
	canceledBy(t, o.Err, errShutdown)
	if attempts != 1 || o.Pid != 0 {
		t.Errorf("%d attempts, %+v", attempts, o)
	}
}

// The mount is made in a namespace of the test's own thread.
func TestNoexecMount(t *testing.T) {
	needRoot(t)
	dir := tempDir(t)
	point := dir + "/hooks"
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		t.Skipf("no mount namespace: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Skipf("no private mounts: %v", err)
	}
	if err := unix.Mount("hooks", point, "tmpfs", unix.MS_NOEXEC, "mode=0755"); err != nil {
		t.Skipf("no mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(point, 0) })
	path := write(t, point+"/sub/network", "#!/bin/sh\n", 0o755)
	o := run(t, &Hooks{Dir: point + "/sub", Name: "network"}, Invocation{})
	for who, err := range map[string]error{"Run": o.Err, "Inspect": Inspect(path)} {
		want := "hook script " + path + " not started: it lies on " + point + ", which is mounted noexec; remedy: mount -o remount,exec " + point
		if !errors.Is(err, syscall.EACCES) || err.Error() != want {
			t.Errorf("%s: got  %v\nwant %s", who, err, want)
		}
	}
}
