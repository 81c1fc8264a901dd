//go:build bench

package bench

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"hookbridge/internal/farm"
)

// stormScript is what storms call: it reads the document as such scripts do, with
// sed, and writes two lines: when it begins, and, with the MAC, when it ends.
const stormScript = `#!/bin/sh
log=${0%/*}/log
echo "begin $1" >>"$log"
mac=$(sed -n "/<mac address=/{s/.*<mac address='\([^']*\)'.*/\1/p;q}")
echo "end $1 $2 $mac" >>"$log"
`

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
	s := &stormLog{t: t, path: filepath.Join(dir, "log")}
	script := filepath.Join(dir, "network")
	must(t, os.WriteFile(script, []byte(stormScript), 0o755))
	must(t, os.WriteFile(s.path, nil, 0o644))

	f := farm.New(t)
	all := f.Guests(guests, nics, f.Networks(20))
	document, err := all[0].GetXMLDesc(0)
	must(t, err)
	stdin := []byte("<hookData>\n" + document + "</hookData>")
	runAgent(t, "--connect", f.URI, "--hook-dir", dir, "--adopt", "record")

	unwatched := farm.New(t)
	others := unwatched.Guests(guests, nics, unwatched.Networks(20))

	const calls = guests * nics * 2
	var ours, alone, beside, raging []float64
	for range rounds {
		s.clear()
		began := time.Now()
		must(t, rage(all))
		raging = append(raging, time.Since(began).Seconds())
		s.await(calls)
		ours = append(ours, calls/time.Since(began).Seconds())
		s.check(all)

		bare := func() float64 {
			began := time.Now()
			bareRuns(t, calls, script, []string{"net0", "plugged", "begin", "-"}, stdin)
			return calls / time.Since(began).Seconds()
		}
		alone = append(alone, bare())
		storm := make(chan error, 1)
		go func() { storm <- rage(others) }()
		beside = append(beside, bare())
		must(t, <-storm)
	}
	const subject = "8000 calls"
	rate := median(subject, "calls/s", seriesOf("hookbridge", ours), seriesOf("bare runs beside such a storm", beside)).atLeast(0.9)
	quiet := median(subject, "calls/s", seriesOf("hookbridge", ours), seriesOf("bare runs alone", alone)).atLeast(0.9)
	quiet.Note = fmt.Sprintf("libvirtd was busy with the guests for %s s of each storm", number(seriesOf("", raging).P50))
	faults := Figure{Subject: "lost, doubled, out of order", Unit: "calls", Ours: seriesOf("hookbridge", s.faults), Compared: "sum", Value: s.sum()}.atMost(0)
	return []Figure{rate, quiet, faults}
}

// rage stops and starts all guests.
func rage(all []*farm.Domain) error {
	for _, change := range []func(*farm.Domain) error{(*farm.Domain).Destroy, (*farm.Domain).Create} {
		for _, d := range all {
			if err := change(d); err != nil {
				return err
			}
		}
	}
	return nil
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

// stormLog is what the script writes.
type stormLog struct {
	t      *testing.T
	path   string
	faults []float64 // of each storm
}

func (s *stormLog) clear() {
	s.t.Helper()
	must(s.t, os.Truncate(s.path, 0))
}

// await returns when that many calls have ended.
func (s *stormLog) await(calls int) {
	s.t.Helper()
	watch, err := fsnotify.NewWatcher()
	must(s.t, err)
	defer watch.Close()
	must(s.t, watch.Add(s.path))
	f, err := os.Open(s.path)
	must(s.t, err)
	defer f.Close()
	// A call writes two lines, of which only the second begins with "e".
	ended, start := 0, true
	buf := make([]byte, 1<<16)
	quiet := time.NewTimer(time.Minute)
	defer quiet.Stop()
	for ended < calls {
		n, _ := f.Read(buf)
		for _, c := range buf[:n] {
			if start && c == 'e' {
				ended++
			}
			start = c == '\n'
		}
		if n > 0 {
			continue
		}
		select {
		case <-watch.Events:
			quiet.Reset(time.Minute)
		case <-quiet.C:
			s.t.Errorf("%d of %d calls were made", ended, calls)
			return
		}
	}
}

// check accounts for every call of a storm.
func (s *stormLog) check(guests []*farm.Domain) {
	s.t.Helper()
	text, err := os.ReadFile(s.path)
	must(s.t, err)
	var faults []string
	busy := map[string]bool{}      // networks
	story := map[string][]string{} // of each MAC
	last := map[string]string{}    // call of each guest; MACs count up
	order := map[string][]string{} // of the MACs of each guest
	owner := map[string]string{}
	for _, d := range guests {
		name, err := d.GetName()
		must(s.t, err)
		doc, err := d.GetXMLDesc(0)
		must(s.t, err)
		for part := range strings.SplitSeq(doc, "<mac address='") {
			if mac, _, ok := strings.Cut(part, "'"); ok && len(mac) == 17 {
				owner[mac] = name
				order[name] = append(order[name], mac)
			}
		}
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if f[0] == "begin" {
			if busy[f[1]] {
				faults = append(faults, "two calls at once in "+f[1])
			}
			busy[f[1]] = true
			continue
		}
		busy[f[1]] = false
		if len(f) != 4 {
			faults = append(faults, "a call without a MAC: "+line)
			continue
		}
		op, mac := f[2], f[3]
		story[mac] = append(story[mac], op)
		last[owner[mac]] += fmt.Sprintf("%s %d ", op, slices.Index(order[owner[mac]], mac))
	}
	for mac, guest := range owner {
		if got := strings.Join(story[mac], " "); got != "unplugged plugged" {
			faults = append(faults, fmt.Sprintf("%s, %s: %q", guest, mac, got))
		}
	}
	for _, guest := range slices.Sorted(maps.Keys(order)) {
		want := ""
		for _, op := range []string{"unplugged", "plugged"} {
			for i := range order[guest] {
				want += fmt.Sprintf("%s %d ", op, i)
			}
		}
		if last[guest] != want {
			faults = append(faults, fmt.Sprintf("%s: %q", guest, last[guest]))
		}
	}
	for _, f := range faults[:min(len(faults), 10)] {
		s.t.Log("storm: ", f)
	}
	s.faults = append(s.faults, float64(len(faults)))
}

func (s *stormLog) sum() (sum float64) {
	for _, n := range s.faults {
		sum += n
	}
	return sum
}
