//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hookbridge/internal/reckon"
	"hookbridge/internal/testhost"
)

// noticing is how long it may take until hookbridge has noticed a change: what
// happened that little before it was killed may be unknown to it.
const noticing = time.Second

// Random operations while hookbridge and libvirtd are killed, stopped and started:
// in the end the calls are libvirt's own, but for the differences that package
// reckon names, and what was announced is what is.
//
// HOOKBRIDGE_SEED repeats a run, as far as the machine's own timing lets it;
// HOOKBRIDGE_SOAK makes it longer, and adds storms.
func TestConvergence(t *testing.T) {
	// Not beside others: what counts as an outage is measured in seconds.
	length, soaking := soak(t, 2.0/3, 60*time.Second)
	// A gate repeats itself; the soak explores.
	seed := uint64(31)
	if soaking {
		seed = uint64(time.Now().UnixNano())
	}
	if s := os.Getenv("HOOKBRIDGE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat with HOOKBRIDGE_SEED=%d HOOKBRIDGE_SOAK=%s", seed, os.Getenv("HOOKBRIDGE_SOAK"))

	w := newTurmoil(t, seed)
	w.storms = soaking
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		w.step()
	}
	w.settle()

	native := w.nativeCalls()
	ours := w.ourCalls()
	r := reckon.Compare(native, ours, w.circumstances())
	t.Logf("let pass, one by one:\n%s", strings.Join(r.Told, "\n"))
	for _, name := range slices.Sorted(maps.Keys(r.Allowed)) {
		t.Logf("let pass: %d × %s", r.Allowed[name], name)
	}
	t.Logf("compared with libvirt's own hook: %d calls of libvirt's, %d of hookbridge's, %d agree; lost %d, doubled %d, out of order %d",
		r.Native, r.Ours, r.Matched, len(r.Lost), len(r.Doubled), len(r.Disorder))
	t.Logf("compared over %d operations, %s", w.total(), w.watched())
	t.Logf("compared operations: %s", counted(w.done))
	for what, list := range map[string][]string{"lost": r.Lost, "doubled": r.Doubled, "out of order": r.Disorder} {
		for _, line := range list {
			t.Errorf("%s: %s", what, line)
		}
	}
	if t.Failed() {
		w.explain(native, ours)
	}
}

// explain writes down everything there is to know about a run that failed.
func (w *turmoil) explain(native, ours []reckon.Call) {
	var b strings.Builder
	for _, l := range w.diary {
		fmt.Fprintln(&b, l)
	}
	for _, c := range native {
		fmt.Fprintln(&b, c.Time.Format("15:04:05.000"), "libvirt   ", c)
	}
	for _, c := range ours {
		fmt.Fprintln(&b, c.Time.Format("15:04:05.000"), "hookbridge", c)
	}
	for _, l := range w.said {
		fmt.Fprintln(&b, l)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[:12], b[:12]) })
	dir := os.Getenv("HOOKBRIDGE_ARTIFACTS")
	if dir == "" {
		w.t.Logf("HOOKBRIDGE_ARTIFACTS names a directory for the whole story; its end:\n%s", strings.Join(lines[max(0, len(lines)-400):], "\n"))
		return
	}
	f, err := os.CreateTemp(dir, "convergence-*.log")
	if err != nil {
		w.t.Error(err)
		return
	}
	defer f.Close()
	_, _ = f.WriteString(strings.Join(lines, "\n") + "\n")
	w.t.Logf("the whole story is in %s", f.Name())
}

// nativeCalls returns what libvirt called, in the words of 1.2.2, with the run of
// the guest that each call belongs to.
func (w *turmoil) nativeCalls() []reckon.Call {
	var all []reckon.Call
	runs := map[string]int{}
	begun := map[string][]int{} // calls of a start that has not succeeded yet
	for _, c := range w.Native().MustCalls(w.t) {
		if c.Hook() != "network" {
			guest := c.Object()
			switch c.Op() {
			case "prepare":
				runs[guest]++
				begun[guest] = []int{}
			case "started":
				delete(begun, guest)
			case "release":
				for _, i := range begun[guest] {
					all[i].Failed = true
				}
				delete(begun, guest)
			}
			continue
		}
		call := callOf(w.t, c)
		if call.MAC != "" {
			call.Run = runs[call.Guest]
			if _, starting := begun[call.Guest]; starting {
				begun[call.Guest] = append(begun[call.Guest], len(all))
			}
		}
		all = append(all, call)
	}
	return all
}

func (w *turmoil) ourCalls() []reckon.Call {
	var all []reckon.Call
	for _, c := range w.ours.MustCalls(w.t) {
		all = append(all, callOf(w.t, c))
	}
	return all
}

func callOf(t *testing.T, c testhost.Call) reckon.Call {
	e := entryOf(t, c)
	return reckon.Call{
		Time: c.Time, Network: e.Network, Op: e.Op, Guest: e.Guest, MAC: e.MAC,
		Retry: slices.Contains(c.Env, "HOOKBRIDGE_RETRY=1"),
	}
}

// settle ends the turmoil: everything runs, nothing is held, and hookbridge has
// told all it has to tell.
func (w *turmoil) settle() {
	w.t.Helper()
	w.release()
	w.startDaemon()
	w.resume()
	w.startAgent()
	w.awaitWatching()
	for {
		w.ours.Wait(w.t, "the announced state to be the real one", func([]testhost.Call) bool {
			return slices.Equal(w.announced(), w.real())
		})
		// What is still to be called when hookbridge ends it keeps for its next
		// start.
		w.stopAgent(syscall.SIGTERM)
		if !w.agentSaid("were not made") {
			break
		}
		w.startAgent()
		w.awaitWatching()
	}
	if announced, there := w.announced(), w.real(); !slices.Equal(announced, there) {
		w.t.Errorf("announced in the end:\n%s\nthere is:\n%s", strings.Join(announced, "\n"), strings.Join(there, "\n"))
	}
}

// announced folds hookbridge's calls into what a script believes to be there.
func (w *turmoil) announced() []string {
	there := map[string]bool{}
	for _, c := range w.ourCalls() {
		switch c.Op {
		case "started":
			there[c.Network] = true
		case "stopped":
			delete(there, c.Network)
		case "plugged":
			there[c.Network+" "+c.Guest+" "+c.MAC] = true
		case "unplugged":
			delete(there, c.Network+" "+c.Guest+" "+c.MAC)
		}
	}
	return slices.Sorted(maps.Keys(there))
}

// real asks libvirt for the same.
func (w *turmoil) real() []string {
	var there []string
	for name := range strings.Lines(w.Virsh(w.t, "net-list", "--name")) {
		if name = strings.TrimSpace(name); name != "" {
			there = append(there, name)
		}
	}
	for _, uri := range []string{"qemu:///system", "lxc:///system"} {
		for name := range strings.Lines(w.Virsh(w.t, "-c", uri, "list", "--name")) {
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			for _, n := range interfacesOf(w.t, w.Virsh(w.t, "-c", uri, "dumpxml", name)) {
				there = append(there, n.Network+" "+name+" "+n.MAC)
			}
		}
	}
	slices.Sort(there)
	return there
}
