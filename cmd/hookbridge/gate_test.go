package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The shim runs the program in every start of a guest. Loading libvirt's library
// takes longer than everything else that it does.
func TestGateRunLoadsNoLibvirt(t *testing.T) {
	cmd := exec.Command(os.Args[0], "gate", "run", "--guest", "qemu", "--socket", "/nowhere", "--", "g", "prepare", "begin", "-")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "init hookbridge/internal/gate/ask @") || !strings.Contains(string(out), "no agent runs") {
		t.Fatalf("package ask is not what answered:\n%s", out)
	}
	if strings.Contains(string(out), "libvirt.org") {
		t.Errorf("the libvirt binding was initialised first; package early says what may not be imported:\n%s", out)
	}
}
