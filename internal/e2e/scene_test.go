//go:build e2e

package e2e

import (
	"slices"
	"testing"

	"hookbridge/internal/testhost"
)

// scene is a private host with hookbridge beside its libvirtd, each with a hook
// of its own that writes down every call.
type scene struct {
	*testhost.Host
	t     *testing.T
	ours  *testhost.Log
	b     *bridge
	allow []allowance

	before int // calls made before this hookbridge was started
}

const everything = "start,started,stopped,updated,plugged,unplugged"

func newScene(t *testing.T, opts ...testhost.Option) *scene {
	t.Helper()
	t.Parallel()
	return joinScene(t, opts...)
}

// joinScene is newScene for a test's second host.
func joinScene(t *testing.T, opts ...testhost.Option) *scene {
	t.Helper()
	h := testhost.Start(t, opts...)
	s := &scene{Host: h, t: t, ours: h.InstallRecorder(t, hookDir)}
	s.again()
	return s
}

// settle waits until hookbridge has made as many calls as libvirt: libvirt's own
// are made before virsh returns.
func (s *scene) settle() {
	s.t.Helper()
	n := len(s.Native().MustCalls(s.t))
	for _, a := range s.allow {
		if a.native != nil {
			n -= a.limit
		}
		if a.ours != nil {
			n += a.limit
		}
	}
	s.ours.WaitN(s.t, n)
}

// virsh runs virsh commands, each as one string, and settles after each.
func (s *scene) virsh(commands ...[]string) {
	s.t.Helper()
	for _, c := range commands {
		s.Virsh(s.t, c...)
		s.settle()
	}
}

func cmdline(args ...string) []string { return args }

// except lets a difference pass from now on.
func (s *scene) except(a allowance) { s.allow = append(s.allow, a) }

// end settles, stops hookbridge and compares.
func (s *scene) end() {
	s.t.Helper()
	s.settle()
	s.b.stop(s.t)
	compare(s.t, s.Native().MustCalls(s.t), s.ours.MustCalls(s.t), s.allow...)
}

// nics returns interfaces in the named networks, with MACs that count up from 1.
func nics(networks ...string) []testhost.NIC {
	var all []testhost.NIC
	for i, n := range networks {
		all = append(all, testhost.NIC{Network: n, MAC: testhost.MAC(i + 1)})
	}
	return all
}

// causes returns the HOOKBRIDGE_CAUSE of each call of an operation.
func (s *scene) causes(op string) []string {
	var all []string
	for _, c := range s.ours.MustCalls(s.t) {
		if c.Op() == op {
			i := slices.IndexFunc(c.Env, func(v string) bool { return len(v) > 17 && v[:17] == "HOOKBRIDGE_CAUSE=" })
			all = append(all, c.Env[i][17:])
		}
	}
	return all
}
