package sdnotify

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// statusInterval is how often the status line is looked at.
const statusInterval = 5 * time.Second

// Service is this process as systemd sees it. Its methods may be called from any
// goroutine.
type Service struct {
	watchdog time.Duration // systemd's patience; 0: it does not watch

	mu     sync.Mutex
	ready  bool
	status string

	news chan struct{} // has a token when the status is likely to be another
}

// New finds out what systemd expects. The error says that it could not be
// understood; the service then works without a watchdog.
func New() (*Service, error) {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		err = fmt.Errorf("systemd's watchdog: %w", err)
	}
	return &Service{watchdog: watchdog, news: make(chan struct{}, 1)}, err
}

// Ready says that what was started has come up. Further calls do nothing.
func (s *Service) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		s.ready = true
		send(daemon.SdNotifyReady)
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// Reload says that the configuration is being read while read runs. Before Ready
// systemd is told nothing: what is being started is not reloaded.
func (s *Service) Reload(read func()) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	if !ready {
		read()
		return
	}
	send(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
	read()
	send(daemon.SdNotifyReady)
}

// Stopping says that the end has begun.
func (s *Service) Stopping() { send(daemon.SdNotifyStopping) }

// Run keeps systemd informed until ctx ends: it shows the status line, as often
// as it changes, and pets the watchdog while the heart beats.
//
// heartbeat returns when the heart beat last, and makes it beat again. It is asked
// four times in the watchdog's period; a beat that is older than half of it
// is none, and systemd is left to find that out.
func (s *Service) Run(ctx context.Context, heartbeat func() time.Time, status func() string) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return // nobody listens: no wake-ups for it
	}
	interval := statusInterval
	if s.watchdog > 0 {
		interval = min(interval, s.watchdog/4)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		s.tell(status())
		if beat := heartbeat(); s.watchdog > 0 && !beat.IsZero() && time.Since(beat) < s.watchdog/2 {
			send(daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.news:
		}
	}
}

func (s *Service) tell(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status != s.status {
		s.status = status
		send("STATUS=" + strings.ReplaceAll(status, "\n", " "))
	}
}

// send sends one message. The socket is systemd's and outlives a failure.
func send(lines ...string) {
	_, _ = daemon.SdNotify(false, strings.Join(lines, "\n"))
}
