package check

import (
	"unicode"
	"unicode/utf8"
)

// Level is how bad a finding is.
type Level string

// The levels, from good to bad.
const (
	OK      Level = "ok"
	Warning Level = "warning" // works, but not as well or not as meant
	Problem Level = "problem" // does not work
)

// ID names what a finding is about. Other people's scripts rely on them.
type ID string

// What there are findings about.
const (
	Root          ID = "root"            // whether check may see everything
	Config        ID = "config"          // the configuration file
	Library       ID = "library"         // libvirt's client library
	Symbols       ID = "library-symbols" // what that library lacks
	Libvirtd      ID = "libvirtd"        // whether libvirtd answers
	Features      ID = "features"        // what it lets an agent use
	NativeHooks   ID = "native-hooks"    // which calls it makes itself
	DoubleCalls   ID = "double-calls"    // calls that would be made twice
	DoubleNames   ID = "double-names"    // a script that knows old and new names
	HookDir       ID = "hook-dir"        // the hook directory
	Script        ID = "script"          // a script that would run, or that there is none
	ScriptMode    ID = "script-mode"     // not executable, or writable by others
	ScriptOwner   ID = "script-owner"    // belongs to somebody else
	ScriptShebang ID = "script-shebang"  // no first line, or no such interpreter
	ScriptCRLF    ID = "script-crlf"     // DOS line ends
	ScriptNoexec  ID = "script-noexec"   // on a file system mounted noexec
	ScriptPlace   ID = "script-place"    // scripts where nobody looks for them
	ScriptSkipped ID = "script-skipped"  // leftovers of editors and package managers
	SELinux       ID = "selinux"
	AppArmor      ID = "apparmor"
	Gate          ID = "gate"
	Store         ID = "store" // the announced state
	Space         ID = "space" // free space of the state and history directories
	Clock         ID = "clock"
	Unit          ID = "unit"  // the systemd unit
	Agent         ID = "agent" // the running agent
)

// Finding is one thing that was found out.
type Finding struct {
	ID      ID     `json:"id"`
	Level   Level  `json:"level"`
	Subject string `json:"subject"` // the file, directory, URI or unit that it is about
	Text    string `json:"text"`    // what is, in one sentence

	// Remedy is a command for root's shell that mends it. Where no command does, it
	// is advice, which begins with a capital letter; commands never do. Empty where
	// nothing has to be mended.
	Remedy string `json:"remedy"`
}

// advised tells whether the remedy is advice and no command.
func (f Finding) advised() bool {
	first, _ := utf8.DecodeRuneInString(f.Remedy)
	return unicode.IsUpper(first)
}

// Report is what a check has found.
type Report struct {
	OK       bool      `json:"ok"` // no finding is a problem
	Findings []Finding `json:"findings"`
}

// add puts findings at the end.
func (r *Report) add(findings ...Finding) {
	for _, f := range findings {
		r.OK = r.OK && f.Level != Problem
		r.Findings = append(r.Findings, f)
	}
}

// count returns how many findings have a level.
func (r Report) count(l Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

func ok(id ID, subject, text string) Finding {
	return Finding{ID: id, Level: OK, Subject: subject, Text: text}
}

func warning(id ID, subject, text, remedy string) Finding {
	return Finding{ID: id, Level: Warning, Subject: subject, Text: text, Remedy: remedy}
}

func problem(id ID, subject, text, remedy string) Finding {
	return Finding{ID: id, Level: Problem, Subject: subject, Text: text, Remedy: remedy}
}
