package translate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestRandomHistories lets guests and networks do anything, in any order and number
// between two looks, and checks what has to hold whatever happens.
func TestRandomHistories(t *testing.T) {
	const histories, looks = 400, 60
	calls := 0
	for seed := range uint64(histories) {
		h := newHistory(t, seed)
		for range looks {
			if h.step(); t.Failed() {
				t.Fatalf("seed %d: %s", seed, strings.Join(h.log, "\n"))
			}
		}
		h.end()
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, strings.Join(h.log, "\n"))
		}
		calls += h.calls
	}
	t.Logf("%d histories of %d looks, %d calls", histories, looks, calls)
}

// history is the truth about one guest and one network, and what has been announced.
type history struct {
	daemon int
	t      *testing.T
	rnd    *rand.Rand
	log    []string

	kind    string
	running bool
	id      int
	nics    []randomNIC
	added   int // interfaces ever attached to this run, the number in the next alias
	active  bool
	life    int

	guest   *Domain
	network *Network
	plugged map[string]int // by network and interface: how often plugged without unplugged
	up      bool
	count   PlugCount
	calls   int
}

type randomNIC struct{ mac, network, alias string }

func newHistory(t *testing.T, seed uint64) *history {
	rnd := rand.New(rand.NewPCG(seed, 1))
	return &history{t: t, rnd: rnd, kind: []string{"qemu", "kvm", "lxc", "test"}[rnd.IntN(4)], plugged: map[string]int{}}
}

// step changes the truth a few times and then looks.
func (h *history) step() {
	var gone []string
	for range h.rnd.IntN(4) {
		gone = append(gone, h.change()...)
	}
	seen := h.observe()
	// An event is news only if the alias is free: see DomainSeen.Removed.
	for _, alias := range gone {
		if !slices.ContainsFunc(h.nics, func(n randomNIC) bool { return n.alias == alias }) {
			seen.Removed = append(seen.Removed, alias)
		}
	}
	if h.rnd.IntN(10) == 0 {
		h.daemon++
	}
	seen.Daemon = fmt.Sprint("daemon ", h.daemon)
	h.lookAtGuest(seen)
	h.lookAtNetwork()
}

func (h *history) change() (gone []string) {
	networks := []string{"neta", "netb", ""}
	n := h.rnd.IntN(10)
	switch {
	case n == 0:
		h.active = !h.active
		h.life++
	case !h.running || n == 1:
		// Starts, or ends and perhaps starts again.
		h.running = !h.running || h.rnd.IntN(2) == 0
		h.id++
		h.nics, h.added = nil, 0
		if h.running {
			for range h.rnd.IntN(5) {
				h.attach(networks[h.rnd.IntN(3)])
			}
		}
	case n == 2:
		h.running = false
	case n < 6:
		h.attach(networks[h.rnd.IntN(3)])
	case len(h.nics) == 0:
	case n < 8:
		i := h.rnd.IntN(len(h.nics))
		gone = append(gone, h.nics[i].alias)
		h.nics = slices.Delete(h.nics, i, i+1)
	default:
		h.nics[h.rnd.IntN(len(h.nics))].network = networks[h.rnd.IntN(3)]
	}
	return gone
}

func (h *history) attach(network string) {
	nic := randomNIC{mac: fmt.Sprintf("m%d", h.rnd.IntN(6)), network: network}
	if h.kind == "qemu" || h.kind == "kvm" {
		nic.alias = fmt.Sprintf("net%d", h.added)
	}
	h.added++
	h.nics = append(h.nics, nic)
}

func (h *history) observe() DomainSeen {
	seen := stopped()
	if h.running {
		var nics []string
		for _, n := range h.nics {
			if n.network == "" {
				nics = append(nics, onBridge("br0", n.mac, n.alias))
			} else {
				nics = append(nics, on(n.network, n.mac, n.alias))
			}
		}
		seen = running(h.kind, h.id, fmt.Sprint(h.rnd.IntN(1000)), nics...)
	}
	seen.NetworkConn = "qemu:///system"
	return seen
}

func (h *history) lookAtGuest(seen DomainSeen) {
	now, calls, err := h.guest.Look(seen, docs)
	if err != nil {
		h.t.Error(err)
	}
	again := map[string]bool{}
	for _, c := range calls {
		h.log = append(h.log, strings.Join(told([]Call{c}), ""))
		key := fmt.Sprintf("%d %s %s %s", c.Domain.ID, c.Network, c.NIC.MAC, c.NIC.Alias)
		switch c.Op {
		case OpPlugged:
			if h.guest != nil && seen.Daemon != h.guest.Daemon && h.guest.ID == c.Domain.ID && now != nil && !again[key] && h.plugged[key] == h.record(now)[key] {
				// Announced again. With two interfaces of one MAC the key stands for both.
				again[key] = h.plugged[key] == 1
				continue
			}
			h.plugged[key]++
		case OpUnplugged:
			if h.plugged[key]--; h.plugged[key] == 0 {
				delete(h.plugged, key)
			}
		}
		if h.plugged[key] < 0 {
			h.t.Errorf("%s without plugged", key)
		}
		h.counted(c)
	}
	h.guest = now
	if want := h.truth(); !sameCounts(h.plugged, want) {
		h.t.Errorf("announced %v, seen %v", h.plugged, want)
	}
	if got := h.record(now); !sameCounts(got, h.truth()) {
		h.t.Errorf("recorded %v, seen %v", got, h.truth())
	}
	if _, calls, _ := now.Look(seen, docs); len(calls) > 0 {
		h.t.Errorf("seen again: %v", told(calls))
	}
	h.calls += len(calls)
}

// truth is what is plugged: by run, network and interface, how many.
func (h *history) truth() map[string]int {
	plugged := map[string]int{}
	for _, n := range h.nics {
		if h.running && n.network != "" {
			plugged[fmt.Sprintf("%d %s %s %s", h.id, n.network, n.mac, n.alias)]++
		}
	}
	return plugged
}

// record is the same as the record of the guest has it.
func (h *history) record(d *Domain) map[string]int {
	plugged := map[string]int{}
	if d != nil {
		for _, n := range d.NICs {
			if n.Network != "" {
				plugged[fmt.Sprintf("%d %s %s %s", d.ID, n.Network, n.MAC, n.Alias)]++
			}
		}
	}
	return plugged
}

func sameCounts(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, n := range a {
		if b[k] != n {
			return false
		}
	}
	return true
}

func (h *history) lookAtNetwork() {
	seen := down()
	if h.active {
		seen = up("")
		seen.Generation = fmt.Sprint(h.life)
	}
	now, calls := h.network.Look(seen)
	for _, c := range calls {
		h.log = append(h.log, string(c.Op))
		switch c.Op {
		case OpStart:
			if h.up {
				h.t.Error("start of a network that is up")
			}
		case OpStarted:
			h.up = true
		case OpStopped:
			if !h.up {
				h.t.Error("stopped of a network that is down")
			}
			h.up = false
		}
		h.counted(c)
	}
	h.network = now
	if h.up != h.active {
		h.t.Errorf("announced as up: %v, active: %v", h.up, h.active)
	}
	if _, calls := now.Look(seen); len(calls) > 0 {
		h.t.Errorf("seen again: %v", calls)
	}
	h.calls += len(calls)
}

func (h *history) counted(c Call) {
	if n := h.count.Of(c); n < 0 || c.Op == OpPlugged && n == 0 || c.Op == OpStart && n != 0 {
		h.t.Errorf("%s %s: %d connections", c.Op, c.Network, n)
	}
}

// end stops everything: then nothing may be left announced or counted.
func (h *history) end() {
	h.running, h.active = false, false
	h.lookAtGuest(h.observe())
	h.lookAtNetwork()
	if h.guest != nil || h.network != nil || len(h.plugged) != 0 {
		h.t.Errorf("left over: %v %v %v", h.guest, h.network, h.plugged)
	}
	for network, n := range h.count.networks {
		if n.total != 0 || len(n.nics) != 0 {
			h.t.Errorf("still counted on %v: %v", network, n.nics)
		}
	}
}
