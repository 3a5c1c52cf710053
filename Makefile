# campaignd: the short commands. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

SWIFT := swift
IMPORTS := --explicit-target-dependency-import-check error
PRODUCTS := campaignd campaignctl
RELEASE := .build/release
# One file without libraries of Swift, that exports nothing and packs its relocations: less to keep in memory. It is
# for other machines too: it looks for no library beside itself, binds all at start, and says which build it is.
LINK := --static-swift-stdlib --disable-local-rpath -Xswiftc -use-ld=lld $(addprefix -Xlinker ,--no-export-dynamic \
	-z pack-relative-relocs -z now --build-id)
VERSION = $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
DEB := .build/deb
DESTDIR ?=

.PHONY: help demo build deb test unit simulation system prove replay fuzz soak idle tidy format lint \
	install install-files clean package build-packages deb-packages test-packages debug configuration

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## a mailing from drop to receipt, in demo/; installs and builds what it needs
	@python3 demonstration/demonstrate $(RELEASE)/campaignd demo

build: build-packages ## the daemon, optimised: .build/release/campaignd
	@for product in $(PRODUCTS); do $(SWIFT) build -c release --product $$product $(IMPORTS) $(LINK); done

deb: deb-packages build package ## the Debian package: .build/deb/campaignd_VERSION_ARCH.deb

package:
	@rm -rf $(DEB) && mkdir -p $(DEB)/campaignd-$(VERSION)
	@cp -a Makefile README.md config debian spool systemd $(DEB)/campaignd-$(VERSION)
	@cd $(DEB)/campaignd-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL \
		CAMPAIGND_RELEASE="$(abspath $(RELEASE))" dpkg-buildpackage --build=binary --unsigned-changes \
		> ../build.log 2>&1 < /dev/null || { cat ../build.log >&2; exit 1; }
	@lintian --allow-root --fail-on error $(DEB)/campaignd_*.changes
	@ls -1sh $(DEB)/*.deb

test: test-packages ## everything that continuous integration checks; installs and builds what it needs
	@$(MAKE) lint
	@$(MAKE) build
	@$(MAKE) configuration
	@$(MAKE) package
	@$(MAKE) debug
	@$(MAKE) unit
	@$(MAKE) simulation
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-20} Tests/Fuzzing/fuzz run
	@$(MAKE) system
	@echo "All passed: format, release build without a warning, shipped configuration, package, unit tests, simulation,"
	@echo "fuzzing, system tests."

unit: debug ## the tests of the modules and of the rules of the house
	@$(SWIFT) test --skip-build --skip SystemTests --skip SimulationTests

simulation: debug ## the whole daemon in one process: a crash at every step, random worlds, wrong daemons
	@SWIFT_DETERMINISTIC_HASHING=1 $(SWIFT) test --skip-build --filter SimulationTests

system: debug ## the tests of the whole daemon: crashes, faults, systemd, Postfix
	@if [ ! -x $(RELEASE)/campaignd ]; then $(MAKE) build; fi
	@if [ ! $(DEB)/campaignd_*.deb -nt $(RELEASE)/campaignd ]; then $(MAKE) package; fi
	@CAMPAIGND_BINARY="$$PWD/$(RELEASE)/campaignd" CAMPAIGND_PACKAGE="$$(ls $$PWD/$(DEB)/campaignd_*.deb)" \
		$(SWIFT) test --skip-build --filter SystemTests

prove: test-packages build package debug ## try whole what `make test` tries in part; FUZZ_SECONDS, SOAK_MINUTES; hours
	@CAMPAIGND_PACKAGE="$$(ls $$PWD/$(DEB)/campaignd_*.deb)" Tests/prove $(RELEASE)/campaignd

replay: debug ## play random worlds again: make replay SEED=n, or SEED=first-last
	@CAMPAIGND_SEED=$(SEED) SWIFT_DETERMINISTIC_HASHING=1 $(SWIFT) test --skip-build --filter RandomWorldTests

fuzz: test-packages ## feed the readers with what nobody would write: FUZZ_SECONDS a target (600)
	@Tests/Fuzzing/fuzz run

soak: test-packages build ## many campaigns, relays and restarts for SOAK_MINUTES (60) of real time
	@nice Tests/SystemTests/soak/soak $(RELEASE)/campaignd

idle: build ## what the daemon costs while it has nothing to do: memory, and wake-ups a minute
	@Tests/SystemTests/idle/idle $(RELEASE)/campaignd

tidy: debug ## only the rules of the house
	@$(SWIFT) test --skip-build --filter TidyTests

debug:
	@$(SWIFT) build --build-tests $(IMPORTS)

configuration:
	@$(RELEASE)/campaignd --check --config config/campaignd.toml
	@echo "config/campaignd.toml is valid."

lint:
	@$(SWIFT) format lint --strict --recursive Sources Tests Package.swift
	@echo "The format is as it should be."

format: ## rewrite the sources in the house's format
	@$(SWIFT) format --in-place --recursive Sources Tests Package.swift

install: build install-files ## into / or DESTDIR: all that the package has, but its scripts; starts nothing
	@echo "Installed. Next: systemd-sysusers; systemd-tmpfiles --create; journalctl --update-catalog;" \
		"systemctl enable --now campaignd"

SHARE = $(DESTDIR)/usr/share
install-files:
	@install -D -m 755 -t $(DESTDIR)/usr/bin $(PRODUCTS:%=$(RELEASE)/%)
	@install -D -m 644 systemd/campaignd.service $(DESTDIR)/lib/systemd/system/campaignd.service
	@install -D -m 644 -t $(DESTDIR)/usr/lib/systemd/catalog systemd/catalog/campaignd.catalog
	@install -D -m 644 systemd/sysusers.d/campaignd.conf $(DESTDIR)/usr/lib/sysusers.d/campaignd.conf
	@install -D -m 644 systemd/tmpfiles.d/campaignd.conf $(DESTDIR)/usr/lib/tmpfiles.d/campaignd.conf
	@install -D -m 644 -t $(SHARE)/campaignd/presets config/presets/*.json
	@install -D -m 644 -t $(SHARE)/campaignd/schema spool/schema/*.json
	@if [ ! -e $(DESTDIR)/etc/campaignd/campaignd.toml ]; then \
		install -D -m 644 config/campaignd.toml $(DESTDIR)/etc/campaignd/campaignd.toml; fi
	@debian/manual/make-manuals $(RELEASE) $(SHARE)/man
	@install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/vendor-completions $(SHARE)/fish/vendor_completions.d
	@for program in $(PRODUCTS); do \
		completion="$(RELEASE)/$$program --generate-completion-script"; \
		$$completion bash | sed '1{/^#!/d}' > $(SHARE)/bash-completion/completions/$$program; \
		$$completion zsh > $(SHARE)/zsh/vendor-completions/_$$program; \
		$$completion fish > $(SHARE)/fish/vendor_completions.d/$$program.fish; done

clean: ## remove what was built and what the demonstration left
	@rm -rf .build demo

build-packages:
	@.ci/packages build

deb-packages:
	@.ci/packages deb

test-packages:
	@.ci/packages test
