package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"hookbridge/internal/config"
)

// reloads reads the configuration again at each signal, until ctx ends.
func (r *running) reloads(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.service.Reload(r.reload)
		}
	}
}

// reload takes over what has changed in the file. What is wrong with it is said,
// and all stays as it was.
func (r *running) reload() {
	settings, file, err := r.configuration.load()
	if err != nil {
		r.refused(err)
		return
	}
	cfg, err := agentConfig(settings, r.log)
	if err != nil {
		r.refused(err)
		return
	}
	restart, err := r.agent.Reload(cfg)
	if err != nil {
		r.refused(err)
		return
	}
	_ = setLogLevel(r.log, settings.LogLevel) // one of the words that there are
	if settings.LogFormat != r.logFormat {
		r.logFormat = settings.LogFormat
		setLogForm(r.log, r.logFormat)
	}
	log := r.log.WithField("file", file.Path)
	if file.Path == "" {
		log = r.log.WithField("file", "none, so the defaults")
	}
	log.Info("configuration read again")
	if restart = append(restart, needRestart(r.first, settings)...); len(restart) > 0 {
		log.Warnf("what has changed in %s takes effect when hookbridge is restarted", strings.Join(restart, ", "))
	}
}

func (r *running) refused(err error) {
	var mistakes config.Errors
	if !errors.As(err, &mistakes) {
		mistakes = nil
		r.log.Errorf("the configuration stays as it was: %v", err)
	}
	for _, m := range mistakes {
		r.log.Errorf("the configuration stays as it was: %v", m)
	}
}

// needRestart names what has changed of that which is set up here, once.
func needRestart(old, now config.Settings) []string {
	var names []string
	for _, key := range []struct {
		name    string
		changed bool
	}{
		{"socket", old.Socket != now.Socket},
		{"metrics.listen", old.Metrics.Listen != now.Metrics.Listen},
	} {
		if key.changed {
			names = append(names, key.name)
		}
	}
	return names
}
