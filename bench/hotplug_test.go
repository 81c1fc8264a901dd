//go:build bench

package bench

import (
	"fmt"
	"testing"
	"time"

	"hookbridge/internal/farm"
	"hookbridge/internal/testhost"
)

// From the return of the call that plugs an interface into a running guest to the
// script's first instruction: a real QEMU guest, among few and among many others.
// The others are guests of the test driver that the same agent knows, and status
// files in the QEMU driver's directory. Once with libvirt's device events, once
// without, when the rewritten status file is all that tells.
func measureHotplug(t *testing.T) []Figure {
	few, many := newCrowd(t, 50), newCrowd(t, 5000)
	var figures []Figure
	for _, how := range []struct{ subject, without string }{
		{"with device events", ""},
		{"without", "device-added,device-removed"},
	} {
		for _, c := range []*crowd{few, many} {
			args := []string{"--connect", "qemu:///system", "--connect", "test+unix:///default", "--hook-dir", c.script.dir, "--adopt", "record"}
			if how.without != "" {
				args = append(args, "--without", how.without, "--reconcile-interval", "-1s")
			}
			c.agent = runAgentIn(t, c.Host, 2, args...)
		}
		took := map[*crowd][]float64{}
		for range 3 {
			for _, c := range []*crowd{few, many} {
				must(t, c.guest.Create())
				c.script.await("plugged")
			}
			for i := range 16 {
				for _, c := range []*crowd{few, many} {
					took[c] = append(took[c], milliseconds(c.plug(i)))
				}
			}
			for _, c := range []*crowd{few, many} {
				must(t, c.guest.Destroy())
				for range 17 {
					c.script.await("unplugged")
				}
			}
		}
		few.agent.stop()
		many.agent.stop()
		figures = append(figures,
			median(how.subject, "ms", seriesOf("among 5000", took[many]), seriesOf("among 50", took[few])).atMost(1.2))
	}
	return figures
}

// crowd is a host with one real guest and others.
type crowd struct {
	*farm.Farm
	t      *testing.T
	script *script
	guest  *farm.Domain
	agent  *process
}

func newCrowd(t *testing.T, others int) *crowd {
	t.Helper()
	c := &crowd{t: t, Farm: farm.New(t)}
	c.script = compiledScriptIn(t, c.Host)
	c.Guests(others, 1, c.Networks(20))
	for i := range others {
		c.Host.WriteFile(t, fmt.Sprintf("/run/libvirt/qemu/other%d.xml", i), []byte("<domstatus/>\n"), 0o600)
	}
	c.Host.DefineAndStart(t, testhost.Isolated("front", 81))
	var err error
	c.guest, err = farm.Dial(t, c.Host.URI("qemu:///system")).DomainDefineXML(
		testhost.Guest{Name: "real", NICs: []testhost.NIC{{Network: "front", MAC: testhost.MAC(0)}}}.XML())
	must(t, err)
	t.Cleanup(func() { _ = c.guest.Free() })
	return c
}

// plug plugs one more interface in and waits for its call.
func (c *crowd) plug(i int) time.Duration {
	c.t.Helper()
	nic := testhost.NIC{Network: "front", MAC: testhost.MAC(i + 1)}
	must(c.t, farm.Plug(c.guest, nic.XML()))
	returned := time.Now()
	began := c.script.await("plugged").begin
	settle()
	return began.Sub(returned)
}
