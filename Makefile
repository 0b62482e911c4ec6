# Two commands: `make run` and `make test`. Each installs what it needs and then does its job.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# npm itself runs under the machine's own Node; everything else under the one that npm ci brings along.
own_node := PATH="$(CURDIR)/node_modules/.bin:$$PATH"
installed := node_modules/.installed
console := .cache/console-built

.PHONY: help run test check clean components chromium

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

components: $(installed) chromium
	@$(own_node) node scripts/kafka-jars.mjs >/dev/null

# The browser of the end-to-end tests. Without the right to install it they say so; in CI they fail.
chromium:
	@if [ -x "$${WARDWATCH_CHROMIUM:-/usr/bin/chromium}" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'installing chromium for the end-to-end tests'; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else \
	  echo 'no /usr/bin/chromium: install it (Debian: apt-get install chromium) or name one in WARDWATCH_CHROMIUM,' >&2; \
	  echo 'else the end-to-end tests cannot run' >&2; \
	fi
