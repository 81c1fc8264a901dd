package exec

import (
	"bytes"
	"context"
	osexec "os/exec"
	"testing"
	"time"
)

// BenchmarkRun compares a call of a hook with one script to a bare os/exec.
func BenchmarkRun(b *testing.B) {
	h := hooks(b, "exit 0")
	h.Timeout = time.Minute
	path := h.Dir + "/network"
	args := []string{"net", "started", "begin", "-"}
	document := bytes.Repeat([]byte("<interface/>\n"), 300)

	b.Run("hook", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := h.Run(context.Background(), Invocation{Args: args, Stdin: document})
			if err := r.Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := osexec.Command(path, args...).Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare with pipes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out, err bytes.Buffer
			cmd := osexec.Command(path, args...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(document), &out, &err
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("safety check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Trust(path); err != nil {
				b.Fatal(err)
			}
		}
	})
}
