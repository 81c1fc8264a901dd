package farm

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"hookbridge/internal/testhost"
)

// scriptText is what storms call: it reads the document as such scripts do, with
// sed, and writes two lines: when it begins, and, with the MAC, when it ends.
const scriptText = `#!/bin/sh
log=${0%/*}/log
echo "begin $1" >>"$log"
mac=$(sed -n "/<mac address=/{s/.*<mac address='\([^']*\)'.*/\1/p;q}")
echo "end $1 $2 $mac" >>"$log"
`

// Script is a hook script that is quick, and writes all its calls into one file.
type Script struct {
	t    testing.TB
	path string
}

// InstallScript puts one into a hook directory. What more says is run behind the
// rest, with the call's arguments, and the MAC in $mac.
func InstallScript(t testing.TB, dir, more string) *Script {
	t.Helper()
	s := &Script{t: t, path: filepath.Join(dir, "network")}
	for _, err := range []error{
		os.MkdirAll(dir, 0o755),
		testhost.WriteProgram(s.path, []byte(scriptText+more), 0o755),
		os.WriteFile(s.log(), nil, 0o644),
	} {
		s.must(err)
	}
	return s
}

func (s *Script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("farm: %v", err)
	}
}

// Path is where it is.
func (s *Script) Path() string { return s.path }

func (s *Script) log() string { return filepath.Join(filepath.Dir(s.path), "log") }

// Clear forgets the calls so far.
func (s *Script) Clear() {
	s.t.Helper()
	s.must(os.Truncate(s.log(), 0))
}

// Lines returns the calls so far: "begin NETWORK", "end NETWORK OP MAC".
func (s *Script) Lines() []string {
	s.t.Helper()
	text, err := os.ReadFile(s.log())
	s.must(err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// Await returns when that many calls have ended. It fails the test when no call is
// made for a minute.
func (s *Script) Await(calls int) {
	s.t.Helper()
	watch, err := fsnotify.NewWatcher()
	s.must(err)
	defer watch.Close()
	s.must(watch.Add(s.log()))
	f, err := os.Open(s.log())
	s.must(err)
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

// Faults accounts for every call of a storm among guests whose MACs count up: none
// is lost or doubled, none of one network overlap, and each guest's are in order.
func (s *Script) Faults(guests []*Domain) []string {
	s.t.Helper()
	var faults []string
	busy := map[string]bool{}      // networks
	story := map[string][]string{} // of each MAC
	last := map[string]string{}    // call of each guest
	order := map[string][]string{} // of the MACs of each guest
	owner := map[string]string{}
	for _, d := range guests {
		name, err := d.GetName()
		s.must(err)
		order[name] = MACs(s.t, d)
		for _, mac := range order[name] {
			owner[mac] = name
		}
	}
	for _, line := range s.Lines() {
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
	return faults
}
