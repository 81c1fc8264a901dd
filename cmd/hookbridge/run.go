package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"hookbridge/agent"
	"hookbridge/internal/config"
	"hookbridge/internal/heap"
	"hookbridge/internal/sdnotify"
	"hookbridge/internal/wakeups"
)

func runCommand() *cobra.Command {
	var c configuration
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Watch libvirtd and run the network hook",
		Long: `Watches libvirtd and runs the network hook until it gets SIGTERM or SIGINT.
A libvirtd that is not there, or goes away, is waited for.

What is not said by an option is taken from the configuration file, if there is
one. SIGHUP reads it again; a file with a mistake changes nothing.`,
		Example: `  hookbridge run
  hookbridge run --connect qemu:///system --hook-dir /etc/libvirt/hooks
  hookbridge run --ops plugged,unplugged --on-failure log
  hookbridge run --config /etc/hookbridge/second.toml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAgent(cmd.Context(), &c)
		},
	}
	c.bind(cmd)
	return cmd
}

// runAgent runs the agent until ctx ends, and all that goes with it.
func runAgent(ctx context.Context, c *configuration) error {
	// From the first moment on: unheard, SIGHUP would end the process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	settings, file, err := c.load()
	if err != nil {
		return usageError{err}
	}
	log, err := newLogger(settings.LogLevel, settings.LogFormat)
	if err != nil {
		return usageError{err}
	}
	cfg, err := agentConfig(settings, log)
	if err != nil {
		return usageError{err}
	}
	service, err := sdnotify.New()
	if err != nil {
		log.WithError(err).Warn("systemd's watchdog is not served")
	}
	cfg.OnSettled = service.Ready
	a, err := agent.New(cfg)
	if err != nil {
		return usageError{err}
	}
	r := running{agent: a, configuration: c, first: settings, service: service, log: log, logFormat: settings.LogFormat}
	if file.Path != "" {
		log.WithField("file", file.Path).Debug("configuration read")
	}
	return r.run(ctx, hangup)
}

// running is the agent, with what the world tells it and it tells the world.
type running struct {
	agent         *agent.Agent
	configuration *configuration
	first         config.Settings // with which the agent was started
	service       *sdnotify.Service
	log           *logrus.Logger
	logFormat     string
}

func (r *running) run(ctx context.Context, hangup <-chan os.Signal) error {
	// The others end after the agent, which may take its time.
	others, end := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	served, err := serve(others, r.log, r.agent, r.first.Socket, r.first.Metrics.Listen)
	if err != nil {
		end()
		return err
	}
	group.Go(func() {
		if err := served(); err != nil {
			r.log.WithError(err).Error("the socket is not served any more")
		}
	})
	defer group.Wait()
	defer end()
	group.Go(func() { r.reloads(others, hangup) })
	group.Go(func() { r.service.Run(others, r.agent.Heartbeat, r.status) })
	defer context.AfterFunc(ctx, r.service.Stopping)()
	wakeups.WithoutSIGCHLD()
	wakeups.BoundProcessors()
	heap.Bound()
	return r.agent.Run(ctx)
}
