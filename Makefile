# hookbridge. The two commands to know: make demo, make test.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

GO       ?= go
TAGS     := libvirt_dlopen,libvirt_without_qemu,libvirt_without_lxc
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS  := -X main.version=$(VERSION)
BIN      := build/hookbridge
TESTARGS ?=

# A Go that is too old, or none, is replaced by the toolchain that go.mod asks
# for; see packaging/ensure-go.
export PATH := $(CURDIR)/build/go/bin:$(PATH)
# What the build environment puts here must not leak into the tags.
export GOFLAGS :=

# libvirt's own XML documents, for the tests of package translate.
CORPORA := $(if $(wildcard ../shared/corpora),$(abspath ../shared/corpora),$(CURDIR)/build/libvirt-source/tests)

.PHONY: build demo test packages-test unit agent-test e2e e2e-portable e2e-features lint bench-go setup-build setup-test corpora fuzz soak clean

## build: the binary, with what is needed to build it
build: setup-build
	$(GO) build -tags $(TAGS) -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/hookbridge

## demo: a tour on libvirt's test driver; needs no libvirtd and no root once built
demo: build
	$(BIN) demo

## test: everything, including a private libvirtd with QEMU and LXC guests
test: setup-test lint unit agent-test e2e e2e-features

## packages-test: what hosts install, taken through install, upgrade and removal in
## throw-away hosts; the list of parts, and known vulnerabilities in them; needs root
packages-test: packages-test-portable packages-test-rpm packages-test-deb e2e-portable sbom vulncheck

## unit: the parts that know nothing of libvirt, and a few seconds of fuzzing
unit: setup-build corpora
	$(MAKE) --no-print-directory fuzz FUZZTIME=20000x
	CGO_ENABLED=0 HOOKBRIDGE_CORPORA='$(CORPORA)' $(GO) test $(TESTARGS) ./translate/... ./exec/...
	HOOKBRIDGE_CORPORA='$(CORPORA)' $(GO) test -race $(TESTARGS) ./translate/... ./exec/...

## agent-test: the agent and the command on libvirt's test driver
agent-test: setup-build
	$(GO) test -race -tags $(TAGS) $(TESTARGS) ./agent/... ./cmd/... $$($(GO) list ./internal/... | grep -vE "/internal/(e2e|testhost|farm)$$")

## e2e: against a private, real libvirtd; needs root
e2e: build
	HOOKBRIDGE_BINARY='$(CURDIR)/$(BIN)' $(GO) test -tags $(TAGS),e2e -count=1 -timeout 20m -parallel 4 -v $(TESTARGS) ./internal/e2e ./internal/testhost | tee build/e2e.log | grep -E '^( *---|ok|FAIL|PASS|panic)|: (compared|let pass|steady)|^ +[a-z_]+_test.go' 

## e2e-portable: what touches all of the program, with the binary that the packages
## carry; PORTABLE_TESTS=. for all
PORTABLE_TESTS ?= ^Test(LifeOf|HotUnplug|Container|GateRefuses|Check|OnCall|ChangesWhile|EachFunction|ClientLibrary)
e2e-portable: portable
	HOOKBRIDGE_BINARY='$(CURDIR)/$(PORTABLE)' $(GO) test -tags $(TAGS),e2e -count=1 -timeout 20m -parallel 4 -v -run '$(PORTABLE_TESTS)' $(TESTARGS) ./internal/e2e | tee build/e2e-portable.log | grep -E '^( *---|ok|FAIL|PASS|panic)|^ +[a-z_]+_test.go'

## e2e-features: the same suite where libvirt tells less and less
LIFECYCLE_ONLY := network-events,device-added,device-removed,domain-events-detail,list-all,close-callback
e2e-features: build
	for without in network-events device-added,device-removed $(LIFECYCLE_ONLY) $(LIFECYCLE_ONLY),kicks; do \
	  echo "== without $$without"; \
	  HOOKBRIDGE_E2E_WITHOUT=$$without HOOKBRIDGE_BINARY='$(CURDIR)/$(BIN)' $(GO) test -tags $(TAGS),e2e -count=1 -timeout 20m -parallel 4 -v -skip 'Convergence|Steady|Hangs|Reconnects|ClientLibrary|EachFunction|Undo|OnFailure|Refusal|Gate|Check|OnCall|Example|Readme' $(TESTARGS) ./internal/e2e | \
	  tee build/e2e-features.log | grep -E '^( *--- (FAIL|SKIP)|ok|FAIL|panic)|left out|^ +[a-z_]+_test.go:.*(want|got|waiting)' ; done

## soak: half an hour (SOAK=2h: longer). Two thirds of it random operations and storms
## while everything is killed and restarted, held against libvirt's own hook
## (HOOKBRIDGE_SEED=N: as before); then storms and faults around one hookbridge, which
## has to end with memory, descriptors and goroutines as at the start. Then fuzzing;
## needs root
SOAK ?= 30m
soak: build corpora
	HOOKBRIDGE_BINARY='$(CURDIR)/$(BIN)' HOOKBRIDGE_SOAK=$(SOAK) HOOKBRIDGE_ARTIFACTS='$(CURDIR)/build' \
	  $(GO) test -tags $(TAGS),e2e -count=1 -timeout 0 -v -run '^Test(Convergence|Steady)$$' ./internal/e2e | tee build/soak.log | grep --line-buffered -E '^ *---|^ok|FAIL|PASS|panic|_test.go'
	$(MAKE) --no-print-directory fuzz

## lint: gofmt, golangci-lint (the first time built, in minutes) and the rule of layers
lint: setup-build
	packaging/lint

## fuzz: the document cutter and the hookData writer, about a minute each
# Counted, not timed: go test -fuzz with a time limit can fail at the very end
# with "context deadline exceeded" though nothing was found.
FUZZTIME ?= 400000x
fuzz: setup-build corpora
	for f in $$($(GO) test ./translate -list '^Fuzz' | grep ^Fuzz); do \
	  HOOKBRIDGE_CORPORA='$(CORPORA)' $(GO) test ./translate -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x; done

include packaging/man/man.mk
include packaging/packages.mk
include bench/bench.mk

setup-build:
	@packaging/ensure build

setup-test:
	@packaging/ensure test

# Where the documents do not lie beside the checkout they come from Debian's
# source package.
corpora:
	@test -d '$(CORPORA)' || packaging/ensure corpora build/libvirt-source

clean:
	rm -rf build
