# The manual and the shells' completions, which the binary itself makes: from its
# help texts, and from the pages here. Included by the Makefile.

MANUALS    := hookbridge.8 hookbridge.toml.5 hookbridge-hooks.7
# The pages carry the day of the last commit; without git, today.
MANUALDATE := $(or $(shell git log -1 --format=%cs 2>/dev/null),$(shell date -u +%F))

.PHONY: man completions

## man: the manual pages, into build/man
man: build
	mkdir -p build/man
	for page in $(MANUALS); do \
	  $(BIN) manual --date $(MANUALDATE) <packaging/man/$$page.in >build/man/$$page; done

## completions: for bash, zsh and fish, into build/completions
completions: build
	mkdir -p build/completions
	$(BIN) completion bash >build/completions/hookbridge.bash
	$(BIN) completion zsh >build/completions/_hookbridge
	$(BIN) completion fish >build/completions/hookbridge.fish
