//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hookbridge/internal/farm"
	"hookbridge/internal/testhost"
)

// steady is a hookbridge that lives through storms and faults, beside a libvirtd with
// the guests of the test driver.
type steady struct {
	*testhost.Host
	t      *testing.T
	farm   *farm.Farm
	guests []*farm.Domain
	storm  int                 // so many of them are stopped and started in a round
	macs   map[string][]string // of a guest's interfaces, with their networks
	relay  *relay
	script *farm.Script
	b      *bridge

	told     map[string]bool // what the script believed to be there when its log was cleared
	calls    int             // until then
	done     map[string]int  // rounds
	round    string          // that is under way
	parallel int
	term     bool // how libvirtd was ended last
}

// From so many guests on hookbridge gives back, after a look at all of them, what
// memory it does not need: agent/giveback.go.
const steadyGuests, steadyNetworks = 1000, 20

// A hookbridge that is never restarted: while all guests are stopped and started at
// full speed, again and again, connections break, libvirtd hangs and ends, scripts
// fail, hang and leave processes behind, and the configuration changes. After each
// round what was announced is what is, and where nothing is allowed to be lost, each
// call was made once, and in order. In the end hookbridge holds no more than after the
// first rounds.
func TestSteady(t *testing.T) {
	begun := time.Now()
	length, soaking := soak(t, 1.0/3, 0)
	rounds, storm := everyRound, steadyGuests/2
	if !soaking {
		t.Parallel()
		rounds, storm = []round{calm, cut, reload}, steadyGuests/8
	}
	s := newSteady(t, storm)
	warm := 0
	for warm < 2 || warm < len(rounds) && time.Since(begun) < length/3 {
		s.weather(rounds[warm])
		warm++
	}
	start := s.rest()
	for i := warm; i < warm+3 || time.Since(begun) < length; i++ {
		s.weather(rounds[i%len(rounds)])
	}
	end := s.rest()
	// What has ended just now may not be gone yet.
	s.comes(func() bool {
		end = s.vitals().least(end)
		return len(end.worse(start)) == 0
	})
	t.Logf("steady: %d calls in %v; rounds: %s", s.calls, time.Since(begun).Round(time.Second), counted(s.done))
	for _, name := range slices.Sorted(maps.Keys(start)) {
		t.Logf("steady: %s: %d, then %d", name, start[name], end[name])
	}
	worse := end.worse(start)
	for _, w := range worse {
		t.Error(w)
	}
	if len(worse) > 0 {
		t.Logf("goroutines: %v", s.b.goroutines(t))
	}
}

func newSteady(t *testing.T, storm int) *steady {
	t.Helper()
	f := farm.New(t)
	s := &steady{Host: f.Host, t: t, farm: f, storm: storm, done: map[string]int{}, parallel: 2}
	s.script = farm.InstallScript(t, f.Host.Path(hookDir), faulty)
	s.populate()
	s.told = s.real() // as hookbridge adopts it
	socket := filepath.Join(s.Scratch(), "relay")
	s.relay = newRelay(t, socket, s.Path("/run/libvirt/libvirt-sock"), 0)
	s.configure()
	s.b = launch(t, f.Host, []string{"GOTRACEBACK=all"}, "--log-level", "warning",
		"--config", steadyConfig, "--connect", "test+unix:///default?socket="+socket)
	s.await("its socket", func() bool { _, err := ask(s.socket(), "/healthz"); return err == nil })
	s.settle()
	return s
}

// populate fills the farm, which is empty.
func (s *steady) populate() {
	s.t.Helper()
	const nics = 2
	networks := s.farm.Networks(steadyNetworks)
	s.guests = s.farm.Guests(steadyGuests, nics, networks)
	s.macs = map[string][]string{}
	own, err := s.farm.Connection().LookupDomainByName("test") // the driver's
	s.must(err)
	for _, mac := range farm.MACs(s.t, own) {
		s.macs["test"] = append(s.macs["test"], "default "+mac)
	}
	s.must(own.Free())
	for i, d := range s.guests {
		name, err := d.GetName()
		s.must(err)
		for k, mac := range farm.MACs(s.t, d) {
			s.macs[name] = append(s.macs[name], networks[(i+k)%len(networks)]+" "+mac)
		}
	}
}

func (s *steady) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// weather goes through one round.
func (s *steady) weather(r round) {
	s.t.Helper()
	s.round = r.name
	s.clear()
	s.fault(r.script)
	raging := make(chan error, 1)
	stormy := s.guests[:s.storm]
	go func() { raging <- farm.Rage(stormy) }()
	if r.amid != nil {
		s.script.Await(len(stormy))
		r.amid(s)
	}
	if err := <-raging; err != nil && !r.ends {
		s.t.Fatal(err)
	}
	if r.ends {
		s.farm.Again()
		s.populate()
	}
	if !r.loses {
		s.script.Await(4 * len(stormy)) // two interfaces each
	}
	s.settle()
	if !r.loses {
		faults := s.script.Faults(stormy)
		for _, f := range faults[:min(len(faults), 10)] {
			s.t.Errorf("%s: %s", r.name, f)
		}
	}
	s.fault("")
	for _, d := range s.guests {
		if running, err := d.IsActive(); err != nil || running {
			s.must(err)
			continue
		}
		s.must(d.Create()) // a script had refused it
	}
	s.settle()
	s.done[r.name]++
}

// clear forgets the calls, but not what they led to. No script may run.
func (s *steady) clear() {
	s.told = s.announced()
	s.calls += strings.Count(strings.Join(s.script.Lines(), "\n"), "end ")
	s.script.Clear()
}

// announced is what a script believes to be there: networks, and networks with MACs.
func (s *steady) announced() map[string]bool {
	there := maps.Clone(s.told)
	for _, line := range s.script.Lines() {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		switch network, mac := f[1], f[len(f)-1]; f[0] + " " + f[2] {
		case "end started":
			there[network] = true
		case "end stopped":
			delete(there, network)
		case "end plugged":
			there[network+" "+mac] = true
		case "end unplugged", "refused plugged":
			delete(there, network+" "+mac)
		}
	}
	return there
}

// real asks libvirt for the same.
func (s *steady) real() map[string]bool {
	s.t.Helper()
	networks, err := s.farm.Connection().ListNetworks()
	s.must(err)
	there := map[string]bool{}
	for _, name := range networks {
		there[name] = true
	}
	guests, err := farm.Running(s.farm.Connection())
	s.must(err)
	for i := range guests {
		name, err := guests[i].GetName()
		s.must(err)
		for _, at := range s.macs[name] {
			there[at] = true
		}
		s.must(guests[i].Free())
	}
	return there
}

func (s *steady) socket() string { return s.Path("/run/hookbridge/hookbridge.sock") }

// await waits for what must come about.
func (s *steady) await(what string, there func() bool) {
	s.t.Helper()
	if !s.comes(there) {
		s.t.Fatalf("%s: hookbridge does not come to: %s", s.round, what)
	}
}

// comes asks again and again, since nothing tells of what is awaited.
func (s *steady) comes(there func() bool) bool {
	s.t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(2 * testhost.DefaultWait); !there(); <-again.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// settle waits until hookbridge has nothing to do, and has announced what is.
func (s *steady) settle() {
	s.t.Helper()
	s.await("nothing to do", func() bool {
		m := metrics(s.t, s.socket())
		return m["hookbridge_connection_ready"] == 1 && m["hookbridge_hints_waiting"]+m["hookbridge_calls_planned"]+m["hookbridge_calls_held"] == 0
	})
	var differs []string
	same := s.comes(func() bool {
		announced, there := s.announced(), s.real()
		differs = nil
		for _, at := range slices.Sorted(maps.Keys(announced)) {
			if !there[at] {
				differs = append(differs, "not there: "+at)
			}
		}
		for _, at := range slices.Sorted(maps.Keys(there)) {
			if !announced[at] {
				differs = append(differs, "not announced: "+at)
			}
		}
		return len(differs) == 0
	})
	if !same {
		s.t.Fatalf("%s: what was announced is not what is:\n%s", s.round, strings.Join(differs[:min(len(differs), 10)], "\n"))
	}
}

// rest brings hookbridge to rest and returns what it holds then. A new connection
// makes it look at all guests, and give back what memory it does not need. What was
// under way at that moment it still holds: of two times the lesser counts.
func (s *steady) rest() (least vitals) {
	s.t.Helper()
	s.round = "at rest"
	for range 2 {
		s.clear()
		cutAt := float64(time.Now().Unix())
		s.reconnect()
		s.settle()
		s.await("memory given back", func() bool {
			m := metrics(s.t, s.socket())
			const nearly = 1 << 20
			return m["go_memstats_last_gc_time_seconds"] > cutAt && m["go_memstats_heap_idle_bytes"]-m["go_memstats_heap_released_bytes"] < nearly
		})
		least = s.vitals().least(least)
	}
	return least
}

func (s *steady) vitals() vitals {
	return vitalsOf(s.t, s.b.cmd.Process.Pid, s.Path("/run/hookbridge"), metrics(s.t, s.socket()))
}

// counted lists what was done how often.
func counted(done map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(done)) {
		all = append(all, fmt.Sprintf("%d %s", done[name], name))
	}
	return strings.Join(all, ", ")
}
