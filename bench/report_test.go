//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run gives, and what is kept of it in bench/results.
type Report struct {
	Date      time.Time `json:"date"`
	Commit    string    `json:"commit"`
	Host      Host      `json:"host"`
	Figures   []Figure  `json:"figures"`
	NotTaken  []string  `json:"not_measured,omitempty"`
	TookInAll string    `json:"took"`
}

// table prints the report for people.
func (r Report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nhookbridge %s, %s\n%s\n\n", r.Commit, r.Date.Format(time.DateTime), r.Host)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEASURE\tSUBJECT\tUNIT\tHOOKBRIDGE p50 / p99 (n)\tAGAINST\tp50 / p99 (n)\tCOMPARED\tVALUE\tGOAL\t")
	for _, f := range r.Figures {
		against, theirs := "–", ""
		if f.Against != nil {
			against, theirs = f.Against.Name, f.Against.String()
		}
		verdict := ""
		if f.Met != nil {
			verdict = map[bool]string{true: "met", false: "MISSED"}[*f.Met]
		}
		fmt.Fprintln(w, strings.Join([]string{f.Measure, f.Subject, f.Unit, f.Ours.String(), against, theirs,
			f.Compared, number(f.Value), f.Goal, verdict}, "\t"))
	}
	w.Flush() //nolint:errcheck // memory
	fmt.Fprintln(&b)
	for _, f := range r.Figures {
		if f.Note != "" {
			fmt.Fprintf(&b, "%s, %s: %s\n", f.Measure, f.Subject, f.Note)
		}
	}
	for _, n := range r.NotTaken {
		fmt.Fprintf(&b, "\n*** NOT MEASURED: %s ***\n", n)
	}
	fmt.Fprintf(&b, "\ntook %s\n", r.TookInAll)
	return b.String()
}

// save writes the report as JSON and returns the file's name.
func (r Report) save(dir string) (string, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s.json", r.Date.UTC().Format("20060102T150405"), r.Commit))
	return path, os.WriteFile(path, append(text, '\n'), 0o644)
}
