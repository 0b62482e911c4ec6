# Two commands: `make run` and `make test`. Each installs what it needs and then does its job.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# npm itself runs under the machine's own Node; everything else under the one that npm ci brings along.
own_node := PATH="$(CURDIR)/node_modules/.bin:$$PATH"
installed := node_modules/.installed
console := .cache/console-built

.PHONY: help run test check clean components programs

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(installed) $(console) ## Install, build the console, start Wardwatch with recorded clinical traffic
	@$(own_node) exec node bin/wardwatch.js run --demo

test: $(installed) $(console) components ## Every check and every test, with a real Kafka, ClickHouse and browser
	@rm -f artifacts/gates.json artifacts/tests.json
	@status=0; \
	npm run --silent check || status=1; \
	npm run --silent test:all || status=1; \
	exit $$status

check: $(installed) ## Format, types, lint, import directions, unused code
	@npm run --silent check

clean: ## Remove what was built or downloaded into the checkout
	rm -rf node_modules dist artifacts .cache coverage

$(installed): package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(console): $(installed) $(shell find src/console -type f 2>/dev/null)
	npm run --silent build:console -- --logLevel warn
	@mkdir -p $(@D) && touch $@

components: $(installed) programs
	@$(own_node) node scripts/kafka-jars.mjs >/dev/null

# What the tests run against: a browser, tcpdump, a syslog server, Wireshark's reader. Without the right to install
# them they say so; tests that miss one are skipped with a loud line, in CI the browser's fail.
programs:
	@missing=(); \
	[ -x "$${WARDWATCH_CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium); \
	command -v tcpdump >/dev/null || missing+=(tcpdump); \
	[ -x /usr/sbin/rsyslogd ] || missing+=(rsyslog); \
	[ -n "$$(find /usr/lib -name lmnsd_gtls.so 2>/dev/null | head -1)" ] || missing+=(rsyslog-gnutls); \
	command -v tshark >/dev/null || missing+=(tshark); \
	if [ "$${#missing[@]}" = 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing for the tests: $${missing[*]}"; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; \
	else \
	  echo "the tests miss $${missing[*]} (Debian: apt-get install $${missing[*]}); a browser elsewhere: WARDWATCH_CHROMIUM" >&2; \
	fi
