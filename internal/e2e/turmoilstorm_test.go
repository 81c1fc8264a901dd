//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"hookbridge/internal/testhost"
)

// What a storm makes has names and MACs of its own, the same in each storm.
const (
	stormPrefix = "storm-"
	stormMAC    = 0xf000
)

// stepStorm makes transient networks and guests and ends them again as fast as
// libvirtd can. One virsh does it all: of two at the same time nobody could tell
// libvirt's order. Now and then hookbridge is killed and started in the midst.
func (w *turmoil) stepStorm() {
	if w.agent == nil || w.stopped || w.daemonOff {
		return
	}
	w.release()
	var begin, end []string
	names := make([]string, 20+w.rand.IntN(21))
	for i := range names {
		n := testhost.Network{Name: fmt.Sprintf("%s%d", stormPrefix, i)}
		if w.chance(60) {
			n = testhost.HostBridge(n.Name, pick(w, []string{"hostbr0", "hostbr1"}))
		}
		names[i] = n.Name
		begin = append(begin, "net-create "+w.File(w.t, n.XML()))
		end = append(end, "net-destroy "+n.Name)
	}
	// All guests have their cards in the same two networks, in the same order. Else a
	// guest that waits for its first card's network is passed by others in the second's.
	first, second := pick(w, names), pick(w, names)
	var stops []string
	guests := 6 + w.rand.IntN(7)
	for i := range guests {
		g := testhost.Guest{Name: fmt.Sprintf("%sguest%d", stormPrefix, i), NICs: []testhost.NIC{
			{Network: first, MAC: testhost.MAC(stormMAC + 2*i)}, {Network: second, MAC: testhost.MAC(stormMAC + 2*i + 1)},
		}}
		begin = append(begin, "create "+w.File(w.t, g.XML()))
		stops = append(stops, "destroy "+g.Name)
	}
	commands := slices.Concat(begin, stops, end)

	w.note("storm: %d networks, %d guests in %s and %s", len(names), guests, first, second)
	calls := len(w.Native().MustCalls(w.t))
	var said strings.Builder
	virsh := w.Command(context.Background(), "virsh", "-c", "qemu:///system", strings.Join(commands, "; "))
	virsh.Stdout, virsh.Stderr = &said, &said
	if err := virsh.Start(); err != nil {
		w.t.Fatal(err)
	}
	if w.chance(30) {
		w.Native().WaitN(w.t, calls+w.rand.IntN(2*len(names)))
		w.stopAgent(syscall.SIGKILL)
		w.startAgent()
		w.done["SIGKILL of hookbridge in a storm"]++
	}
	if err := virsh.Wait(); err != nil {
		w.t.Errorf("a storm: %v\n%s", err, said.String())
	}
	w.note("the storm is over")
	w.done["storm"]++
	for name, accepted := range map[string]string{
		"net-create": `(?m)^Network .* created from`, "net-destroy": `(?m)^Network .* destroyed`,
		"create": `(?m)^Domain .* created from`, "destroy": `(?m)^Domain .* destroyed`,
	} {
		w.done[name+" in a storm"] += len(regexp.MustCompile(accepted).FindAllString(said.String(), -1))
	}
	for _, list := range []string{"net-list", "list"} {
		if left := w.Virsh(w.t, list, "--all", "--name"); strings.Contains(left, stormPrefix) {
			w.t.Errorf("a storm has left behind:\n%s\nvirsh said:\n%s", left, said.String())
		}
	}
}
