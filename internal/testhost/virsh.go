package testhost

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// virshPatience bounds one virsh command.
const virshPatience = 120 * time.Second

// Virsh runs virsh inside, on qemu:///system unless the first arguments are -c
// and a URI, and returns its standard output without the final line ends. It
// fails the test when virsh fails.
func (h *Host) Virsh(t testing.TB, args ...string) string {
	t.Helper()
	out, err := h.VirshErr(args...)
	if err != nil {
		t.Fatalf("testhost: %v", err)
	}
	return out
}

// VirshErr is [Host.Virsh] for commands that may fail: the error holds what
// virsh wrote to standard error.
func (h *Host) VirshErr(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), virshPatience)
	defer cancel()
	full := args
	if len(args) == 0 || args[0] != "-c" {
		full = append([]string{"-c", "qemu:///system"}, args...)
	}
	cmd := h.Command(ctx, "virsh", full...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	out := strings.TrimRight(stdout.String(), "\n")
	if err != nil {
		err = fmt.Errorf("virsh %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, err
}

// File writes a document for a command to read and returns its path, which is
// valid inside and outside.
func (h *Host) File(t testing.TB, document string) string {
	t.Helper()
	f, err := os.CreateTemp(h.scratch, "doc-*.xml")
	if err != nil {
		t.Fatalf("testhost: %v", err)
	}
	defer f.Close()
	if _, err := f.WriteString(document); err != nil {
		t.Fatalf("testhost: %v", err)
	}
	return f.Name()
}
