package reckon

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var zero = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return zero.Add(time.Duration(seconds * float64(time.Second)))
}

// log reads calls, a line each: second, network, operation, and for an
// interface guest/MAC, with /run for libvirt's; RETRY or FAILED at the end.
func log(t *testing.T, text string) []Call {
	t.Helper()
	var calls []Call
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		second, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		c := Call{Time: at(second), Network: f[1], Op: f[2], Retry: strings.Contains(line, "RETRY"), Failed: strings.Contains(line, "FAILED")}
		if len(f) > 3 && strings.Contains(f[3], "/") {
			who := append(strings.Split(f[3], "/"), "1")
			c.Guest, c.MAC = who[0], who[1]
			if c.Run, err = strconv.Atoi(who[2]); err != nil {
				t.Fatal(err)
			}
		}
		calls = append(calls, c)
	}
	return calls
}

func windows(bounds ...float64) []Window {
	var all []Window
	for i := 0; i < len(bounds); i += 2 {
		all = append(all, Window{at(bounds[i]), at(bounds[i+1])})
	}
	return all
}

const lifeOfAGuest = `
	1 a start
	2 a started
	3 a plugged g/m1
	4 a plugged g/m2
	5 b start
	6 b started
	7 b plugged h/m3
	8 a plugged h/m4
	9 a unplugged g/m1
	10 a unplugged g/m2
	11 b unplugged h/m3
	12 a unplugged h/m4
	13 a stopped`

func TestEqualLogs(t *testing.T) {
	calls := log(t, lifeOfAGuest)
	r := Compare(calls, calls, Circumstances{})
	if !r.OK() || r.Matched != 13 || len(r.Allowed) != 0 {
		t.Errorf("%+v", r)
	}
}

// Every single change of the log is found, when nothing was down.
func TestEveryChangeIsFound(t *testing.T) {
	native := log(t, lifeOfAGuest)
	for i := range native {
		without := append(append([]Call{}, native[:i]...), native[i+1:]...)
		if r := Compare(native, without, Circumstances{}); len(r.Lost) == 0 {
			t.Errorf("%s lost: not found", native[i])
		}
		twice := append(append(append([]Call{}, native[:i+1]...), native[i]), native[i+1:]...)
		if r := Compare(native, twice, Circumstances{}); len(r.Doubled) == 0 {
			t.Errorf("%s doubled: not found", native[i])
		}
		if i+1 < len(native) && (native[i].Network == native[i+1].Network || native[i].Guest != "" && native[i].Guest == native[i+1].Guest) {
			swapped := append([]Call{}, native...)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			if r := Compare(native, swapped, Circumstances{}); r.OK() {
				t.Errorf("%s and %s swapped: not found", native[i], native[i+1])
			}
		}
	}
}

// compared compares and returns the result in short.
func compared(t *testing.T, native, ours string, c Circumstances) map[string]int {
	t.Helper()
	r := Compare(log(t, native), log(t, ours), c)
	got := map[string]int{}
	for name, n := range r.Allowed {
		got[name] = n
	}
	for name, list := range map[string][]string{lost: r.Lost, doubled: r.Doubled, "disorder": r.Disorder} {
		if len(list) > 0 {
			got[name] = len(list)
		}
	}
	return got
}

func TestDifferences(t *testing.T) {
	up := "1 a start\n2 a started\n"
	down := Circumstances{Unwatched: windows(10, 20)}
	restart := Circumstances{Unwatched: windows(10, 20), Restarts: windows(10, 15), Containers: map[string]bool{"c": true}}
	for name, test := range map[string]struct {
		native, ours string
		c            Circumstances
		want         map[string]int
	}{
		"a pair in an outage": {
			up + "11 a plugged g/m\n12 a unplugged g/m", up, down, map[string]int{Unobserved: 2},
		},
		"a pair in no outage": {
			up + "8 a plugged g/m\n9 a unplugged g/m", up, down, map[string]int{lost: 2},
		},
		"a pair that began before the outage": {
			up + "9 a plugged g/m\n12 a unplugged g/m", up, down, map[string]int{lost: 2},
		},
		"a pair that ended after the outage": {
			up + "19 a plugged g/m\n22 a unplugged g/m", up, down, map[string]int{lost: 2},
		},
		"half a pair, the end": {
			up + "11 a plugged g/m\n12 a unplugged g/m", up + "21 a plugged g/m", down, map[string]int{lost: 1},
		},
		"half a pair, the beginning": {
			up + "11 a plugged g/m\n12 a unplugged g/m", up + "21 a unplugged g/m", down, map[string]int{lost: 1},
		},
		"a pair over two outages": {
			up + "11 a plugged g/m\n31 a unplugged g/m", up, Circumstances{Unwatched: windows(10, 20, 30, 40)}, map[string]int{lost: 2},
		},
		"a network's life in an outage": {
			up + "11 b start\n12 b started\n13 b stopped", up, down, map[string]int{Unobserved: 3},
		},
		"a network restarted twice in an outage": {
			up + "11 a stopped\n12 a start\n13 a started\n14 a stopped\n15 a start\n16 a started",
			up + "20 a stopped\n20 a start\n20 a started", down, map[string]int{Unobserved: 3},
		},
		"a network restarted in an outage and not told": {
			up + "11 a stopped\n12 a start\n13 a started", up, down, map[string]int{lost: 3},
		},
		"a network restarted in an outage, half told": {
			up + "11 a stopped\n12 a start\n13 a started", up + "21 a stopped", down, map[string]int{lost: 2},
		},
		"a guest restarted in an outage and not told": {
			up + "3 a plugged g/m/1\n11 a unplugged g/m/1\n12 a plugged g/m/2", up + "3 a plugged g/m", down, map[string]int{lost: 2},
		},
		"a guest restarted twice in an outage": {
			up + "3 a plugged g/m/1\n11 a unplugged g/m/1\n12 a plugged g/m/2\n13 a unplugged g/m/2\n14 a plugged g/m/3",
			up + "3 a plugged g/m\n20 a unplugged g/m\n20 a plugged g/m", down, map[string]int{Unobserved: 2},
		},
		"detached and attached in an outage": {
			up + "3 a plugged c/m\n11 a unplugged c/m\n12 a plugged c/m", up + "3 a plugged c/m", restart, map[string]int{Unobserved: 2},
		},
		"there and back in an outage": {
			up + "2 b start\n2 b started\n3 a plugged g/m\n11 b plugged g/m\n12 a unplugged g/m\n13 a plugged g/m\n14 b unplugged g/m",
			up + "2 b start\n2 b started\n3 a plugged g/m", down, map[string]int{Unobserved: 4},
		},
		"half of a move in an outage": {
			up + "2 b start\n2 b started\n3 a plugged g/m\n11 b plugged g/m\n12 a unplugged g/m",
			up + "2 b start\n2 b started\n3 a plugged g/m\n21 b plugged g/m", down, map[string]int{lost: 1},
		},
		"made again and marked": {
			up, "1 a start\n2 a started\n3 a started RETRY", down, map[string]int{Retried: 1},
		},
		"made again and not marked": {
			up, "1 a start\n2 a started\n3 a started", down, map[string]int{doubled: 1},
		},
		"marked, but of another call": {
			up, "1 a start\n2 a started\n3 a stopped RETRY", down, map[string]int{doubled: 1},
		},
		"a retry too late to be one": {
			up + "3 a plugged g/m\n4 a unplugged g/m", up + "3 a plugged g/m\n4 a unplugged g/m\n5 a plugged g/m RETRY", down, map[string]int{doubled: 1},
		},
		"a container at a restart": {
			up + "3 a plugged c/m\n12 a plugged c/m", up + "3 a plugged c/m", restart, map[string]int{Container: 1},
		},
		"a container at a restart, told": {
			up + "3 a plugged c/m\n12 a plugged c/m\n30 a unplugged c/m", up + "3 a plugged c/m\n20 a plugged c/m\n20 a plugged c/m\n30 a unplugged c/m", restart, map[string]int{doubled: 1},
		},
		"a guest at a restart, not told": {
			up + "3 a plugged g/m\n12 a plugged g/m", up + "3 a plugged g/m", restart, map[string]int{lost: 1},
		},
		"a guest at two restarts in one outage": {
			up + "3 a plugged g/m\n12 a plugged g/m\n14 a plugged g/m", up + "3 a plugged g/m\n20 a plugged g/m", restart, map[string]int{RestartMissed: 1},
		},
		"a guest at two restarts in one outage, none told": {
			up + "3 a plugged g/m\n12 a plugged g/m\n14 a plugged g/m", up + "3 a plugged g/m", restart, map[string]int{lost: 2},
		},
		"a guest that died while libvirtd was down": {
			up + "3 a plugged g/m\n12 a plugged g/m\n14 a unplugged g/m", up + "3 a plugged g/m\n20 a unplugged g/m", restart, map[string]int{RestartMissed: 1},
		},
		"a guest that died while libvirtd was down, not told": {
			up + "3 a plugged g/m\n12 a plugged g/m\n14 a unplugged g/m", up + "3 a plugged g/m", restart, map[string]int{lost: 2},
		},
		"order of a restart": {
			up + "3 a plugged g/m\n4 a plugged g/n\n12 a plugged g/n\n12 a plugged g/m", up + "3 a plugged g/m\n4 a plugged g/n\n20 a plugged g/m\n20 a plugged g/n", restart, map[string]int{RestartOrder: 1},
		},
		"order in an outage": {
			up + "11 a plugged g/m\n12 a plugged h/n", up + "20 a plugged h/n\n20 a plugged g/m", down, map[string]int{OutageOrder: 1},
		},
		"order around an outage": {
			up + "9 a plugged g/m\n12 a plugged h/n", up + "20 a plugged h/n\n20 a plugged g/m", down, map[string]int{"disorder": 1},
		},
		"stopped before unplugged in an outage": {
			up + "3 a plugged g/m\n11 a unplugged g/m\n12 a stopped", up + "3 a plugged g/m\n20 a stopped\n20 a unplugged g/m", down, map[string]int{StoppedEarlier: 1},
		},
		"plugged before started": {
			up + "11 b start\n11 b started\n12 b plugged g/m", up + "20 b plugged g/m\n20 b start\n20 b started", down, map[string]int{OutageOrder: 2, "disorder": 1},
		},
		"the network destroyed below the guest": {
			up + "3 a plugged g/m\n4 a stopped", up + "3 a plugged g/m\n4 a stopped\n5 a unplugged g/m", down, map[string]int{BelowGuest: 1},
		},
		"unplugged without a reason": {
			up + "3 a plugged g/m", up + "3 a plugged g/m\n5 a unplugged g/m", down, map[string]int{doubled: 1},
		},
		"moved out of a destroyed network": {
			up + "2 b start\n2 b started\n3 a plugged g/m\n4 a stopped\n5 b plugged g/m", up + "2 b start\n2 b started\n3 a plugged g/m\n4 a stopped\n5 b plugged g/m\n5 a unplugged g/m", down, map[string]int{BelowGuest: 1},
		},
		"a start that failed": {
			up + "3 a plugged g/m FAILED\n3 a unplugged g/m FAILED", up, down, map[string]int{FailedStart: 2},
		},
		"a link update": {
			up + "3 a plugged g/m\n6 a plugged g/m\n6 a unplugged g/m\n8 a unplugged g/m", up + "3 a plugged g/m\n8 a unplugged g/m",
			Circumstances{Links: windows(5, 7)}, map[string]int{LinkState: 2},
		},
		"a link update and an end that is lost": {
			up + "3 a plugged g/m\n6 a plugged g/m\n6 a unplugged g/m\n8 a unplugged g/m", up + "3 a plugged g/m",
			Circumstances{Links: windows(5, 7)}, map[string]int{LinkState: 2, lost: 1},
		},
		"updated twice in an outage": {
			up + "11 a updated\n12 a updated", up + "20 a updated", down, map[string]int{Superseded: 1},
		},
		"updated once in an outage and lost": {
			up + "11 a updated", up, down, map[string]int{lost: 1},
		},
		"updated and stopped in an outage": {
			up + "11 a updated\n12 a stopped", up + "20 a stopped", down, map[string]int{Superseded: 1},
		},
		"overtaken by another guest while its script elsewhere is slow": {
			up + "2 b start\n2 b started\n4 b plugged g/l\n5 a plugged g/m\n6 a plugged h/n", up + "2 b start\n2 b started\n4 b plugged g/l\n6 a plugged h/n\n8 a plugged g/m",
			Circumstances{Held: []Hold{{windows(4, 8)[0], "b"}}}, map[string]int{HeldOrder: 1},
		},
		"overtaken by another guest while a script of no concern is slow": {
			up + "2 b start\n2 b started\n4 b plugged g/l\n5 a plugged g/m\n6 a plugged h/n", up + "2 b start\n2 b started\n4 b plugged g/l\n6 a plugged h/n\n8 a plugged g/m",
			Circumstances{Held: []Hold{{windows(4, 8)[0], "c"}}}, map[string]int{"disorder": 1},
		},
		"stopped overtakes while a script is slow": {
			up + "4 a plugged g/m\n5 a unplugged g/m\n6 a stopped", up + "4 a plugged g/m\n6 a stopped\n8 a unplugged g/m", Circumstances{Held: []Hold{{windows(4, 8)[0], "b"}}}, map[string]int{"disorder": 1},
		},
		"overtaken while this network's own script is slow": {
			up + "5 a plugged g/m\n6 a plugged h/n", up + "6 a plugged h/n\n8 a plugged g/m",
			Circumstances{Held: []Hold{{windows(4, 8)[0], "a"}}}, map[string]int{"disorder": 1},
		},
		// The retries of the first plugged can be told from the call at the restart
		// of libvirtd by the other interface's place among them only.
		"a retry, and the call at a restart of libvirtd": {
			up + "5 a plugged g/m\n5 a plugged g/n\n12 a plugged g/n\n12 a plugged g/m",
			up + "5 a plugged g/m\n13 a plugged g/m RETRY\n14 a plugged g/n RETRY\n14 a plugged g/m RETRY\n14 a plugged g/n RETRY",
			Circumstances{Unwatched: windows(10, 15), Restarts: windows(10, 14)}, map[string]int{Retried: 1, RestartOrder: 1},
		},
		"a retry, and a call out of order": {
			up + "5 a plugged g/m\n6 a plugged g/n", up + "6 a plugged g/n\n7 a plugged g/m\n8 a plugged g/m RETRY", Circumstances{}, map[string]int{Retried: 1, "disorder": 1},
		},
		"plugged again at a restart into a network that is gone, and there again when the script runs": {
			up + "5 a plugged g/m\n6 a stopped\n16 a unplugged g/m\n17 a start\n17 a started",
			up + "5 a plugged g/m\n6 a stopped\n18 a plugged g/m\n18 a unplugged g/m\n18 a start\n18 a started",
			Circumstances{Unwatched: windows(10, 14), Restarts: windows(10, 14)}, map[string]int{BelowGuest: 1},
		},
		"plugged into a network that is gone, without a restart": {
			up + "5 a plugged g/m\n6 a stopped\n7 a plugged g/m", up + "5 a plugged g/m\n6 a stopped\n7 a plugged g/m", Circumstances{}, map[string]int{"disorder": 1},
		},
		"unplugged below the guest, and a start that failed": {
			up + "2 b start\n2 b started\n3 a plugged g/m/1\n3 b plugged g/n/1\n4 a stopped\n5 a start\n5 a started\n6 b unplugged g/n/1\n6.1 a plugged g/m/2 FAILED\n6.2 a unplugged g/m/2 FAILED",
			up + "2 b start\n2 b started\n3 a plugged g/m\n3 b plugged g/n\n4 a stopped\n5 a start\n5 a started\n6 a unplugged g/m\n6.05 b unplugged g/n",
			Circumstances{}, map[string]int{BelowGuest: 1, FailedStart: 2},
		},
		"a retry, behind starts that failed": {
			up + "2 b start\n2 b started\n4 a plugged g/m/1 FAILED\n4.1 a unplugged g/m/1 FAILED\n4.2 a plugged g/m/2 FAILED\n4.3 a unplugged g/m/2 FAILED\n5 a plugged g/m/3\n5.1 b plugged g/n/3\n5.2 a unplugged g/m/3",
			up + "2 b start\n2 b started\n5.05 a plugged g/m\n5.15 b plugged g/n\n5.25 a unplugged g/m\n5.5 a unplugged g/m RETRY",
			Circumstances{Unwatched: windows(4.15, 5.6)}, map[string]int{Retried: 1, FailedStart: 4},
		},
		"an attachment that failed": {
			up + "5 a plugged c/m\n12 a plugged c/m", up, Circumstances{Refused: map[string]bool{"m": true}}, map[string]int{FailedAttach: 2},
		},
		"the nearest counterpart": {
			up + "3 a plugged g/m\n4 a unplugged g/m\n8 a plugged g/m\n9 a unplugged g/m", up + "8 a plugged g/m\n9 a unplugged g/m",
			down, map[string]int{lost: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, compared(t, test.native, test.ours, test.c)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Of several outages in which a pair can have come and gone, it is the one before
// the calls that were made next: what hookbridge catches up on is what it has
// missed last.
func TestPairIsMissingFromTheNearestOutage(t *testing.T) {
	const up = "1 a start\n2 a started\n"
	native := log(t, up+`
		64.4 a plugged g/m/1
		67.5 a unplugged g/m/1
		68.4 a plugged g/m/2
		68.9 a unplugged g/m/2
		69.2 a plugged g/m/3
		71.0 a unplugged g/m/3
		71.1 a plugged g/m/4
		71.7 a unplugged g/m/4
		72.6 a plugged g/m/5
		73.1 a unplugged g/m/5`)
	ours := log(t, up+`
		64.7 a plugged g/m
		69.2 a unplugged g/m RETRY
		69.4 a plugged g/m
		74.1 a unplugged g/m RETRY
		74.1 a plugged g/m RETRY
		74.2 a unplugged g/m RETRY
		74.2 a plugged g/m RETRY
		74.2 a unplugged g/m`)
	r := Compare(native, ours, Circumstances{Unwatched: windows(67.3, 69.25, 70.2, 71.5, 70.7, 74.3)})
	if !r.OK() || r.Allowed[Unobserved] != 2 {
		t.Errorf("%+v", r)
	}
	for _, told := range r.Told {
		if strings.HasPrefix(told, Unobserved) && !strings.Contains(told, "00:01:08") && !strings.Contains(told, "00:01:07") {
			t.Errorf("missing: %s", told)
		}
	}
}
