package agent

import (
	"errors"
	"maps"
	"sync"
	"time"

	"libvirt.org/go/libvirt"
)

// standing is how a connection stands, for people. Its watcher enters it.
type standing struct {
	mu  sync.Mutex
	now connectionStanding
}

type connectionStanding struct {
	connected, ready bool
	since            time.Time // when the present session began, or the last one ended
	sessions         int       // that were established
	failure          string    // why the last session ended, or none came about
	failed           time.Time
	version          uint32 // the daemon's
	daemon           string // its run, where it is known
	have             map[Feature]bool
	interval         time.Duration // of comparisons; 0 or less: none
	compared         map[Comparison]int
	lastCompared     time.Time
	comparing        time.Duration // that the last took
	overflows        int
	dropped          int
	unseen           int
}

// Comparison says why everything on a connection was compared with what was announced.
type Comparison string

// The reasons.
const (
	ComparedAtConnect  Comparison = "connect"  // the session began
	ComparedOnTime     Comparison = "interval" // the time for it had come
	ComparedOnOverflow Comparison = "overflow" // events were lost
	ComparedTakeOver   Comparison = "takeover" // the networks were followed through another connection
)

// Comparisons returns all reasons.
func Comparisons() []Comparison {
	return []Comparison{ComparedAtConnect, ComparedOnTime, ComparedOnOverflow, ComparedTakeOver}
}

// up notes that a session is established.
func (s *standing) up(version uint32, daemon string, has *features, interval time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.connected, s.now.ready, s.now.since = true, false, time.Now()
	s.now.sessions++
	s.now.version, s.now.daemon, s.now.interval = version, daemon, interval
	s.now.have = maps.Clone(has.have)
}

// settledDown notes that everything has been looked at for the first time.
func (s *standing) settledDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.ready = true
}

// down notes that there is no session, and why.
func (s *standing) down(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.connected || s.now.since.IsZero() {
		s.now.since = time.Now()
	}
	s.now.connected, s.now.ready = false, false
	if err != nil {
		s.now.failure, s.now.failed = err.Error(), time.Now()
		if e := (libvirt.Error{}); errors.As(err, &e) {
			s.now.failure = e.Message
		}
	}
}

// compared notes a comparison that began at a time and has ended.
func (s *standing) compared(why Comparison, began time.Time, has *features) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.compared == nil {
		s.now.compared = map[Comparison]int{}
	}
	s.now.compared[why]++
	s.now.lastCompared, s.now.comparing = began, time.Since(began)
	s.now.have = maps.Clone(has.have)
}

// overflowed notes that events were lost; dropped is how many, as far as it is known.
func (s *standing) overflowed(dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.overflows++
	s.now.dropped += dropped
}

// missedGuest notes that a guest had come and gone before anything of it could be read.
func (s *standing) missedGuest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.unseen++
}

func (s *standing) snapshot() connectionStanding {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now
	now.have, now.compared = maps.Clone(now.have), maps.Clone(now.compared)
	return now
}

// sources says how each kind of change is noticed.
func (s *connectionStanding) sources(local bool) []SourceStatus {
	missed := SourceOff
	switch {
	case s.have[Kicks] && local:
		missed = SourceKick
	case s.interval > 0:
		missed = SourceReconcile
	}
	by := func(change string, f Feature, without Source) SourceStatus {
		if f != "" && s.have[f] {
			return SourceStatus{Change: change, Source: SourceEvent, Feature: f}
		}
		return SourceStatus{Change: change, Source: without}
	}
	if s.sessions == 0 {
		return []SourceStatus{}
	}
	return []SourceStatus{
		{Change: "guests", Source: SourceEvent},
		by("networks", NetworkEvents, missed),
		by("interfaces-added", DeviceAdded, missed),
		by("interfaces-removed", DeviceRemoved, missed),
		by("interfaces-moved", "", missed),
		by("connection-lost", CloseCallback, SourcePoll),
	}
}
