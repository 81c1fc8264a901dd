package reckon

import "slices"

// outages are the moves over calls that fall into one outage: hookbridge then
// says what differs between before and after.
func (s *story) outages(at node) []move {
	if at.i == len(s.theirs) {
		return nil
	}
	var all []move
	for _, w := range s.circumstances.Unwatched {
		if !w.holds(s.their(at.i).Time) {
			continue
		}
		before := s.truth(at.i)
		if before.starting {
			continue
		}
		updates := 0
		for k := at.i; k < len(s.theirs) && w.holds(s.their(k).Time); k++ {
			if s.their(k).Op == "updated" {
				updates++
			}
			now := s.truth(k + 1)
			if now.starting || k == at.i && !s.orphaned[k] && !now.again {
				continue // one call alone is told, or lost
			}
			for _, want := range s.difference(before, now, at, k+1, updates) {
				if s.follows(at.j, want, w) {
					m := s.step(at, s.nameOf(at.i, k+1), k+1-at.i, len(want), 0)
					m.cost = 1 + 2*(len(m.native)-len(m.ours))
					if m.cost > 0 {
						m.cost += s.late(m.ours, w)
						all = append(all, m)
					}
				}
			}
		}
	}
	return all
}

// follows reports whether hookbridge's next calls are these, made after the
// outage had begun.
func (s *story) follows(j int, want []Call, w Window) bool {
	if j+len(want) > len(s.mine) {
		return false
	}
	for n, c := range want {
		if !s.my(j+n).same(c) || s.my(j+n).Time.Before(w.From) {
			return false
		}
	}
	return true
}

// late makes the outage that ended last before hookbridge's calls the one that
// they are about, as lag does for single calls.
func (s *story) late(ours []int, w Window) (cost int) {
	for _, o := range ours {
		cost += min(max(0, int(s.ours[o].Time.Sub(w.To).Seconds())), 60)
	}
	return cost
}

// difference is what there is to tell of an outage, in the ways that are right.
func (s *story) difference(before, now truth, at node, k, updates int) [][]Call {
	c := s.their(at.i)
	if c.MAC == "" {
		return networkDifference(before, now, c.Network, updates)
	}
	call := func(op, network string) Call {
		return Call{Network: network, Op: op, Guest: c.Guest, MAC: c.MAC}
	}
	from, to := before.at, now.at
	if before.orphan && at.told == "" {
		from = "" // the end of it has been told
	}
	sameRun := before.life == now.life
	switch {
	case from == "" && to == "":
		return [][]Call{{}}
	case from == "":
		return [][]Call{{call("plugged", to)}}
	case to == "":
		return [][]Call{{call("unplugged", from)}}
	case !sameRun:
		return [][]Call{{call("unplugged", from), call("plugged", to)}}
	case from != to:
		return [][]Call{{call("plugged", to), call("unplugged", from)}}
	case s.restarted(at.i, k) && !s.circumstances.Containers[c.Guest]:
		return [][]Call{{call("plugged", to)}}
	default:
		return [][]Call{{}}
	}
}

func networkDifference(before, now truth, network string, updates int) [][]Call {
	call := func(op string) Call { return Call{Network: network, Op: op} }
	up := []Call{call("start"), call("started")}
	switch {
	case before.at == "" && now.at == "":
		return [][]Call{{}}
	case before.at == "":
		return [][]Call{up}
	case now.at == "":
		return [][]Call{{call("stopped")}}
	case before.life != now.life:
		return [][]Call{append([]Call{call("stopped")}, up...)}
	case updates > 1: // the last may have taken back the first
		return [][]Call{{call("updated")}, {}}
	default:
		return nil
	}
}

// restarted reports whether libvirt plugged the interface once more, without
// having given back its place, among these calls.
func (s *story) restarted(i, k int) bool {
	for n := i; n < k; n++ {
		if s.orphaned[n] {
			continue
		}
		if t := s.truth(n); s.their(n).Op == "plugged" && t.at == s.their(n).Network && t.life == s.their(n).Run &&
			anyHolds(s.circumstances.Restarts, s.their(n).Time) {
			return true
		}
	}
	return false
}

// nameOf says what a block of calls holds that is not told.
func (s *story) nameOf(i, k int) string {
	ops := map[string]bool{}
	for n := i; n < k; n++ {
		if !s.orphaned[n] {
			ops[s.their(n).Op] = true
		}
	}
	switch {
	case ops["updated"]:
		return Superseded
	case s.restarted(i, k) || !slices.Contains([]bool{ops["unplugged"], ops["start"], ops["stopped"]}, true):
		return RestartMissed
	default:
		return Unobserved
	}
}
