//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkGateShim measures one call of a guest hook: a hook that does nothing,
// which every user of hooks pays for, beside the shim with an agent that answers
// at once.
func BenchmarkGateShim(b *testing.B) {
	dir := b.TempDir()
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{"allow":true,"message":""}`)
	})}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })

	hooks := filepath.Join(dir, "hooks")
	kept := filepath.Join(dir, "kept")
	for _, d := range []string{hooks, kept} {
		if err := os.Mkdir(d, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	nothing := filepath.Join(dir, "nothing")
	for _, path := range []string{nothing, filepath.Join(kept, "qemu")} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for _, d := range []string{hooks, kept} {
		if out, err := exec.Command(binary(b), "gate", "install", "--guest", "qemu", "--hook-dir", d, "--socket", socket,
			"--unavailable", "deny").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	document := []byte("<domain>\n" + strings.Repeat("  <description>text</description>\n", 300) + "</domain>\n")
	for _, bm := range []struct{ name, hook, op string }{
		{"a hook that does nothing", nothing, "prepare"},
		{"handed to the agent", filepath.Join(hooks, "qemu"), "prepare"},
		{"passed through", filepath.Join(hooks, "qemu"), "started"},
		{"kept hook that does nothing", filepath.Join(kept, "qemu"), "prepare"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				cmd := exec.Command(bm.hook, "g", bm.op, "begin", "-")
				cmd.Stdin = bytes.NewReader(document)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(took[len(took)*9/10].Microseconds())/1000, "ms-p90")
		})
	}
}
