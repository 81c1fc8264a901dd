package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for something that is bound to come.
const patience = 30 * time.Second

// A script can start the test binary again, with this variable naming the part that
// it plays, and its arguments in HOOKBRIDGE_TEST_ARGS as JSON.
const roleVariable = "HOOKBRIDGE_TEST_ROLE"

var roles = map[string]func(args []string) int{
	// run calls the hook "network" in the directory args[0] and prints what came of it.
	"run": func(args []string) int {
		h := &Hooks{Dir: args[0], Name: "network"}
		r := h.Run(context.Background(), Invocation{Args: []string{"inner", "start", "begin", "-"}, Stdin: []byte("inner document")})
		if err := r.Err(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for _, o := range r.Scripts {
			os.Stdout.Write(o.Stdout.Head)
		}
		return 0
	},
	// run and die calls the hook and then dies as by kill -9.
	"run and die": func(args []string) int {
		h := &Hooks{Dir: args[0], Name: "network"}
		if err := h.Run(context.Background(), Invocation{}).Err(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	},
	// signals prints the signals that are ignored and blocked.
	"signals": func([]string) int {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return 1
		}
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "SigBlk") || strings.HasPrefix(line, "SigIgn") {
				fmt.Print(line)
			}
		}
		return 0
	},
}

func TestMain(m *testing.M) {
	if name, set := os.LookupEnv(roleVariable); set {
		var args []string
		json.Unmarshal([]byte(os.Getenv("HOOKBRIDGE_TEST_ARGS")), &args)
		os.Exit(roles[name](args))
	}
	goleak.VerifyTestMain(m)
}

// as gives the environment that makes the test binary play a part.
func as(t testing.TB, role string, args ...string) []string {
	t.Helper()
	if roles[role] == nil {
		t.Fatalf("no role %q", role)
	}
	list, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return []string{roleVariable + "=" + role, "HOOKBRIDGE_TEST_ARGS=" + string(list)}
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// tempDir is a directory that is trusted, whatever the umask.
func tempDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// write writes a file with exactly that mode, making its directory if needed.
func write(t testing.TB, path, content string, mode os.FileMode) string {
	t.Helper()
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// hooks makes a hook directory whose main script is a shell script with that body.
func hooks(t testing.TB, body string) *Hooks {
	t.Helper()
	h := &Hooks{Dir: tempDir(t), Name: "network", Timeout: patience}
	if body != "" {
		write(t, h.Dir+"/network", "#!/bin/sh\n"+body+"\n", 0o755)
	}
	return h
}

// run runs a hook with one script.
func run(t testing.TB, h *Hooks, inv Invocation) Outcome {
	t.Helper()
	return only(t, h.Run(context.Background(), inv))
}

func only(t testing.TB, r Report) Outcome {
	t.Helper()
	if len(r.Scripts) != 1 {
		t.Fatalf("%d scripts ran, want 1: %+v", len(r.Scripts), r)
	}
	return r.Scripts[0]
}

// A fifo is how scripts tell tests that they have come to some point, and are told to
// go on. This end is open for reading and writing, so nothing blocks on opening it.
type fifo struct {
	t    testing.TB
	path string
	file *os.File
}

func newFifo(t testing.TB) *fifo {
	t.Helper()
	path := filepath.Join(tempDir(t), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return &fifo{t, path, file}
}

// line waits for the next line.
func (f *fifo) line() string {
	f.t.Helper()
	f.file.SetReadDeadline(time.Now().Add(patience))
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := f.file.Read(b); err != nil {
			f.t.Fatalf("nothing came through the fifo: %v", err)
		}
		if b[0] == '\n' {
			return string(line)
		}
		line = append(line, b[0])
	}
}

func (f *fifo) send(line string) {
	f.t.Helper()
	if _, err := f.file.WriteString(line + "\n"); err != nil {
		f.t.Fatal(err)
	}
}

// gone waits until a process, not necessarily a child, has ended.
func gone(t testing.TB, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Skipf("pidfd_open: %v", err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("process %s did not end (%v)", pid, err)
		}
		return
	}
}

// alive tells whether a process has not ended. Zombies have: the init of a container
// may not reap them.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
