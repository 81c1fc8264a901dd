package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hookbridge/agent"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

type runs = iter.Seq2[history.Entry, error]

// HistoryQuery says which runs are wanted.
type HistoryQuery struct {
	history.Filter
	Limit  int  // the last so many; 0: all
	Follow bool // go on with each run as it ends
}

// values writes the query.
func (q HistoryQuery) values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("network", q.Network)
	set("domain", q.Domain)
	set("op", q.Op)
	if q.Failed {
		v.Set("failed", "true")
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Follow {
		v.Set("follow", "true")
	}
	return v
}

// historyQuery reads the query. The error says what is wrong with which part of it.
func historyQuery(v url.Values) (q HistoryQuery, err error) {
	for name, values := range v {
		value := values[len(values)-1]
		bad := func(want string) error { return fmt.Errorf("%s=%s: %s", name, value, want) }
		switch name {
		case "network":
			q.Network = value
		case "domain":
			q.Domain = value
		case "op":
			if q.Op = value; !slices.Contains(translate.AllOps(), translate.Op(value)) {
				return q, bad("the operations are " + translate.NewOps(translate.AllOps()...).String())
			}
		case "failed":
			if q.Failed, err = strconv.ParseBool(value); err != nil {
				return q, bad("neither true nor false")
			}
		case "follow":
			if q.Follow, err = strconv.ParseBool(value); err != nil {
				return q, bad("neither true nor false")
			}
		case "since":
			if q.Since, err = time.Parse(time.RFC3339Nano, value); err != nil {
				return q, bad("not a time such as 2026-01-31T13:45:00Z")
			}
		case "limit":
			if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 0 {
				return q, bad("not a number")
			}
		default:
			return q, fmt.Errorf("unknown %q: there are network, domain, op, failed, since, limit and follow", name)
		}
	}
	return q, nil
}

// history sends runs, a line each.
func (s *Server) history(w http.ResponseWriter, req *http.Request) {
	q, err := historyQuery(req.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	if q.Follow {
		go func() { // ends with ctx
			select {
			case <-s.ending:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	read := s.Agent.History
	if q.Follow {
		read = func(ctx context.Context, f history.Filter) (runs, error) { return s.Agent.Follow(ctx, f, q.Limit) }
	}
	entries, err := read(ctx, q.Filter)
	if errors.Is(err, agent.ErrNoHistory) {
		fail(w, http.StatusNotFound, err.Error())
		return
	}
	if err != nil {
		failWith(w, err, http.StatusServiceUnavailable)
		return
	}
	if !q.Follow {
		entries = history.Last(entries, q.Limit)
	}
	send(w, entries, q.Follow)
}

func send(w http.ResponseWriter, entries runs, follow bool) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	if follow {
		_ = control.Flush()
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for e, err := range entries {
		_ = control.SetWriteDeadline(time.Now().Add(replyLimit))
		if err != nil {
			// The header has gone: an object without a time is an error.
			_ = encoder.Encode(failure{err.Error()})
			return
		}
		if encoder.Encode(e) != nil {
			return // the client has gone
		}
		if follow && control.Flush() != nil {
			return
		}
	}
}

// sinceForms are the forms of a point in time that people write.
var sinceForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// ParseSince reads a point in time as people write it: how long ago ("2h", "3d"), RFC
// 3339, a date with or without a time of day, or a time of day, all local.
func ParseSince(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, form := range sinceForms {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, form := range []string{"15:04", "15:04:05"} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no point in time: write how long ago (90s, 2h, 3d), a date (2026-01-31), a time of day (13:45), or 2026-01-31T13:45:00Z", text)
}
