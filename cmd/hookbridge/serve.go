package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sirupsen/logrus"

	"hookbridge/agent"
	"hookbridge/internal/api"
	"hookbridge/internal/metrics"
)

// serve takes the agent's socket, and the address for scrapers if there is one. It must
// be called before the agent runs. From then on clients are answered, until ctx ends;
// wait returns when the last of it has. The error says what is wrong with socket or
// address; then nothing is left.
func serve(ctx context.Context, log *logrus.Logger, a *agent.Agent, socket, metricsListen string) (wait func() error, err error) {
	m := metrics.New(a, version)
	server, err := api.Listen(api.Options{Socket: socket, Agent: a, Version: version, Metrics: m.Handler(), Log: log})
	if err != nil {
		return nil, err
	}
	var scrapers *metrics.Listener
	if metricsListen != "" {
		if scrapers, err = m.Listen(metricsListen, a.Healthy); err != nil {
			return nil, errors.Join(fmt.Errorf("--metrics-listen: %w", err), server.Close())
		}
		log.WithField("address", scrapers.Addr().String()).Info("metrics are served to whoever can connect")
	}
	a.Observe(m.Called)
	ended := make(chan error, 2)
	go func() { ended <- tell(log, "the socket is not served any more", server.Serve(ctx)) }()
	count := 1
	if scrapers != nil {
		count++
		go func() { ended <- tell(log, "metrics are not served any more", scrapers.Serve(ctx)) }()
	}
	return func() (err error) {
		for range count {
			err = errors.Join(err, <-ended)
		}
		return err
	}, nil
}

// tell logs an error at once: who waits for it may wait for long.
func tell(log *logrus.Logger, what string, err error) error {
	if err != nil {
		log.WithError(err).Error(what)
	}
	return err
}
