package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
		log.WithField("address", scrapers.Addr().String()).Info("metrics can be fetched")
	}
	log.WithField("socket", socket).Info("listening")
	a.Observe(m.Called)
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	if scrapers != nil {
		group.Go(func() {
			if err := scrapers.Serve(ctx); err != nil {
				log.WithError(err).Error("metrics cannot be fetched any more, but at the socket")
			}
		})
	}
	ended := make(chan error, 1)
	go func() {
		ended <- server.Serve(ctx)
		cancel()
	}()
	return func() error {
		defer group.Wait()
		return <-ended
	}, nil
}
