package gate

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"hookbridge/internal/gate/ask"
)

// shimVersion counts the changes of the scripts that matter to who reads them.
const shimVersion = 1

//go:embed shim.sh
var shimText string

//go:embed passthrough.sh
var passThroughText string

// A script of ours begins with these lines; the second ends in the sum of all
// that follows it, and the third holds the settings.
const (
	interpreterLine = "#!/bin/sh\n"
	markPrefix      = "# hookbridge-gate "
	settingsPrefix  = "# settings "
)

// settings are what is written into a script of ours.
type settings struct {
	Version     int        `json:"version"`
	PassThrough bool       `json:"pass_through,omitempty"` // the gate has been removed
	Guest       string     `json:"guest"`
	Kept        string     `json:"kept,omitempty"` // sum of the script that was there before
	Binary      string     `json:"binary,omitempty"`
	Socket      string     `json:"socket,omitempty"`
	Timeout     string     `json:"timeout,omitempty"`
	Unavailable ask.Policy `json:"unavailable,omitempty"`
	// Since is when libvirtd could see a hook at this path first.
	Since moment `json:"since"`
}

// errNotOurs says that a script is none of ours, errEdited that it was one before
// somebody changed it.
var (
	errNotOurs = errors.New("not a script of hookbridge's")
	errEdited  = errors.New("changed by hand")
)

// script returns the text of the shim, or of the pass-through. The kept path is
// where the script that was there before would be found.
func (s settings) script(kept string) ([]byte, error) {
	line, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	text := passThroughText
	if !s.PassThrough {
		text = strings.Replace(shimText, "@settings@", strings.Join([]string{
			"guest=" + shellWord(s.Guest),
			"kept=" + shellWord(kept),
			"hookbridge=" + shellWord(s.Binary),
			"socket=" + shellWord(s.Socket),
			"timeout=" + shellWord(s.Timeout),
			"unavailable=" + shellWord(string(s.Unavailable)),
		}, "\n"), 1)
	}
	rest := settingsPrefix + string(line) + "\n#\n" + text
	return []byte(interpreterLine + markPrefix + sum([]byte(rest)) + "\n" + rest), nil
}

// parse reads the settings of a script of ours. The error is errNotOurs or
// errEdited.
func parse(script []byte) (settings, error) {
	var s settings
	rest, ok := bytes.CutPrefix(script, []byte(interpreterLine))
	if !ok {
		return s, errNotOurs
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(markPrefix)); !ok {
		if bytes.Contains(script, []byte("\n"+markPrefix)) {
			return s, errEdited
		}
		return s, errNotOurs
	}
	want, rest, _ := bytes.Cut(rest, []byte("\n"))
	if string(want) != sum(rest) {
		return s, errEdited
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	line, ok = bytes.CutPrefix(line, []byte(settingsPrefix))
	if !ok || json.Unmarshal(line, &s) != nil {
		return s, errEdited
	}
	return s, nil
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// shellWord quotes a text for the shell. It keeps every byte.
func shellWord(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
