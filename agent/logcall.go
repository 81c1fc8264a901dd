package agent

import (
	"sync"

	"github.com/sirupsen/logrus"

	"hookbridge/exec"
	"hookbridge/translate"
)

// callFields are on every line about a call.
func callFields(run string, call translate.Call) logrus.Fields {
	f := logrus.Fields{"network": call.Network, "op": call.Op, "cause": call.Cause}
	if run != "" {
		f["run"] = run
	}
	if call.Domain != nil {
		f["domain"] = call.Domain.Name
	}
	if call.NIC != nil {
		f["mac"] = call.NIC.MAC
	}
	return f
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
			logger.WithFields(callFields(run, call)).Warn(f.String())
		}
	}
	for i := range report.Scripts {
		o := &report.Scripts[i]
		fields := callFields(run, call)
		fields["script"], fields["result"], fields["duration"] = o.Path, resultOf(o), roundDuration(o.Duration).String()
		log := logger.WithFields(fields)
		if line := o.Stderr.FirstLine(); line != "" {
			log = log.WithField("stderr", line)
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
		logger.WithFields(callFields(run, call)).Debug("no hook script")
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
