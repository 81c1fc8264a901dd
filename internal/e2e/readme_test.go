//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hookbridge/internal/testhost"
	"hookbridge/internal/transcript"
)

// routes is the script on the host of the README's incident: a guest without a route in
// a list is refused.
const routes = `#!/bin/sh
[ "$2" = plugged ] || exit 0
guest=$(sed -n '/^  <domain /,$ s/^    <name>\(.*\)<\/name>$/\1/p' | head -n 1)
grep -q "^$1 $guest " /etc/guest-routes && exit
echo "$guest has no route for $1 in /etc/guest-routes" >&2
exit 1
`

// readmeHost is a host as the README's sessions have it: all at its default place, the
// network front up, the guest web1 defined, which has no route there.
func readmeHost(t *testing.T, opts ...testhost.Option) *scene {
	t.Helper()
	t.Parallel()
	h := testhost.Start(t, opts...)
	h.WriteFile(t, "/etc/libvirt/hooks/network", []byte(routes), 0o755)
	h.WriteFile(t, "/etc/guest-routes", []byte("back web1 10.8.0.0/24\n"), 0o644)
	h.WriteFile(t, "/etc/hookbridge/hookbridge.toml", []byte("connect = [\"qemu:///system\"]\non_failure = \"log\"\n"), 0o644)
	if err := os.Symlink(binary(t), filepath.Join(h.Scratch(), "hookbridge")); err != nil {
		t.Fatal(err)
	}
	s := &scene{Host: h, t: t}
	h.DefineAndStart(t, testhost.NAT("front", 81))
	h.DefineAndStart(t, testhost.Isolated("back", 82))
	h.DefineGuest(t, testhost.Guest{Name: "web1", NICs: nics("front", "back")})
	return s
}

// session types one of the README's sessions. What systemd would do is done by the test.
func (s *scene) session(where string) {
	s.t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		s.t.Fatal(err)
	}
	typed := 0
	for _, b := range transcript.Blocks(string(text)) {
		if b.Where != where {
			continue
		}
		for _, step := range b.Steps {
			typed++
			if step.Command == "systemctl restart libvirtd" {
				s.RestartDaemon(s.t, syscall.SIGTERM)
				s.b.awaitLines(s.t, "watching", 2)
				continue
			}
			cmd := s.Command(s.t.Context(), "sh", "-c", step.Command)
			cmd.Env = append(cmd.Env, "PATH="+s.Scratch()+":/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "LIBVIRT_DEFAULT_URI=qemu:///system")
			out, _ := cmd.CombinedOutput() // what it prints says how it went
			if err := step.Check(strings.TrimPrefix(string(out), "\n")); err != nil {
				s.t.Error(err)
			}
			s.t.Logf("# %s\n%s", step.Command, out)
		}
	}
	if typed == 0 {
		s.t.Errorf("the README has no session %s", where)
	}
}

// The README's incident: found with status, history and fire, mended, seen green.
func TestReadmeIncident(t *testing.T) {
	s := readmeHost(t)
	s.b = launch(t, s.Host, nil)
	s.b.awaitLine(t, "watching")
	s.Virsh(t, "start", "web1")
	s.b.awaitLines(t, `msg="hook script`, 2) // for both networks
	s.session("incident")
}

// The README's gate.
func TestReadmeGate(t *testing.T) {
	s := readmeHost(t)
	s.b = launch(t, s.Host, nil)
	s.b.awaitLine(t, "watching")
	s.session("gate")
}
