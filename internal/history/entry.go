package history

import (
	"encoding/json"
	"time"
)

// Entry is one run of one script, or a call for which there was no script.
type Entry struct {
	Time    time.Time `json:"time"` // when the script was started
	Run     string    `json:"run"`  // HOOKBRIDGE_RUN; the scripts of one call share it
	Cause   string    `json:"cause"`
	Retry   bool      `json:"retry,omitempty"`
	Network string    `json:"network"`
	Op      string    `json:"op"`
	Conn    string    `json:"connection"`
	Domain  string    `json:"domain,omitempty"`
	UUID    string    `json:"uuid,omitempty"` // the domain's
	MAC     string    `json:"mac,omitempty"`

	Script   string   `json:"script,omitempty"` // its path; empty: there was none
	Result   string   `json:"result"`           // in words: "exit 3", "signal 9 (killed)", "timed out", …
	Failed   bool     `json:"failed,omitempty"`
	Exit     *int     `json:"exit,omitempty"`   // absent when the script did not exit
	Signal   int      `json:"signal,omitempty"` // that ended it
	Duration Duration `json:"duration_ms"`
	Latency  Duration `json:"latency_ms"` // from the event's arrival to the script's start

	Undo     string `json:"undo,omitempty"`      // done, failed, none
	UndoText string `json:"undo_text,omitempty"` // what was undone, or why not
	Output   string `json:"output,omitempty"`    // the first KiB of stderr and stdout
}

// Duration is in milliseconds in JSON, with three decimals.
type Duration time.Duration

// MarshalJSON writes milliseconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(d).Microseconds()) / 1000)
}

// UnmarshalJSON reads milliseconds.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var ms float64
	if err := json.Unmarshal(text, &ms); err != nil {
		return err
	}
	*d = Duration(ms * float64(time.Millisecond))
	return nil
}

// Filter says which entries to read. The zero value takes all; a field that is
// set must match.
type Filter struct {
	Network, Domain, Op string
	Failed              bool      // only runs that failed
	Since               time.Time // not older than this
}

func (f Filter) takes(e *Entry) bool {
	return (f.Network == "" || f.Network == e.Network) &&
		(f.Domain == "" || f.Domain == e.Domain || f.Domain == e.UUID) &&
		(f.Op == "" || f.Op == e.Op) &&
		(!f.Failed || e.Failed) &&
		!e.Time.Before(f.Since)
}
