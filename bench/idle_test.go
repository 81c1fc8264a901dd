//go:build bench

package bench

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hookbridge/internal/farm"
)

// A minute with 5,000 guests in which nothing happens: how often hookbridge wakes
// up, and for how long. Against a program, at the same time, that holds a
// connection with the same keepalive and registers for the same events.
func measureIdle(t *testing.T) []Figure {
	f := farm.New(t)
	f.Guests(5000, 2, f.Networks(20))
	agent := runAgent(t, "--connect", f.URI, "--hook-dir", t.TempDir(), "--adopt", "record")
	binary := filepath.Join(t.TempDir(), "keepalive")
	compile(t, "keepalive.c", binary, "-l:libvirt.so.0")
	peer := exec.Command(binary, f.URI)
	ready, err := peer.StdoutPipe()
	must(t, err)
	must(t, peer.Start())
	t.Cleanup(func() {
		_ = peer.Process.Kill()
		_ = peer.Wait()
	})
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	// The adoption's garbage is given back in the background.
	settledMemory(t, agent)

	pids := []int{agent.cmd.Process.Pid, peer.Process.Pid}
	var woken, busiest, used [2]float64
	var before [2]map[string]int64
	for i, pid := range pids {
		before[i], used[i] = wakeups(t, pid), -milliseconds(cpuTime(t, pid))
	}
	time.Sleep(time.Minute)
	for i, pid := range pids {
		for thread, n := range wakeups(t, pid) {
			n -= before[i][thread]
			woken[i] += float64(n)
			busiest[i] = max(busiest[i], float64(n))
		}
		used[i] += milliseconds(cpuTime(t, pid))
	}
	side := func(name string, v float64) Series { return seriesOf(name, []float64{v}) }
	const name = "keepalive alone"
	wake := median("60 s, 5000 guests", "wake-ups", side("hookbridge", woken[0]), side(name, woken[1])).atMost(1)
	wake.Note = fmt.Sprintf("of hookbridge's %s are those of the thread that keeps the connection, of the other's %s", number(busiest[0]), number(busiest[1]))
	cpu := Figure{Subject: "60 s, 5000 guests", Unit: "ms CPU", Ours: side("hookbridge", used[0]), Compared: "difference", Value: used[0] - used[1]}
	against := side(name, used[1])
	cpu.Against = &against
	return []Figure{wake, cpu}
}
