package reckon

import (
	"container/heap"
	"slices"
	"strings"
)

// story is what one object went through: as libvirt told it, and as hookbridge
// did.
type story struct {
	native, ours  []Call // all calls
	theirs, mine  []int  // this object's
	circumstances Circumstances

	// orphaned are the calls that took a network away below the interface, by
	// their place in theirs: libvirt 9.0 then forgets its port.
	orphaned map[int]bool

	truths []truth
}

// move is a step of an alignment: calls of libvirt's and calls of hookbridge's
// that stand for each other. The name is that of the difference, empty for equal
// calls.
type move struct {
	name         string
	native, ours []int
	cost         int
	to           node
}

// node is a place in both stories. told is where the interface is plugged, as
// far as hookbridge has said.
type node struct {
	i, j int
	told string
}

const (
	lost    = "lost"
	doubled = "doubled"

	// never is the cost of an error: more than any number of allowed differences
	// that could explain it away.
	never = 1 << 20
)

// orphans puts the ends of networks into the story of an interface.
func (s *story) orphans(native []Call) {
	s.orphaned = map[int]bool{}
	if len(s.theirs) == 0 {
		return
	}
	var story []int
	k, plugged := 0, map[string]bool{}
	for n := s.theirs[0]; n < len(native); n++ {
		switch c := native[n]; {
		case k < len(s.theirs) && s.theirs[k] == n:
			plugged[c.Network] = c.Op == "plugged"
			story = append(story, n)
			k++
		case c.MAC == "" && c.Op == "stopped" && plugged[c.Network]:
			s.orphaned[len(story)] = true
			story = append(story, n)
		}
	}
	s.theirs = story
}

// align finds the cheapest way through both stories.
func (s *story) align() []move {
	end := node{i: len(s.theirs), j: len(s.mine)}
	best := map[node]int{{}: 0}
	came := map[node]step{}
	queue := &frontier{{}}
	for queue.Len() > 0 {
		at := heap.Pop(queue).(reached)
		if at.cost > best[at.node] {
			continue
		}
		if at.i == end.i && at.j == end.j {
			end = at.node
			break
		}
		for _, m := range s.moves(at.node) {
			cost := at.cost + m.cost
			if old, had := best[m.to]; had && old <= cost {
				continue
			}
			best[m.to] = cost
			came[m.to] = step{at.node, m}
			heap.Push(queue, reached{m.to, cost})
		}
	}
	var path []move
	for at := end; at != (node{}); at = came[at].from {
		path = append(path, came[at].move)
	}
	slices.Reverse(path)
	return path
}

type step struct {
	from node
	move move
}

type reached struct {
	node
	cost int
}

type frontier []reached

func (f frontier) Len() int           { return len(f) }
func (f frontier) Less(a, b int) bool { return f[a].cost < f[b].cost }
func (f frontier) Swap(a, b int)      { f[a], f[b] = f[b], f[a] }

// Push is for package heap, which calls it with a reached.
func (f *frontier) Push(x any) { *f = append(*f, x.(reached)) }

// Pop is for package heap, and returns a reached.
func (f *frontier) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

func (s *story) their(i int) Call { return s.native[s.theirs[i]] }
func (s *story) my(j int) Call    { return s.ours[s.mine[j]] }

// moves are the ways on from a place in the stories.
func (s *story) moves(at node) []move {
	if s.orphaned[at.i] {
		// Not a call of this story.
		return []move{{name: passed, to: node{at.i + 1, at.j, at.told}}}
	}
	all := s.outages(at)
	if at.i < len(s.theirs) && at.j < len(s.mine) && s.their(at.i).same(s.my(at.j)) {
		all = append(all, s.step(at, "", 1, 1, s.lag(at)))
	}
	if at.j < len(s.mine) {
		all = append(all, s.step(at, doubled, 0, 1, never+never/2))
		if at.j > 0 && s.my(at.j).Retry && s.my(at.j).same(s.my(at.j-1)) {
			all = append(all, s.step(at, Retried, 0, 1, 1))
		}
		if s.belowGuest(at) {
			all = append(all, s.step(at, BelowGuest, 0, 1, 2))
		}
	}
	if at.i < len(s.theirs) {
		all = append(all, s.step(at, lost, 1, 0, never))
		if s.linkUpdate(at.i) {
			all = append(all, s.step(at, LinkState, 1, 0, 2))
		}
		if s.failed(at.i) {
			all = append(all, s.step(at, FailedStart, 1, 0, 2))
		}
		if s.containerAgain(at.i) {
			all = append(all, s.step(at, Container, 1, 0, 2))
		}
	}
	return all
}

// lag makes the nearest of several equal calls the counterpart, and one of a start that
// failed only if there is no other: hookbridge has hardly ever seen such a thing.
func (s *story) lag(at node) int {
	lag := min(int(s.my(at.j).Time.Sub(s.their(at.i).Time).Abs().Seconds()), 60)
	if s.their(at.i).Failed {
		lag += 5
	}
	return lag
}

// passed is the name of a step over something that is no call.
const passed = "passed"

// step makes a move over the next calls of both stories.
func (s *story) step(at node, name string, theirs, mine, cost int) move {
	m := move{name: name, cost: cost, to: node{at.i + theirs, at.j + mine, at.told}}
	for i := at.i; i < m.to.i; i++ {
		if !s.orphaned[i] {
			m.native = append(m.native, s.theirs[i])
		}
	}
	for j := at.j; j < m.to.j; j++ {
		m.ours = append(m.ours, s.mine[j])
		m.to.told = after(m.to.told, s.my(j))
	}
	return m
}

// after returns where the interface is plugged after a call.
func after(told string, c Call) string {
	if c.MAC == "" {
		return told
	}
	networks := strings.Split(told, "\n")
	networks = slices.DeleteFunc(networks, func(n string) bool { return n == "" || n == c.Network })
	if c.Op == "plugged" {
		networks = append(networks, c.Network)
	}
	return strings.Join(networks, "\n")
}

// truth is what libvirt has said of the object up to a place in its story.
type truth struct {
	at       string // where an interface is plugged, or "up" for a network
	orphan   bool   // its network was taken away
	life     int    // the guest's run, or the network's
	starting bool   // in the midst of a start, or of a move
	again    bool   // plugged once more by the last call
}

// truth is read off a list that is made once.
func (s *story) truth(i int) truth {
	if s.truths == nil {
		s.truths = make([]truth, 1, len(s.theirs)+1)
		for k := range s.theirs {
			s.truths = append(s.truths, s.next(s.truths[k], k))
		}
	}
	return s.truths[i]
}

// next is the truth after their k-th call.
func (s *story) next(t truth, k int) truth {
	c := s.their(k)
	t.again = false
	switch {
	case s.orphaned[k]:
		t.orphan = true
	case c.Op == "start":
		t.starting = true
	case c.Op == "started":
		t = truth{at: "up", life: t.life + 1}
	case c.Op == "stopped":
		t = truth{life: t.life}
	case c.Op == "plugged":
		t.again = t.at == c.Network
		t.starting = t.at != "" && t.at != c.Network && !t.orphan && s.movesOn(k)
		t.at, t.orphan, t.life = c.Network, false, c.Run
	case c.Op == "unplugged":
		if t.at == c.Network {
			t.at = ""
		}
		t.starting = false
	}
	return t
}

// movesOn reports whether the next call gives back another place.
func (s *story) movesOn(k int) bool {
	return k+1 < len(s.theirs) && !s.orphaned[k+1] && s.their(k+1).Op == "unplugged" && s.their(k+1).Network != s.their(k).Network
}

// belowGuest: libvirt 1.2.2 gives back the place in a network that is gone, and
// 9.0 does not.
func (s *story) belowGuest(at node) bool {
	c, t := s.my(at.j), s.truth(at.i)
	if c.MAC == "" || !t.orphan || !slices.Contains(strings.Split(at.told, "\n"), c.Network) {
		// A move out of such a network: the truth is elsewhere by now.
		return c.Op == "unplugged" && s.wasOrphan(at.i, c.Network) && slices.Contains(strings.Split(at.told, "\n"), c.Network) && t.at != c.Network
	}
	return c.Op == "unplugged" || slices.ContainsFunc(s.circumstances.Restarts, func(w Window) bool { return w.From.Before(c.Time) })
}

func (s *story) wasOrphan(i int, network string) bool {
	for k := i - 1; k >= 0; k-- {
		if s.their(k).Network == network {
			return s.orphaned[k]
		}
	}
	return false
}

// linkUpdate: where the network was taken away and came back, an update that moves
// nothing makes a new port, and has no old one to delete.
func (s *story) linkUpdate(i int) bool {
	c, t := s.their(i), s.truth(i)
	return c.Op == "plugged" && t.orphan && t.at == c.Network && anyHolds(s.circumstances.Links, c.Time)
}

// failed: a start that failed has no event. Of a network it is a start that no
// started follows.
func (s *story) failed(i int) bool {
	c := s.their(i)
	if c.Op == "start" {
		return i+1 == len(s.theirs) || s.their(i+1).Op != "started"
	}
	return c.Failed
}

func (s *story) containerAgain(i int) bool {
	c, t := s.their(i), s.truth(i)
	return s.circumstances.Containers[c.Guest] && c.Op == "plugged" && t.at == c.Network && t.life == c.Run &&
		anyHolds(s.circumstances.Restarts, c.Time)
}
