//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hookbridge/internal/reckon"
	"hookbridge/internal/testhost"
)

// turmoil is a host on which everything happens at random: to networks and
// guests, to libvirtd, and to hookbridge. It keeps a diary of what was down when.
type turmoil struct {
	*testhost.Host
	t    *testing.T
	rand *rand.Rand
	ours *testhost.Log

	storms bool // now and then, see stepStorm

	networks   []testhost.Network
	guests     []testhost.Guest
	containers []testhost.Container

	done  map[string]int // operations that libvirt accepted, by name
	macs  int            // given to hot-plugged interfaces so far
	ticks int
	begun time.Time

	agent      *testhost.Cmd
	stopped    bool // by SIGSTOP
	daemonOff  bool
	daemonLost time.Time
	held       *testhost.ActiveRule

	unwatched, restarts, links []reckon.Window
	holds                      []reckon.Hold
	refused                    map[string]bool // MACs
	diary                      []string

	mu       sync.Mutex
	said     []string             // hookbridge's lines, each with its time
	run      int                  // where those of the running one begin
	watching map[string]time.Time // by connection: since when
	sessions map[string]time.Time // the same, whatever happened since
	lost     time.Time            // since when hookbridge does not watch everything
	more     chan struct{}
}

func newTurmoil(t *testing.T, seed uint64) *turmoil {
	t.Helper()
	h := testhost.Start(t, testhost.WithLXC(), testhost.WithDomainHooks())
	w := &turmoil{
		Host: h, t: t, rand: rand.New(rand.NewPCG(seed, 0)),
		ours: h.InstallRecorder(t, hookDir), done: map[string]int{}, macs: 100, begun: time.Now(),
		watching: map[string]time.Time{}, sessions: map[string]time.Time{}, refused: map[string]bool{}, lost: time.Now(), more: make(chan struct{}, 1),
	}
	h.AddBridge(t, "hostbr0")
	h.AddBridge(t, "hostbr1")
	nat := testhost.NAT("nat", 83)
	// No DHCP: dnsmasq and addresses cost most of a network's start.
	w.networks = []testhost.Network{
		testhost.Isolated("served", 81), {Name: "bare"}, nat,
		testhost.HostBridge("over", "hostbr0"), testhost.HostBridge("transient", "hostbr1"),
	}
	mac := 0
	cards := func(networks ...string) (all []testhost.NIC) {
		for _, n := range networks {
			mac++
			all = append(all, testhost.NIC{Network: n, MAC: testhost.MAC(mac)})
		}
		return all
	}
	w.guests = []testhost.Guest{
		{Name: "q1", NICs: cards("served", "over")},
		{Name: "q2", NICs: cards("bare", "nat", "bare")},
		{Name: "qt", NICs: cards("over")},
	}
	w.containers = []testhost.Container{
		{Name: "c1", NICs: cards("bare", "over"), Root: h.MakeRoot(t)},
		{Name: "ct", NICs: cards("served"), Root: h.MakeRoot(t)},
	}
	for _, n := range w.networks[:4] {
		h.DefineAndStart(t, n)
	}
	h.DefineGuest(t, w.guests[0])
	h.DefineGuest(t, w.guests[1])
	h.DefineContainer(t, w.containers[0])
	w.startAgent()
	t.Cleanup(func() { w.resume(); w.stopAgent(syscall.SIGKILL) })
	w.awaitWatching()
	return w
}

func (w *turmoil) note(format string, args ...any) {
	w.diary = append(w.diary, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (w *turmoil) total() (n int) {
	for _, k := range w.done {
		n += k
	}
	return n
}

// virsh tries an operation. Many are refused, a guest that runs cannot be
// started: that is part of it.
func (w *turmoil) virsh(args ...string) bool {
	begin := time.Now()
	_, err := w.VirshErr(args...)
	if took := time.Since(begin); took > 10*time.Second {
		w.t.Logf("virsh %v took %v", args, took.Round(time.Second))
	}
	name := args[0]
	if name == "-c" {
		name = "lxc " + args[2]
	}
	if err != nil {
		w.note("virsh %v: %v", args, err)
		return false
	}
	w.note("virsh %v", args)
	w.done[name]++
	return true
}

func pick[T any](w *turmoil, all []T) T { return all[w.rand.IntN(len(all))] }

func (w *turmoil) chance(percent int) bool { return w.rand.IntN(100) < percent }

// step does one thing.
func (w *turmoil) step() {
	w.ticks++
	if w.storms && w.chance(2) {
		w.stepStorm()
		return
	}
	// Most of the time hookbridge watches: only then can a call be lost.
	agent, daemon := 2, 1
	if w.agent == nil || w.stopped {
		agent = 25
	}
	if w.daemonOff {
		daemon = 40
	}
	switch dice := w.rand.IntN(100); {
	case dice < agent:
		w.stepAgent()
	case dice < agent+daemon:
		w.stepDaemon()
	case dice < agent+daemon+4:
		w.stepHold()
	case w.daemonOff:
		w.withoutDaemon()
	default:
		w.stepLibvirt()
	}
}

func (w *turmoil) stepLibvirt() {
	switch w.rand.IntN(10) {
	case 0, 1, 2:
		w.stepNetwork()
	case 3, 4, 5, 6:
		w.stepGuest()
	default:
		w.stepContainer()
	}
}

func (w *turmoil) stepNetwork() {
	n := pick(w, w.networks)
	switch w.rand.IntN(10) {
	case 0:
		w.virsh("net-update", "served", "add", "dns-host",
			fmt.Sprintf("<host ip='192.168.81.%d'><hostname>h%d</hostname></host>", 2+w.ticks%250, w.ticks), "--live")
	case 1:
		if n.Name != "transient" && w.virsh("net-undefine", n.Name) && w.chance(50) {
			return // an active one is transient now
		}
		w.defineNetwork(n)
	case 2, 3, 4:
		// Below a guest it is destroyed now and then only: its interfaces have no
		// network after that.
		if !w.inUse(n.Name) || w.chance(10) {
			w.virsh("net-destroy", n.Name)
		}
	default:
		w.startNetwork(n)
	}
}

func (w *turmoil) defineNetwork(n testhost.Network) {
	if n.Name != "transient" {
		w.virsh("net-define", w.File(w.t, n.XML()))
	}
}

func (w *turmoil) startNetwork(n testhost.Network) {
	if n.Name == "transient" {
		w.virsh("net-create", w.File(w.t, n.XML()))
		return
	}
	if !w.virsh("net-start", n.Name) && w.chance(30) {
		w.defineNetwork(n)
	}
}

func (w *turmoil) inUse(network string) bool {
	out, err := w.VirshErr("net-port-list", network)
	return err == nil && strings.Contains(out, "-")
}

// anotherCard is an interface that no guest has had.
func (w *turmoil) anotherCard() testhost.NIC {
	w.macs++
	return testhost.NIC{Network: pick(w, w.networks).Name, MAC: testhost.MAC(w.macs)}
}

func (w *turmoil) stepGuest() {
	g := pick(w, w.guests)
	there := w.interfaces("qemu:///system", g.Name)
	if there == nil {
		w.startGuest(g)
		return
	}
	switch w.rand.IntN(12) {
	case 0, 1:
		w.virsh("destroy", g.Name)
	case 2:
		w.killGuest(g.Name)
	case 3:
		w.virsh("managedsave", g.Name)
	case 4:
		w.virsh("suspend", g.Name)
		w.virsh("resume", g.Name)
	case 5:
		if !w.virsh("undefine", g.Name) {
			w.virsh("undefine", "--managed-save", g.Name)
		}
	case 6, 7:
		if len(there) < 8 {
			card := w.anotherCard()
			w.refused[card.MAC] = !w.virsh("attach-device", "--live", g.Name, w.File(w.t, card.XML()))
		}
	case 8:
		if len(there) > 0 {
			card := pick(w, there)
			begin := time.Now()
			w.virsh("domif-setlink", g.Name, card.MAC, pick(w, []string{"up", "down"}))
			w.links = append(w.links, reckon.Window{From: begin, To: time.Now()})
		}
	default:
		if len(there) > 0 {
			card := pick(w, there)
			to := pick(w, w.networks).Name
			if to != card.Network { // else it is a link state update
				w.virsh("update-device", "--live", g.Name, w.File(w.t, testhost.NIC{Network: to, MAC: card.MAC}.XML()))
			}
		}
	}
}

func (w *turmoil) startGuest(g testhost.Guest) {
	if g.Name == "qt" {
		w.virsh("create", w.File(w.t, g.XML()))
		return
	}
	if !w.virsh("start", g.Name) && w.chance(50) {
		w.virsh("define", w.File(w.t, g.XML()))
	}
}

// killGuest ends the emulator, and waits until libvirtd has cleared up behind it,
// as it has when virsh returns from other operations: of two at the same time
// nobody could tell the order.
func (w *turmoil) killGuest(name string) {
	released := func(calls []testhost.Call) (n int) {
		for _, c := range calls {
			if c.Hook() == "qemu" && c.Object() == name && c.Op() == "release" {
				n++
			}
		}
		return n
	}
	before := released(w.Native().MustCalls(w.t))
	if w.Command(context.Background(), "sh", "-c", "kill -9 $(cat /run/libvirt/qemu/"+name+".pid)").Run() != nil {
		return
	}
	w.note("kill -9 %s", name)
	w.done["kill -9 of a guest"]++
	if !w.daemonOff {
		w.Native().Wait(w.t, "the end of "+name, func(calls []testhost.Call) bool { return released(calls) > before })
		w.virsh("domstate", name) // behind the end of the operation
	}
}

const lxcSystem = "lxc:///system"

func (w *turmoil) stepContainer() {
	c := pick(w, w.containers)
	there := w.interfaces(lxcSystem, c.Name)
	if there == nil {
		if c.Name == "ct" {
			w.virsh("-c", lxcSystem, "create", w.File(w.t, c.XML()))
		} else {
			w.virsh("-c", lxcSystem, "start", c.Name)
		}
		return
	}
	switch w.rand.IntN(4) {
	case 0:
		w.virsh("-c", lxcSystem, "destroy", c.Name)
	case 1:
		if len(there) > 0 {
			card := pick(w, there)
			xml := testhost.NIC{Network: card.Network, MAC: card.MAC}.XML()
			w.virsh("-c", lxcSystem, "detach-device", "--live", c.Name, w.File(w.t, strings.Replace(xml, "<model type='e1000'/>", "", 1)))
		}
	default:
		if len(there) < 6 {
			card := w.anotherCard()
			w.refused[card.MAC] = !w.virsh("-c", lxcSystem, "attach-device", "--live", c.Name, w.File(w.t, strings.Replace(card.XML(), "<model type='e1000'/>", "", 1)))
		}
	}
}

// interfaces returns a running guest's interfaces, nil for one that does not run.
func (w *turmoil) interfaces(uri, guest string) []testhost.NIC {
	text, err := w.VirshErr("-c", uri, "dumpxml", guest)
	if err != nil || !strings.Contains(strings.SplitN(text, "\n", 2)[0], " id=") {
		return nil
	}
	return interfacesOf(w.t, text)
}

// interfacesOf returns those that belong to a network; never nil.
func interfacesOf(t *testing.T, document string) []testhost.NIC {
	var d struct {
		Interfaces []struct {
			MAC struct {
				Address string `xml:"address,attr"`
			} `xml:"mac"`
			Source struct {
				Network string `xml:"network,attr"`
			} `xml:"source"`
		} `xml:"devices>interface"`
	}
	if err := xml.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	all := []testhost.NIC{}
	for _, i := range d.Interfaces {
		if i.Source.Network != "" {
			all = append(all, testhost.NIC{Network: i.Source.Network, MAC: i.MAC.Address})
		}
	}
	return all
}

// stepHold makes a script of hookbridge's slow, or lets it go on.
func (w *turmoil) stepHold() {
	if w.held != nil {
		w.release()
		return
	}
	op := pick(w, []string{"plugged", "unplugged", "started", "stopped"})
	network := pick(w, w.networks).Name
	w.note("hold %s of %s", op, network)
	// A script that has said that it runs, and not looked for a rule yet, is held, too.
	from := time.Now().Add(-200 * time.Millisecond)
	w.held = w.ours.Set(w.t, network, op, testhost.Rule{Hold: true})
	w.holds = append(w.holds, reckon.Hold{Window: reckon.Window{From: from}, Network: network})
	w.done["slow script"]++
}

func (w *turmoil) release() {
	if w.held == nil {
		return
	}
	w.note("release")
	w.held.Remove(w.t)
	w.held = nil
	// What has piled up comes out of order for a moment yet.
	w.holds[len(w.holds)-1].To = time.Now().Add(2 * time.Second)
}

// stepAgent does something to hookbridge.
func (w *turmoil) stepAgent() {
	switch {
	case w.stopped:
		w.resume()
	case w.agent == nil:
		w.startAgent()
	default:
		switch w.rand.IntN(4) {
		case 0:
			w.note("hookbridge: SIGSTOP")
			w.unwatch()
			_ = w.agent.Process.Signal(syscall.SIGSTOP)
			w.stopped = true
			w.done["SIGSTOP of hookbridge"]++
		case 1:
			w.release() // it waits for scripts that run
			w.stopAgent(syscall.SIGTERM)
			w.done["SIGTERM of hookbridge"]++
		default:
			w.stopAgent(syscall.SIGKILL)
			w.done["SIGKILL of hookbridge"]++
		}
	}
}

func (w *turmoil) startAgent() {
	if w.agent != nil {
		return
	}
	w.note("hookbridge: start")
	cmd := w.Command(context.Background(), binary(w.t), "run", "--log-level", "debug", "--log-format", "text",
		"--hook-dir", hookDir, "--ops", everything)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.run = len(w.said)
	clear(w.watching)
	clear(w.sessions)
	w.mu.Unlock()
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.agent = cmd
	go w.listen(stderr)
}

// listen takes down what hookbridge says, and when it watches everything again.
func (w *turmoil) listen(stderr io.Reader) {
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line, now := lines.Text(), time.Now()
		w.mu.Lock()
		w.said = append(w.said, now.Format("15:04:05.000 ")+"  "+line)
		for _, uri := range []string{"qemu:///system", "lxc:///"} {
			if strings.Contains(line, "msg=watching") && strings.Contains(line, `connection="`+uri+`"`) {
				w.watching[uri], w.sessions[uri] = now, now
				w.watches(now)
			}
			if strings.Contains(line, "trying again") && strings.Contains(line, `connection="`+uri+`"`) {
				delete(w.sessions, uri)
			}
		}
		w.mu.Unlock()
		select {
		case w.more <- struct{}{}:
		default:
		}
	}
}

// watches ends the outage if both connections have come up in it. w.mu is held.
func (w *turmoil) watches(now time.Time) {
	if w.lost.IsZero() || len(w.watching) < 2 {
		return
	}
	for _, since := range w.watching {
		if since.Before(w.lost) {
			return
		}
	}
	w.unwatched = append(w.unwatched, reckon.Window{From: w.lost.Add(-noticing), To: now})
	w.lost = time.Time{}
}

// unwatch begins an outage.
func (w *turmoil) unwatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.watching)
	if w.lost.IsZero() {
		w.lost = time.Now()
	}
}

func (w *turmoil) resume() {
	if !w.stopped {
		return
	}
	w.note("hookbridge: SIGCONT")
	w.stopped = false
	_ = w.agent.Process.Signal(syscall.SIGCONT)
	w.mu.Lock()
	defer w.mu.Unlock()
	// Where libvirtd was not restarted the connections are still there: it has to
	// catch up only.
	now := time.Now()
	for uri, since := range w.sessions {
		if since.After(w.daemonLost) && !w.daemonOff {
			w.watching[uri] = now
		}
	}
	w.watches(now.Add(2 * noticing))
}

func (w *turmoil) stopAgent(sig syscall.Signal) {
	if w.agent == nil {
		return
	}
	w.note("hookbridge: %v", sig)
	w.resume()
	w.unwatch()
	_ = w.agent.Process.Signal(sig)
	err := w.agent.Wait()
	if sig == syscall.SIGTERM && err != nil {
		w.t.Errorf("hookbridge after SIGTERM: %v", err)
	}
	w.agent = nil
}

func (w *turmoil) agentSaid(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.said[w.run:], func(l string) bool { return strings.Contains(l, text) })
}

func (w *turmoil) awaitWatching() {
	w.t.Helper()
	timeout := time.After(testhost.DefaultWait)
	for {
		w.mu.Lock()
		all := w.lost.IsZero()
		w.mu.Unlock()
		if all {
			return
		}
		select {
		case <-w.more:
		case <-timeout:
			w.explain(nil, nil)
			w.t.Fatal("hookbridge does not watch both connections")
		}
	}
}

// stepDaemon ends libvirtd, or starts it.
func (w *turmoil) stepDaemon() {
	if w.daemonOff {
		w.startDaemon()
		return
	}
	w.unwatch()
	w.restarts = append(w.restarts, reckon.Window{From: time.Now()})
	if w.chance(50) {
		w.note("libvirtd: SIGTERM")
		w.StopDaemon(w.t)
	} else {
		w.note("libvirtd: SIGKILL")
		w.KillDaemon(w.t)
	}
	w.unwatch() // what was said until now was about the old one
	w.daemonLost = time.Now()
	w.daemonOff = true
	w.done["restart of libvirtd"]++
	if w.chance(60) {
		w.startDaemon()
	}
}

func (w *turmoil) startDaemon() {
	if !w.daemonOff {
		return
	}
	w.note("libvirtd: start")
	w.StartDaemon(w.t)
	w.daemonOff = false
	// It answers before it has found all guests again.
	w.restarts[len(w.restarts)-1].To = time.Now().Add(4 * time.Second)
	w.note("libvirtd answers")
}

// withoutDaemon does what can be done while libvirtd is down.
func (w *turmoil) withoutDaemon() {
	w.killGuest(pick(w, w.guests).Name)
}

func (w *turmoil) circumstances() reckon.Circumstances {
	c := reckon.Circumstances{Unwatched: w.unwatched, Restarts: w.restarts, Links: w.links, Held: w.holds, Refused: w.refused, Containers: map[string]bool{}}
	for _, guest := range w.containers {
		c.Containers[guest.Name] = true
	}
	return c
}

// watched says how much of the time hookbridge watched everything.
func (w *turmoil) watched() string {
	var down time.Duration
	for _, o := range w.unwatched {
		down += o.To.Sub(o.From)
	}
	return fmt.Sprintf("%d outages of %v together in %v", len(w.unwatched), down.Round(time.Second), time.Since(w.begun).Round(time.Second))
}
