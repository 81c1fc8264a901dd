# The benchmark; see package bench. Included by the Makefile.
.PHONY: bench
BENCH        ?=
BENCH_COMMIT  = $(shell git describe --always --dirty --exclude '*' 2>/dev/null || echo unknown)

## bench: hookbridge against the floor and its peers, in under ten minutes: a table,
## and JSON in bench/results; needs root. BENCH=storm: one measure. BENCH_PERF=DIR:
## with perf's profiles of the agent.
bench: setup-test
	@mkdir -p build
	$(GO) build -tags $(TAGS) -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o build/hookbridge-bench ./cmd/hookbridge
	$(GO) test -c -tags $(TAGS),bench -o build/bench.test ./bench
	cd bench && HOOKBRIDGE_BINARY='$(CURDIR)/build/hookbridge-bench' HOOKBRIDGE_COMMIT='$(BENCH_COMMIT)' \
	  ../build/bench.test -test.run '^TestMeasures$$/^$(or $(BENCH),.*)$$' -test.timeout 20m
