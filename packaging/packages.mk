# What hosts install: the portable binary, the source tarball, RPM and DEB.
# Included by the Makefile.

# The version in the packages; `make rpm PACKAGE_VERSION=1.2.3` for another.
PACKAGE_VERSION := $(shell packaging/version)
PORTABLE        := build/portable/hookbridge
DIST            := build/dist/hookbridge-$(PACKAGE_VERSION).tar.xz

.PHONY: portable dist rpm rebuild sbom vulncheck packages-test-portable packages-test-rpm man completions setup-packages

## portable: one binary for every host since glibc 2.12, for amd64 and arm64
# The only step that needs the network: it fetches a C compiler and Go modules.
portable: setup-build setup-packages
	TAGS='$(TAGS)' GO='$(GO)' packaging/portable/build '$(PACKAGE_VERSION)'
	packaging/portable/check $(PORTABLE) $(PORTABLE)-arm64

## dist: the source tarball, with vendored modules, portable binaries and manual
dist: portable man completions
	GO='$(GO)' packaging/dist '$(PACKAGE_VERSION)'

## rpm: the RPM packages, into build/rpm
rpm: dist
	packaging/rpm/build $(DIST) build/rpm

# What a distribution's own build calls, in the unpacked tarball: the host's
# compilers, the vendored modules, no network.
rebuild:
	GOFLAGS=-mod=vendor GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=1 \
	  $(GO) build -tags $(TAGS) -trimpath -buildvcs=false -buildmode=pie \
	  -ldflags '-s -w -X main.version=$(PACKAGE_VERSION)' -o build/rebuild/hookbridge ./cmd/hookbridge

packages-test-portable: portable
	GO='$(GO)' packaging/portable/test '$(PACKAGE_VERSION)'

## packages-test-rpm: from the tarball to the removal, on a throw-away host; needs root
packages-test-rpm: rpm
	packaging/rpm/test $(DIST) build/rpm
	packaging/selinux/test

## sbom: what is in the portable binaries, as CycloneDX, into build/dist
sbom: portable
	GO='$(GO)' packaging/sbom '$(PACKAGE_VERSION)' $(PORTABLE) $(PORTABLE)-arm64

## vulncheck: known vulnerabilities in what hookbridge calls
# Without the database, which is on the network, nothing is checked: said so, and
# an error unless this is CI, whose result must not depend on it.
vulncheck: setup-build
	@GO='$(GO)' TAGS='$(TAGS)' packaging/vulncheck || { rc=$$?; [ $$rc = 3 ] && [ -n "$${CI-}" ]; }

setup-packages:
	@packaging/ensure packages

-include packaging/deb/deb.mk
