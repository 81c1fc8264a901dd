package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hookbridge/agent"
	"hookbridge/agent/book"
	"hookbridge/translate"
)

// hangingAfter is when a running call is something to look at.
const hangingAfter = time.Minute

// shownFailures is how many failures the status shows; the history has all.
const shownFailures = 5

// status writes what the agent says of itself: what is wrong first.
func (p *sheet) status(s *agent.Status) {
	p.line("", bold, fmt.Sprintf("hookbridge %s runs for %s, pid %d; scripts in %s", s.Version, span(s.Now.Sub(s.Started)), s.PID, s.HookDir))
	problems := troubles(s)
	for _, t := range problems {
		p.line("  ! ", bad, t)
	}
	if len(problems) == 0 {
		p.line("  ", good, "all is well")
	}
	for i := range s.Connections {
		p.WriteString("\n")
		p.connection(&s.Connections[i], s)
	}
	p.WriteString("\n")
	if len(s.Networks) == 0 {
		p.line("", faint, "no networks are up")
	}
	for i := range s.Networks {
		p.network(&s.Networks[i], s.Now)
	}
	if len(s.Running) > 0 {
		p.WriteString("\nrunning\n")
	}
	for i := range s.Running {
		r := &s.Running[i]
		d := s.Now.Sub(r.Since)
		colour := ""
		if d > hangingAfter {
			colour = doubt
		}
		p.line("  ", colour, fmt.Sprintf("%s, for %s (run %s)", called(r.CallRef), span(d), r.Run))
	}
	p.failures(s)
	p.WriteString("\n")
	p.counters(s)
}

// troubles are what somebody should look at now.
func troubles(s *agent.Status) (all []string) {
	for i := range s.Connections {
		c := &s.Connections[i]
		if !c.Connected && (!c.Optional || c.Reconnects > 0 || c.LibvirtDaemon != "") {
			all = append(all, "no connection to "+c.URI)
		}
	}
	for i := range s.Networks {
		n := &s.Networks[i]
		if n.LastCall != nil && n.LastCall.Failed {
			all = append(all, fmt.Sprintf("network %s: %s failed: %s", n.Name, n.LastCall.Op, n.LastCall.Result))
		}
		if !n.Up {
			all = append(all, fmt.Sprintf("network %s is down, and %s plugged into it", n.Name, isAre(len(n.Interfaces), "interface")))
		}
		for j := range n.Interfaces {
			i := &n.Interfaces[j]
			switch {
			case i.Refused:
				all = append(all, fmt.Sprintf("network %s: interface %s of %s was refused and is still there", n.Name, i.MAC, i.Guest))
			case i.LastCall != nil && i.LastCall.Failed:
				all = append(all, fmt.Sprintf("network %s: %s of %s %s failed: %s", n.Name, i.LastCall.Op, i.Guest, i.MAC, i.LastCall.Result))
			}
		}
	}
	for i := range s.Running {
		if d := s.Now.Sub(s.Running[i].Since); d > hangingAfter {
			all = append(all, fmt.Sprintf("%s has been running for %s", called(s.Running[i].CallRef), span(d)))
		}
	}
	for kind, n := range s.Undo.Failed {
		all = append(all, fmt.Sprintf("%d undo failed (%s): see the failures below, or the history", n, kind))
	}
	if s.History.Dropped > 0 {
		all = append(all, fmt.Sprintf("%d runs could not be written into the history in %s", s.History.Dropped, s.History.Dir))
	}
	return all
}

func isAre(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return fmt.Sprintf("%d %ss are", n, thing)
}

func (p *sheet) connection(c *agent.ConnectionStatus, s *agent.Status) {
	lead := c.URI + "  "
	const indent = "  "
	if !c.Connected {
		colour, text := bad, "not connected"
		if !c.Since.IsZero() {
			text += " since " + clock(c.Since, s.Now)
		}
		if c.Optional && c.LibvirtDaemon == "" {
			colour, text = faint, "not connected; this host may not offer it"
		}
		p.line(lead, colour, text)
		if c.LastError != "" {
			p.line(indent, faint, c.LastError)
		}
	} else {
		text := fmt.Sprintf("connected since %s, libvirt %s (library %s)", clock(c.Since, s.Now), orUnknown(c.LibvirtDaemon), s.LibvirtLibrary)
		if !c.Ready {
			text += "; everything is being compared"
		}
		p.line(lead, good, text)
	}
	byState := map[agent.OpState][]string{}
	why := map[agent.OpState][]string{}
	for _, o := range c.Ops {
		byState[o.State] = append(byState[o.State], string(o.Op))
		if !slices.Contains(why[o.State], o.Why) {
			why[o.State] = append(why[o.State], o.Why)
		}
	}
	for _, state := range []agent.OpState{agent.OpReplayed, agent.OpNative, agent.OpOff} {
		if ops := byState[state]; len(ops) > 0 && c.LibvirtDaemon != "" {
			p.line(fmt.Sprintf("%s%-9s ", indent, state), "", strings.Join(ops, ", "))
			p.line(indent+strings.Repeat(" ", 10), faint, strings.Join(why[state], "; "))
		}
	}
	by := map[agent.Source][]string{}
	for _, source := range c.Sources {
		by[source.Source] = append(by[source.Source], strings.ReplaceAll(source.Change, "-", " "))
	}
	for _, how := range noticed {
		if changes := by[how.source]; len(changes) > 0 {
			p.line(fmt.Sprintf("%s%-9s ", indent, how.words), "", strings.Join(changes, ", "))
		}
	}
}

// noticed are the words for the sources.
var noticed = []struct {
	source agent.Source
	words  string
}{
	{agent.SourceEvent, "by event"},
	{agent.SourceKick, "by kick"},
	{agent.SourceReconcile, "compared"},
	{agent.SourcePoll, "by poll"},
	{agent.SourceOff, "unseen"},
}

func orUnknown(version string) string {
	if version == "" {
		return "of unknown version"
	}
	return version
}

func (p *sheet) network(n *agent.NetworkStatus, now time.Time) {
	colour, text := good, "up"
	if !n.Up {
		colour, text = bad, "down"
	}
	if !n.Since.IsZero() {
		text += " since " + clock(n.Since, now)
	}
	if n.LastCall != nil {
		text += ", " + ended(n.LastCall)
		if n.LastCall.Failed {
			colour = bad
		}
	}
	if n.Planned > 0 {
		text += ", " + isAre(n.Planned, "call") + " planned"
	}
	p.line(printable(n.Name)+"  ", colour, text)

	guest, target := 0, 0
	for i := range n.Interfaces {
		guest = max(guest, utf8.RuneCountInString(n.Interfaces[i].Guest))
		target = max(target, utf8.RuneCountInString(n.Interfaces[i].Target))
	}
	guest, target = min(guest, 20), min(target, 15)
	for i := range n.Interfaces {
		p.interfaceLine(&n.Interfaces[i], n.Connection, i == len(n.Interfaces)-1, guest, target, now)
	}
}

// interfaceLine writes a branch of a network's tree.
func (p *sheet) interfaceLine(i *agent.InterfaceStatus, known string, last bool, guest, target int, now time.Time) {
	branch, trunk := "|- ", "|  "
	if p.unicode {
		branch, trunk = "├─ ", "│  "
	}
	if last {
		branch, trunk = "`- ", "   "
		if p.unicode {
			branch = "└─ "
		}
	}
	lead := fmt.Sprintf("%s%-*s  %s  %-*s  ", branch, guest, printable(i.Guest), i.MAC, target, i.Target)
	if i.Connection != known {
		lead += "(" + i.Connection + ")  "
	}
	colour, text := "", ""
	if !i.Since.IsZero() {
		text = "since " + clock(i.Since, now)
	}
	if i.LastCall != nil {
		if text != "" {
			text += ", "
		}
		text += ended(i.LastCall)
		colour = good
		if i.LastCall.Failed {
			colour = bad
		}
	}
	if i.Refused {
		colour, text = bad, "refused, not plugged"
	}
	if utf8.RuneCountInString(lead)+utf8.RuneCountInString(text) <= sheetWidth {
		p.line(lead, colour, text)
		return
	}
	if lead = strings.TrimRight(lead, " "); utf8.RuneCountInString(lead) <= sheetWidth {
		p.WriteString(lead + "\n")
	} else {
		p.line(branch, "", strings.TrimPrefix(lead, branch))
	}
	p.line(trunk+"  ", colour, text)
}

// ended says how a call ended.
func ended(r *book.CallResult) string {
	text := fmt.Sprintf("%s: %s", r.Op, r.Result)
	if r.Script != "" && !r.Failed {
		text += " in " + took(time.Duration(r.Duration))
	}
	if r.Cause == translate.CauseManual {
		text += ", by hand"
	}
	return text
}

// called names a call.
func called(c book.CallRef) string {
	text := c.Network + " " + string(c.Op)
	if c.Domain != "" {
		text += " " + c.Domain + " " + c.MAC
	}
	return text
}

func (p *sheet) failures(s *agent.Status) {
	if len(s.Failures) == 0 {
		return
	}
	p.WriteString("\nfailed of late\n")
	for i := range s.Failures[:min(shownFailures, len(s.Failures))] {
		f := &s.Failures[i]
		p.line("  ", "", fmt.Sprintf("%s  %s: %s", clock(f.Time, s.Now), called(f.CallRef), f.Result))
		if f.Stderr != "" {
			p.line("            ", bad, f.Stderr)
		}
		if f.UndoText != "" {
			p.line("            ", doubt, f.UndoText)
		}
	}
	p.line("  ", faint, "more: hookbridge history --failed")
}

func (p *sheet) counters(s *agent.Status) {
	undone, failed := 0, 0
	for _, n := range s.Undo.Done {
		undone += n
	}
	for _, n := range s.Undo.Failed {
		failed += n
	}
	compared, found, reconnects, unseen := 0, 0, 0, 0
	for _, n := range s.Reconciles.Made {
		compared += n
	}
	for _, n := range s.Reconciles.Found {
		found += n
	}
	for i := range s.Connections {
		reconnects += s.Connections[i].Reconnects
		unseen += s.Connections[i].GuestsUnseen
	}
	q := &s.Queues
	queues := plural(q.HintsWaiting, "event") + " waiting"
	if q.HintsSpilled > 0 {
		queues += fmt.Sprintf(" and %d more in the store", q.HintsSpilled)
	}
	queues += fmt.Sprintf(", %s planned in %s, %d of %d scripts running", plural(q.CallsPlanned, "call"), plural(q.Lanes, "network"), q.Running, s.Parallel)
	if q.CallsHeld > 0 {
		queues += fmt.Sprintf(", %s waiting for a connection", plural(q.CallsHeld, "call"))
	}
	p.line("queues  ", "", queues)
	late := ""
	if unseen > 0 {
		late = fmt.Sprintf(", %s gone before they could be read", plural(unseen, "guest"))
	}
	p.line("so far  ", "", fmt.Sprintf("%s, %d with a document learnt too late%s; %s lost in %s; %s; %s found %s",
		plural(int(s.Calls.Made), "call"), s.Calls.Inexact, late, plural(q.HintsDropped, "event"), plural(q.Overflows, "overflow"),
		plural(reconnects, "reconnect"), plural(compared, "comparison"), plural(found, "call")))
	p.line("undos   ", "", fmt.Sprintf("%d done, %d failed; %s not undone (on_failure is %s)", undone, failed, plural(s.Undo.NotDone, "refusal"), s.OnFailure))
	if g := s.Gate; g != (agent.GateStatus{}) {
		p.line("gate    ", "", fmt.Sprintf("%s asked about, %d refused, %d could not be asked about; %s passed through",
			plural(int(g.Asked), "guest start"), g.Refused, g.Unasked, plural(int(g.Passed), "call")))
	}
}
