//go:build bench

package bench

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hookbridge/internal/testhost"
)

// record is what testdata/stamp.c says of one of its runs.
type record struct {
	begin, end  time.Time
	run         string // HOOKBRIDGE_RUN
	network, op string
	stdin       []byte
}

// script is an installed hook script whose runs can be awaited.
type script struct {
	t       *testing.T
	dir     string // the hook directory
	records chan record
}

func (s *script) path() string { return filepath.Join(s.dir, "network") }

// compile makes a program from testdata.
func compile(t *testing.T, source, target string, flags ...string) {
	t.Helper()
	args := append([]string{"-O2", "-Wall", "-Werror", "-o", target, filepath.Join("testdata", source)}, flags...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %s: %v\n%s", source, err, out)
	}
}

// compiledScript installs stamp.c as the hook script: nothing starts quicker, so
// next to nothing hides what is in front of it.
func compiledScript(t *testing.T) *script {
	t.Helper()
	return installScript(t, t.TempDir(), func(dir string) {
		compile(t, "stamp.c", filepath.Join(dir, "network"), "-static")
	})
}

// compiledScriptIn is compiledScript in a directory that a host sees, too.
func compiledScriptIn(t *testing.T, h *testhost.Host) *script {
	t.Helper()
	dir, err := os.MkdirTemp(h.Scratch(), "hooks-")
	if err != nil {
		t.Fatal(err)
	}
	return installScript(t, dir, func(dir string) {
		compile(t, "stamp.c", filepath.Join(dir, "network"), "-static")
	})
}

// shellScript installs a script of the common kind: a shell that takes the time
// itself, in its first instruction, and has the rest told by stamp.c.
func shellScript(t *testing.T) *script {
	t.Helper()
	return installScript(t, t.TempDir(), func(dir string) {
		compile(t, "stamp.c", filepath.Join(dir, "stamp"), "-static")
		text := "#!/bin/bash\nBEGAN=$EPOCHREALTIME exec \"${0%/*}/stamp\" \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, "network"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	})
}

func installScript(t *testing.T, dir string, install func(dir string)) *script {
	t.Helper()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	install(dir)
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "records"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, dir: dir, records: make(chan record, 1024)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buf := make([]byte, 1<<18); ; {
			n, err := listener.Read(buf)
			if err != nil {
				return // closed
			}
			if r, ok := parseRecord(buf[:n]); ok {
				s.records <- r
			}
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return s
}

// parseRecord reads: begin, end, run, network and operation, a line each; the rest
// is stdin.
func parseRecord(text []byte) (r record, ok bool) {
	fields := bytes.SplitN(text, []byte("\n"), 6)
	if len(fields) != 6 {
		return r, false
	}
	return record{
		begin: parseTime(string(fields[0])), end: parseTime(string(fields[1])),
		run: string(fields[2]), network: string(fields[3]), op: string(fields[4]),
		stdin: bytes.Clone(fields[5]),
	}, true
}

// parseTime reads nanoseconds, or bash's SECONDS.MICROSECONDS.
func parseTime(text string) time.Time {
	if seconds, micros, ok := strings.Cut(text, "."); ok {
		text = seconds + micros + "000"
	}
	ns, _ := strconv.ParseInt(text, 10, 64)
	return time.Unix(0, ns)
}

// await returns the next record of that operation.
func (s *script) await(op string) record {
	s.t.Helper()
	r, ok := s.awaitFor(op, time.Minute)
	if !ok {
		s.t.Fatalf("no call of %s", op)
	}
	return r
}

func (s *script) awaitFor(op string, patience time.Duration) (record, bool) {
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		select {
		case r := <-s.records:
			if r.op == op {
				return r, true
			}
		case <-over.C:
			return record{}, false
		}
	}
}
