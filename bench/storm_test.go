//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hookbridge/internal/farm"
)

// Two thousand guests with two interfaces each, in twenty networks, are stopped
// and started as fast as libvirtd can. The rate of calls, from the first stop to
// the end of the last script, against as many bare runs of the script with the
// same document, as many at a time: once with nothing else to do, and once while
// another libvirtd, which nobody watches, stops and starts as many guests. Without
// the second nobody could tell what hookbridge costs from what libvirtd does. Then
// every call is accounted for: none is lost or doubled, none of one network overlap,
// and each guest's are in order.
func measureStorm(t *testing.T) []Figure {
	const guests, nics, rounds = 2000, 2, 2
	dir := memoryDir(t)
	must(t, os.Chmod(dir, 0o755))
	script := farm.InstallScript(t, dir, "")

	f := farm.New(t)
	all := f.Guests(guests, nics, f.Networks(20))
	document, err := all[0].GetXMLDesc(0)
	must(t, err)
	stdin := []byte("<hookData>\n" + document + "</hookData>")
	agent := runAgent(t, "--connect", f.URI, "--hook-dir", dir, "--adopt", "record")

	unwatched := farm.New(t)
	others := unwatched.Guests(guests, nics, unwatched.Networks(20))

	const calls = guests * nics * 2
	var ours, alone, beside, raging, faults, used []float64
	sum := 0
	for range rounds {
		script.Clear()
		before := cpuTime(t, agent.cmd.Process.Pid)
		began := time.Now()
		must(t, farm.Rage(all))
		raging = append(raging, time.Since(began).Seconds())
		script.Await(calls)
		ours = append(ours, calls/time.Since(began).Seconds())
		used = append(used, milliseconds(cpuTime(t, agent.cmd.Process.Pid)-before)/calls/bareShell(t, document, 200))
		found := script.Faults(all)
		for _, fault := range found[:min(len(found), 10)] {
			t.Log("storm: ", fault)
		}
		faults, sum = append(faults, float64(len(found))), sum+len(found)

		bare := func() float64 {
			began := time.Now()
			bareRuns(t, calls, script.Path(), []string{"net0", "plugged", "begin", "-"}, stdin)
			return calls / time.Since(began).Seconds()
		}
		alone = append(alone, bare())
		storm := make(chan error, 1)
		go func() { storm <- farm.Rage(others) }()
		beside = append(beside, bare())
		must(t, <-storm)
	}
	const subject = "8000 calls"
	rate := median(subject, "calls/s", seriesOf("hookbridge", ours), seriesOf("bare runs beside such a storm", beside)).atLeast(0.9)
	quiet := median(subject, "calls/s", seriesOf("hookbridge", ours), seriesOf("bare runs alone", alone)).atLeast(0.9)
	quiet.Note = fmt.Sprintf("libvirtd was busy with the guests for %s s of each storm; a call took %s of a bare shell's processor time",
		number(seriesOf("", raging).P50), number(seriesOf("", used).P50))
	account := Figure{Subject: "lost, doubled, out of order", Unit: "calls", Ours: seriesOf("hookbridge", faults), Compared: "sum", Value: float64(sum)}.atMost(0)
	return []Figure{rate, quiet, account}
}

// bareRuns runs a script n times, as many at a time as there are cores.
func bareRuns(t *testing.T, n int, path string, args []string, stdin []byte) {
	t.Helper()
	turns := make(chan struct{}, n)
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	var running sync.WaitGroup
	failed := make(chan error, n)
	for range runtime.NumCPU() {
		running.Go(func() {
			for range turns {
				cmd := exec.Command(path, args...)
				cmd.Stdin = strings.NewReader(string(stdin))
				if err := cmd.Run(); err != nil {
					failed <- err
				}
			}
		})
	}
	running.Wait()
	close(failed)
	for err := range failed {
		t.Fatal(err)
	}
}
