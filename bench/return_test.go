//go:build bench

package bench

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"hookbridge/internal/farm"
)

// python is the one that the distribution's packages are for.
const python = "/usr/bin/python3"

// contender is one who watches a libvirtd and calls the script.
type contender struct {
	*farm.Farm
	t       *testing.T
	name    string
	script  *script
	network *farm.Network
	guest   *farm.Domain
	calls   map[string]bool // the operations that it makes calls for
}

// From the return of the call that starts a network or a guest to the end of the
// script (of the second one for a network: start, started). Against a pipeline of
// virsh and sed, and against a program with libvirt's Python binding that only does
// this. Each has a libvirtd of its own, so that they do not wake each other. Both
// peers start the same scripts with the same documents; they do without stops. Bare
// runs of as many scripts, and the documents asked for over a connection that is there,
// tell how much faster than a peer anything can be.
func measureReturn(t *testing.T) []Figure {
	if out, err := exec.Command(python, "-c", "import libvirt").CombinedOutput(); err != nil {
		t.Fatalf("libvirt's Python binding is needed (python3-libvirt): %s", out)
	}
	ours := newContender(t, "hookbridge")
	ours.calls = map[string]bool{"stopped": true, "unplugged": true}
	runAgent(t, "--connect", ours.URI, "--hook-dir", ours.script.dir, "--adopt", "record")
	shell := newContender(t, "virsh event | dumpxml")
	shell.peer("/bin/sh", "testdata/pipeline.sh")
	binding := newContender(t, "libvirt-python")
	binding.peer(python, "testdata/events.py")

	all := []*contender{ours, shell, binding}
	for _, c := range all {
		c.awaitReady()
	}
	took := map[string]map[*contender][]float64{"network start": {}, "guest start": {}}
	least, runs := map[string][]float64{}, compiledScript(t)
	doLeast := func(subject string, ask func(), like ...record) {
		asked := time.Now()
		ask()
		all := time.Since(asked)
		settle()
		for _, r := range like {
			began := bareRun(t, runs.path(), []string{r.network, r.op, "begin", "-"}, r.stdin)
			all += runs.await(r.op).end.Sub(began)
			settle()
		}
		least[subject] = append(least[subject], milliseconds(all))
	}
	document := func(_ string, err error) { must(t, err) }
	for range 40 {
		for _, c := range all {
			returned := c.start(c.network.Create)
			start, started := c.script.await("start"), c.script.await("started")
			took["network start"][c] = append(took["network start"][c], milliseconds(started.end.Sub(returned)))
			settle()
			c.stop(c.network.Destroy, "stopped")
			returned = c.start(c.guest.Create)
			plugged := c.script.await("plugged")
			took["guest start"][c] = append(took["guest start"][c], milliseconds(plugged.end.Sub(returned)))
			settle()
			c.stop(c.guest.Destroy, "unplugged")
			if c == ours {
				doLeast("network start", func() { document(c.network.GetXMLDesc(0)) }, start, started)
				doLeast("guest start", func() { document(c.guest.GetXMLDesc(0)); document(c.network.GetXMLDesc(0)) }, plugged)
			}
		}
	}
	var figures []Figure
	for _, subject := range []string{"network start", "guest start"} {
		series := func(c *contender) Series { return seriesOf(c.name, took[subject][c]) }
		bare := seriesOf("", least[subject])
		python := faster(subject, "ms", series(ours), series(binding)).atLeast(1.5)
		python.Note = fmt.Sprintf("its documents and bare runs of its scripts alone: %s ms; libvirt-python needs %s times as long", bare, number(python.Against.P50/bare.P50))
		figures = append(figures, faster(subject, "ms", series(ours), series(shell)).atLeast(5), python)
	}
	return figures
}

func newContender(t *testing.T, name string) *contender {
	t.Helper()
	c := &contender{t: t, Farm: farm.New(t), name: name, script: compiledScript(t)}
	c.network, c.guest = c.Network("alone"), c.Guest("guest", c.Networks(1)...)
	return c
}

// peer starts a program that watches; it ends with the test, as a group.
func (c *contender) peer(program, source string) {
	c.t.Helper()
	cmd := exec.Command(program, source, c.URI, c.script.path())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = c.t.Output()
	must(c.t, cmd.Start())
	c.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
}

// awaitReady starts the guest and the network until the script is called: a peer
// does not say when it has registered.
func (c *contender) awaitReady() {
	c.t.Helper()
	for _, step := range []struct {
		create, destroy func() error
		op, end         string
	}{
		{c.network.Create, c.network.Destroy, "started", "stopped"},
		{c.guest.Create, c.guest.Destroy, "plugged", "unplugged"},
	} {
		ready := false
		for deadline := time.Now().Add(time.Minute); !ready; {
			if time.Now().After(deadline) {
				c.t.Fatalf("%s does not call the script", c.name)
			}
			must(c.t, step.create())
			_, ready = c.script.awaitFor(step.op, time.Second)
			c.stop(step.destroy, step.end)
		}
	}
}

func (c *contender) start(create func() error) (returned time.Time) {
	c.t.Helper()
	must(c.t, create())
	return time.Now()
}

func (c *contender) stop(destroy func() error, op string) {
	c.t.Helper()
	must(c.t, destroy())
	if c.calls[op] {
		c.script.await(op)
	}
	settle()
}
