//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fsnotify/fsnotify"

	"hookbridge/internal/farm"
)

// The processor time that hookbridge itself uses for a call, its children left
// out: everything from the event to the history. Guests with two interfaces are
// stopped and started one at a time. Against the processor time of one bare run of
// a shell that runs cat, without what starting it costs. What asking libvirt for the
// same and starting as many processes takes of this process is noted: no way past that.
func measureCPU(t *testing.T) []Figure {
	const rounds, restarts, nics = 40, 10, 2 // short, since neighbours of a virtual machine come and go
	const calls = restarts * nics * 2
	dir := memoryDir(t)
	must(t, os.Chmod(dir, 0o755))
	done := filepath.Join(dir, "done")
	must(t, os.Mkdir(done, 0o755))
	// The last call of a guest's stop or start leaves a mark, a shell's own work.
	script := "#!/bin/sh\ncat >/dev/null\n[ \"$1\" = net1 ] && : >${0%/*}/done/$2\nexit 0\n"
	must(t, os.WriteFile(filepath.Join(dir, "network"), []byte(script), 0o755))
	watch, err := fsnotify.NewWatcher()
	must(t, err)
	defer watch.Close()
	must(t, watch.Add(done))

	f := farm.New(t)
	names := f.Networks(nics)
	guest := f.Guest("guest", names...)
	must(t, guest.Create())
	agent := runAgent(t, "--connect", f.URI, "--hook-dir", dir, "--adopt", "record")
	document, err := guest.GetXMLDesc(0)
	must(t, err)

	await := func(op string) {
		t.Helper()
		mark := filepath.Join(done, op)
		for os.Remove(mark) != nil {
			<-watch.Events
		}
	}
	networks := make([]*farm.Network, nics)
	for i := range networks {
		networks[i], err = f.Connection().LookupNetworkByName(names[i])
		must(t, err)
		t.Cleanup(func() { _ = networks[i].Free() })
	}
	least := func() float64 {
		before := cpuTime(t, os.Getpid())
		for range restarts {
			_, err := guest.IsActive() // when it stops
			must(t, err)
			_, err = guest.GetXMLDesc(0) // when it starts
			must(t, err)
			for range 2 {
				for _, n := range networks {
					_, err := n.GetXMLDesc(0)
					must(t, err)
					p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
					must(t, err)
					_, err = p.Wait()
					must(t, err)
				}
			}
		}
		return milliseconds(cpuTime(t, os.Getpid())-before) / calls
	}
	var ours, theirs, floor []float64
	for i := range rounds + 1 {
		before := cpuTime(t, agent.cmd.Process.Pid)
		for range restarts {
			must(t, guest.Destroy())
			await("unplugged")
			must(t, guest.Create())
			await("plugged")
		}
		settle()
		used := cpuTime(t, agent.cmd.Process.Pid) - before
		bare := bareShell(t, document, calls)
		if i == 0 {
			continue // warming up
		}
		ours = append(ours, milliseconds(used)/calls)
		theirs = append(theirs, bare)
		floor = append(floor, least())
	}
	fig := median("per call", "ms", seriesOf("hookbridge", ours), seriesOf("sh -c 'cat >/dev/null'", theirs)).atMost(0.25)
	bare := seriesOf("", floor)
	fig.Note = fmt.Sprintf("libvirt's answers and the start of a process alone: %s ms, %s of the shell's", bare, number(bare.P50/fig.Against.P50))
	return []Figure{fig}
}

// bareShell runs a shell that runs cat n times, and returns the milliseconds of processor
// time that one takes.
func bareShell(t *testing.T, document string, n int) (each float64) {
	t.Helper()
	for range n {
		cmd := exec.Command("sh", "-c", "cat >/dev/null")
		cmd.Stdin = strings.NewReader(document)
		must(t, cmd.Run())
		each += milliseconds(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / float64(n)
	}
	return each
}
