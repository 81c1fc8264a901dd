# The Debian packages. Included by packaging/packages.mk.

.PHONY: deb packages-test-deb

## deb: the Debian source package and packages for amd64 and arm64, into build/deb
deb: dist
	rm -rf build/deb
	packaging/deb/build $(DIST) build/deb

## packages-test-deb: lintian, and the packages' lives on throw-away hosts; needs root
packages-test-deb: deb
	packaging/deb/test $(DIST) build/deb
