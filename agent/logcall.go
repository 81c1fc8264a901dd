package agent

import (
	"sync"

	"github.com/sirupsen/logrus"

	"hookbridge/exec"
	"hookbridge/translate"
)

// logged begins a line about a call. The map is the entry's own: logrus would copy it once
// more.
func logged(logger *logrus.Logger, run string, call translate.Call) *logrus.Entry {
	f := make(logrus.Fields, 9)
	f["network"], f["op"], f["cause"] = call.Network, call.Op, call.Cause
	if run != "" {
		f["run"] = run
	}
	if call.Domain != nil {
		f["domain"] = call.Domain.Name
	}
	if call.NIC != nil {
		f["mac"] = call.NIC.MAC
	}
	return &logrus.Entry{Logger: logger, Data: f}
}

// reportLog writes what came of a call, one line for each script. That of the
// script that refused the change says what was undone.
type reportLog struct {
	mu       sync.Mutex
	findings map[string]bool // told already; a file is not fixed by repeating it
}

func (r *reportLog) write(logger *logrus.Logger, run string, call translate.Call, report exec.Report, undo Undone) {
	verdict := report.Verdict()
	for _, f := range report.Findings {
		if r.first(f.String()) {
			logged(logger, run, call).Warn(f.String())
		}
	}
	for i := range report.Scripts {
		o := &report.Scripts[i]
		log := logged(logger, run, call)
		log.Data["script"], log.Data["result"], log.Data["duration"] = o.Path, resultOf(o), roundDuration(o.Duration).String()
		if line := o.Stderr.FirstLine(); line != "" {
			log.Data["stderr"] = line
		}
		if verdict != nil && o.Err == error(verdict) && undo.Text != "" { //nolint:errorlint // the very one
			log.WithField("undo", string(undo.Result)).Errorf("%s; %s", verdict, undo.Text)
			continue
		}
		if o.Err != nil {
			log.Error(o.Err)
			continue
		}
		log.Info("hook script done")
	}
	if len(report.Scripts) == 0 && logger.IsLevelEnabled(logrus.DebugLevel) {
		logged(logger, run, call).Debug("no hook script")
	}
}

func (r *reportLog) first(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.findings == nil {
		r.findings = map[string]bool{}
	}
	told := r.findings[text]
	r.findings[text] = true
	return !told
}
