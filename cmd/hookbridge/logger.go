package main

import (
	"fmt"
	"io"
	"os"

	"github.com/sirupsen/logrus"

	"hookbridge/internal/journal"
)

// newLogger returns a logger that writes to stderr.
func newLogger(level, format string) (*logrus.Logger, error) {
	log := logrus.New()
	setLogForm(log, format)
	return log, setLogLevel(log, level)
}

// setLogLevel gives a logger a level; it may be in use.
func setLogLevel(log *logrus.Logger, level string) error {
	l, err := logrus.ParseLevel(level)
	if err != nil {
		return fmt.Errorf("the log level: %w", err)
	}
	log.SetLevel(l)
	return nil
}

// setLogForm gives a logger a form; it may be in use. The form "auto" is what
// suits where stderr goes: colours on a terminal, entries with fields in the
// journal, else lines with the time, since nobody else adds it.
func setLogForm(log *logrus.Logger, form string) {
	hooks := logrus.LevelHooks{}
	var out io.Writer = os.Stderr
	var formatter logrus.Formatter = &logrus.TextFormatter{FullTimestamp: true, DisableColors: true}
	switch {
	case form == "json":
		formatter = &logrus.JSONFormatter{}
	case form == "text":
	case isTerminal(os.Stderr):
		formatter = &logrus.TextFormatter{FullTimestamp: true, DisableColors: noColor()}
	case journal.IsStream(os.Stderr):
		hook, err := journal.NewHook(journal.Socket, "hookbridge", os.Stderr)
		if err != nil {
			formatter = journal.Formatter{}
			break
		}
		hooks.Add(hook)
		out = io.Discard
	case journal.MayBeStream(os.Stderr):
		formatter = journal.Formatter{}
	}
	log.SetFormatter(formatter)
	log.SetOutput(out)
	log.ReplaceHooks(hooks)
}
