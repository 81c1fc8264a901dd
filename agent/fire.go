package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"hookbridge/agent/book"
	"hookbridge/exec"
	"hookbridge/internal/history"
	"hookbridge/translate"
)

// FireRequest asks for one call by hand.
type FireRequest struct {
	Network string       `json:"network"`
	Op      translate.Op `json:"op"`

	// Domain is the name or UUID of the guest, for an operation on an interface; it and
	// MAC may be left out where only one interface can be meant.
	Domain string `json:"domain,omitempty"`
	MAC    string `json:"mac,omitempty"`

	// Connection is the URI of the guest's or the network's, where several have one of
	// that name.
	Connection string `json:"connection,omitempty"`

	// DryRun: nothing is run, only told what would be.
	DryRun bool `json:"dry_run,omitempty"`
}

// FireReport says what was called, or would be.
type FireReport struct {
	book.CallRef
	DryRun bool   `json:"dry_run"`
	UUID   string `json:"uuid,omitempty"` // the guest's
	Run    string `json:"run,omitempty"`  // absent in a dry run

	Env     []string     `json:"env"` // the scripts' whole environment
	Stdin   string       `json:"stdin"`
	Inexact string       `json:"inexact,omitempty"` // why a document is not libvirt's own live one
	Scripts []FireScript `json:"scripts"`           // none: there is no hook script

	// Findings are files that look like scripts and are not run.
	Findings []string `json:"findings"`

	Failed bool `json:"failed"` // one of the scripts has, or would not be run
}

// FireScript is one script of a call by hand.
type FireScript struct {
	Argv []string `json:"argv"` // the path first

	// Error says why the script failed, or, in a dry run, why it would not be run.
	Error string `json:"error,omitempty"`

	// The others are absent in a dry run.

	Result   string           `json:"result,omitempty"` // as in [history.Entry]
	Exit     *int             `json:"exit,omitempty"`
	Signal   int              `json:"signal,omitempty"`
	Duration history.Duration `json:"duration_ms,omitempty"`
	Stdout   string           `json:"stdout,omitempty"` // the first 64 KiB
	Stderr   string           `json:"stderr,omitempty"` // likewise
}

// RequestError is an error in what was asked for: the one who asks can mend it.
type RequestError struct{ Reason string }

func (e *RequestError) Error() string { return e.Reason }

func badRequest(format string, args ...any) error {
	return &RequestError{fmt.Sprintf(format, args...)}
}

// NotFoundError says that there is nothing of that name.
type NotFoundError struct{ Reason string }

func (e *NotFoundError) Error() string { return e.Reason }

// ErrNotMade says that the agent was stopped before the call could be made.
var ErrNotMade = errors.New("the call was not made: the agent is being stopped")

// fired is what a task has that is made by hand.
type fired struct{ ctx context.Context }

// Fire makes one call by hand and returns when its scripts have ended, which is no
// error however they did. The documents are those that were announced last, or, for
// what is not announced, those that libvirt shows. The call takes its turn in the
// queue of its network and its guest. It changes neither what is announced nor what
// is counted, and nothing is undone.
//
// When ctx ends before the call has begun it is not made; one that has begun runs on.
// The error is a *RequestError, a *NotFoundError, ErrNotMade, ErrNoConnection or that
// of ctx.
func (a *Agent) Fire(ctx context.Context, req FireRequest) (FireReport, error) {
	r, err := a.parts(ctx)
	if err != nil {
		return FireReport{}, err
	}
	call, err := r.callFor(ctx, req)
	if err != nil {
		return FireReport{}, err
	}
	if req.DryRun {
		return r.caller.dryRun(call)
	}
	t := task{call: call, fired: &fired{ctx}, outcome: newOutcome()}
	c := chain{tasks: []task{t}, planned: time.Now()}
	if call.Domain != nil {
		c.guest = orderKey(call)
	}
	r.dispatcher.submit(c)
	select {
	case <-t.outcome.over:
	case <-ctx.Done():
		return FireReport{}, context.Cause(ctx)
	case <-a.ended:
		select {
		case <-t.outcome.over:
		default:
			return FireReport{}, ErrNotMade
		}
	}
	f := t.outcome.finished
	if f == nil {
		return FireReport{}, cmp.Or(context.Cause(ctx), ErrNotMade)
	}
	return fireReport(*f), nil
}

// callByHand makes a call that was fired, unless who wanted it has left.
func (c *caller) callByHand(ctx context.Context, t task, planned time.Time) aftermath {
	if t.fired.ctx.Err() == nil {
		f := c.make(ctx, t.call, nil, false, c.count.present(t.call))
		f.Planned = planned
		t.outcome.tell(f)
		c.tell(f)
	}
	t.outcome.end()
	return nil
}

// present is the number for the network's document of a call that does not count: how
// many interfaces are plugged in now. That of start never has any.
func (p *plugCount) present(call translate.Call) int {
	if call.Op == translate.OpStart {
		return 0
	}
	call.Op = translate.OpUpdated // which looks and does not count
	return p.of(call)
}

// dryRun says what a call would be.
func (c *caller) dryRun(call translate.Call) (FireReport, error) {
	set := c.settings.Load()
	stdin, err := call.Stdin(set.payload, c.count.present(call), nil)
	report := FireReport{
		CallRef: book.RefTo(call), DryRun: true, Stdin: string(stdin), Inexact: call.Inexact,
		Env:      exec.Environment(callEnv("dry-run", call.Cause)),
		Findings: []string{}, Scripts: []FireScript{},
	}
	if call.Domain != nil {
		report.UUID = call.Domain.UUID
	}
	if err != nil {
		report.Findings = append(report.Findings, "the document holds a part that could not be read: "+err.Error())
	}
	paths, findings, err := set.hooks.Scripts()
	if err != nil {
		report.Findings, report.Failed = append(report.Findings, err.Error()), true
	}
	for _, f := range findings {
		report.Findings = append(report.Findings, f.String())
	}
	for _, path := range paths {
		s := FireScript{Argv: append([]string{path}, call.Args()...)}
		if err := exec.Trust(path); err != nil {
			s.Error, report.Failed = err.Error(), true
		}
		report.Scripts = append(report.Scripts, s)
	}
	return report, nil
}

func callEnv(run string, cause translate.Cause) []string {
	return []string{"HOOKBRIDGE_RUN=" + run, "HOOKBRIDGE_CAUSE=" + string(cause)}
}

func fireReport(f Finished) FireReport {
	report := FireReport{
		CallRef: book.RefTo(f.Call), Run: f.Run, Stdin: string(f.Stdin), Inexact: f.Call.Inexact,
		Env:      exec.Environment(callEnv(f.Run, f.Call.Cause)),
		Findings: []string{}, Scripts: []FireScript{},
	}
	if f.Call.Domain != nil {
		report.UUID = f.Call.Domain.UUID
	}
	for _, finding := range f.Report.Findings {
		report.Findings = append(report.Findings, finding.String())
	}
	for i := range f.Report.Scripts {
		o := &f.Report.Scripts[i]
		s := FireScript{
			Argv: append([]string{o.Path}, f.Call.Args()...), Result: resultOf(o), Signal: int(o.Signal),
			Duration: history.Duration(o.Duration), Stdout: string(o.Stdout.Head), Stderr: string(o.Stderr.Head),
		}
		if code := o.ExitCode; o.Pid != 0 && code >= 0 {
			s.Exit = &code
		}
		if o.Err != nil {
			s.Error, report.Failed = o.Err.Error(), true
		}
		report.Scripts = append(report.Scripts, s)
	}
	return report
}
