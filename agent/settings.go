package agent

import (
	"reflect"
	"time"

	"hookbridge/exec"
	"hookbridge/internal/eventloop"
	"hookbridge/translate"
)

// settings are what of a [Config] can change while the agent runs. A call reads
// them once, so it is made by the old ones or by the new.
type settings struct {
	hooks     *exec.Hooks
	payload   translate.Payload
	onFailure OnFailure
}

func settingsOf(cfg Config) *settings {
	return &settings{
		hooks:     &exec.Hooks{Dir: cfg.HookDir, Name: "network", Timeout: cfg.Timeout},
		payload:   cfg.Payload,
		onFailure: cfg.OnFailure,
	}
}

// Reload takes over a changed configuration: the hook directory, the timeout, the
// payload, the operations, what follows a failure and how many scripts run at
// once. It returns the names of those fields that have changed and take a restart.
// The error is about the configuration; then all stays as it was. Log and the
// functions are not looked at.
func (a *Agent) Reload(cfg Config) (needRestart []string, err error) {
	if cfg, err = cfg.checked(); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name     string
		old, new any
	}{
		{"connect", a.cfg.Connect, cfg.Connect},
		{"state_dir", a.cfg.StateDir, cfg.StateDir},
		{"history_dir", a.cfg.HistoryDir, cfg.HistoryDir},
		{"adopt", a.cfg.Adopt, cfg.Adopt},
		{"without", a.cfg.Without, cfg.Without},
		{"reconcile_interval", a.cfg.ReconcileInterval, cfg.ReconcileInterval},
		{"libvirt_run_dir", a.cfg.LibvirtRunDir, cfg.LibvirtRunDir},
		{"libvirt_state_dir", a.cfg.LibvirtStateDir, cfg.LibvirtStateDir},
	} {
		if !sameValue(f.old, f.new) {
			needRestart = append(needRestart, f.name)
		}
	}
	select {
	case <-a.ready:
		a.running.caller.settings.Store(settingsOf(cfg))
		a.running.replay.fix(cfg.Ops)
		a.running.dispatcher.limit(cfg.Parallel)
	default:
		return nil, errNotYet
	}
	return needRestart, nil
}

// sameValue compares two values of one type; an empty list is none.
func sameValue(a, b any) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Kind() == reflect.Slice && va.Len() == 0 && vb.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a, b)
}

// Heartbeat makes libvirt's event loop turn and returns when it last did. One that
// hangs in a callback does not turn any more: then a later call returns the same
// time. It is zero before the agent runs.
func (a *Agent) Heartbeat() time.Time {
	select {
	case <-a.ready:
		defer eventloop.Signal()
		return eventloop.Turned()
	default:
		return time.Time{}
	}
}
