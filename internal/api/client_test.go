package api

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/agent"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

func TestClientAsks(t *testing.T) {
	fired := make(chan agent.FireRequest, 1)
	s := serveFake(t, &fake{
		fire: func(_ context.Context, req agent.FireRequest) (agent.FireReport, error) {
			fired <- req
			return agent.FireReport{Run: "r", Stdin: "<hookData>&"}, nil
		},
		start: func(_ context.Context, uri, name string) error {
			if uri != "test:///default" || name != "n" {
				t.Errorf("start of %q on %q", name, uri)
			}
			return nil
		},
	}, nil)
	c := NewClient(s.path)
	status, err := c.Status(t.Context())
	if err != nil || status.PID != 1 || status.Version != "9" {
		t.Errorf("status %+v, %v", status, err)
	}
	req := agent.FireRequest{Network: "n", Op: translate.OpPlugged, Domain: "g", MAC: "m", Connection: "c", DryRun: true}
	report, err := c.Fire(t.Context(), req)
	if err != nil || report.Stdin != "<hookData>&" {
		t.Errorf("report %+v, %v", report, err)
	}
	if diff := cmp.Diff(req, <-fired); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if err := c.StartNetwork(t.Context(), NetworkStart{Network: "n", Connection: "test:///default"}); err != nil {
		t.Error(err)
	}
}

func TestClientReadsHistory(t *testing.T) {
	at := time.Date(2026, 1, 31, 13, 45, 0, 123, time.UTC)
	three := 3
	all := []history.Entry{
		{Time: at, Run: "1", Network: "n", Op: "start"},
		{Time: at, Run: "2", Network: "m", Op: "start", Exit: &three, Failed: true, Output: "<&>\n", Duration: history.Duration(1500 * time.Microsecond)},
		{Time: at, Run: "3", Network: "m", Op: "start"},
	}
	live := make(chan history.Entry)
	s := serveFake(t, &fake{entries: all, live: live}, nil)
	c := NewClient(s.path)
	var got []history.Entry
	take := func(e history.Entry) error { got = append(got, e); return nil }
	if err := c.History(t.Context(), HistoryQuery{}, take); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = nil
	if err := c.History(t.Context(), HistoryQuery{Filter: history.Filter{Network: "m"}, Limit: 1}, take); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[2:], got); diff != "" {
		t.Errorf("the last of m (-want +got):\n%s", diff)
	}

	got = nil
	ctx, cancel := context.WithCancel(t.Context())
	err := c.History(ctx, HistoryQuery{Follow: true, Limit: 1}, func(e history.Entry) error {
		got = append(got, e)
		if len(got) == 1 {
			go func() { live <- all[0] }()
		} else {
			cancel()
		}
		return nil
	})
	if err != nil || len(got) != 2 || got[0].Run != "3" || got[1].Run != "1" {
		t.Errorf("followed %+v, %v", got, err)
	}
	stop := errors.New("enough")
	if err := c.History(t.Context(), HistoryQuery{}, func(history.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped with %v", err)
	}
}

func TestClientWithoutAgent(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for _, path := range []string{filepath.Join(dir, "none.sock"), stale} {
		_, err := NewClient(path).Status(t.Context())
		var unreachable *UnreachableError
		if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "no agent runs; start it with: systemctl start hookbridge") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	// One that takes the connection and goes.
	gone := filepath.Join(dir, "gone.sock")
	l, err = net.ListenUnix("unix", &net.UnixAddr{Name: gone, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_ = conn.Close()
		}
	}()
	_, err = NewClient(gone).Status(t.Context())
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "it went away") {
		t.Errorf("gone: %v", err)
	}
}

func TestParseSince(t *testing.T) {
	zone := time.FixedZone("there", 2*3600)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, zone)
	for text, want := range map[string]time.Time{
		"90s":                  now.Add(-90 * time.Second),
		"2h30m":                now.Add(-150 * time.Minute),
		"3d":                   now.Add(-72 * time.Hour),
		"0.5d":                 now.Add(-12 * time.Hour),
		"2026-01-31":           time.Date(2026, 1, 31, 0, 0, 0, 0, zone),
		"2026-01-31 13:45":     time.Date(2026, 1, 31, 13, 45, 0, 0, zone),
		"2026-01-31T13:45:06":  time.Date(2026, 1, 31, 13, 45, 6, 0, zone),
		"2026-01-31T13:45:06Z": time.Date(2026, 1, 31, 13, 45, 6, 0, time.UTC),
		"03:04":                time.Date(2026, 3, 4, 3, 4, 0, 0, zone),
		"03:04:05":             time.Date(2026, 3, 4, 3, 4, 5, 0, zone),
	} {
		if got, err := ParseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-2h", "2026-13-01", "d", "-1d"} {
		if got, err := ParseSince(text, now); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}
