package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hookbridge/agent"
	"hookbridge/internal/config"
)

// The agent takes every word that the configuration takes.
func TestWordsAreTheAgents(t *testing.T) {
	for _, o := range config.Options() {
		for _, word := range o.Words {
			s := config.Default()
			if err := o.Value(&s).Set(word); err != nil {
				t.Errorf("%s: %v", o.Key, err)
			}
			log, err := newLogger(s.LogLevel, s.LogFormat)
			if err != nil {
				t.Fatalf("%s: %v", o.Key, err)
			}
			cfg, err := agentConfig(s, log)
			if err == nil {
				_, err = agent.New(cfg)
			}
			if err != nil {
				t.Errorf("%s = %q: %v", o.Key, word, err)
			}
		}
	}
}

// Each flag of run completes to something, or says that there is nothing.
func TestCompletion(t *testing.T) {
	run := runCommand()
	for _, o := range config.Options() {
		if o.Flag == "" || o.Key == "socket" || strings.HasSuffix(o.Key, "_dir") {
			continue
		}
		complete, ok := run.GetFlagCompletionFunc(o.Flag)
		if !ok {
			t.Errorf("--%s completes to file names", o.Flag)
			continue
		}
		words, directive := complete(run, nil, "")
		if directive&cobra.ShellCompDirectiveNoFileComp == 0 {
			t.Errorf("--%s completes to file names, too", o.Flag)
		}
		s := config.Default()
		for _, word := range words {
			if err := o.Value(&s).Set(word); err != nil {
				t.Errorf("--%s completes to %q: %v", o.Flag, word, err)
			}
		}
	}
	complete, _ := run.GetFlagCompletionFunc("ops")
	words, _ := complete(run, nil, "start,plugged,")
	got := strings.Join(words, " ")
	if !strings.Contains(got, "start,plugged,unplugged") || strings.Contains(got, "start,plugged,start ") {
		t.Error(got)
	}
}
