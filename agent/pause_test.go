package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pause is a hook script of which the first call lasts until it is told to go on.
type pause struct {
	t           *testing.T
	hookDir     string
	began, goOn *os.File
}

func newPause(t *testing.T) *pause {
	t.Helper()
	dir := t.TempDir()
	// Open for both directions, so that nobody blocks on opening one.
	fifo := func(name string) *os.File {
		path := filepath.Join(dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	p := &pause{t: t, began: fifo("began"), goOn: fifo("go-on")}
	p.hookDir = hookDir(t, "#!/bin/sh\nmkdir "+dir+"/once 2>/dev/null || exit 0\necho >"+p.began.Name()+"\nread -r line <"+p.goOn.Name()+"\n")
	return p
}

// await waits until the first call has begun.
func (p *pause) await() {
	p.t.Helper()
	_ = p.began.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := p.began.Read(make([]byte, 1)); err != nil {
		p.t.Fatalf("the hook script was not started: %v", err)
	}
}

// end lets the first call end.
func (p *pause) end() {
	p.t.Helper()
	if _, err := p.goOn.WriteString("\n"); err != nil {
		p.t.Fatal(err)
	}
}
