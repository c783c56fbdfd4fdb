# Set-up in one command each. Everything it makes stands in .venv/, node_modules/, web/static/vendor/ and var/,
# also the download caches. What is up to date is not made again.

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=

python := .venv/bin/python
npm = $(if $(shell npm --version 2>/dev/null),npm,$(python) scripts/npm.py)
sheets := $(shell find web/static/css web/templates web/static/js)

export PIP_CACHE_DIR := $(CURDIR)/var/cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_cache := $(CURDIR)/var/cache/npm

.PHONY: help setup run test chaos pages check bench clean

help: ## Say what each target does
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: .venv/packages web/static/vendor/hub.css web/static/vendor/card-head.ttf ## Install the Python packages and the front-end files

run: setup ## Serve the hub with its demo council on http://127.0.0.1:8000
	@$(python) -m flask migrate
	@$(python) -m flask demo --if-empty
	@echo "To see its people at work, run in another terminal: .venv/bin/flask demo --play"
	@IDEAS_HUB_DEMO=1 $(python) wsgi.py

test: setup .venv/packages-dev ## Run all tests, after installing what they need (PYTEST_ARGS="-k votes" for some)
	@$(python) -m tests.support.programs
	@$(python) -m pytest -n 3 --dist loadfile $(PYTEST_ARGS)

chaos: setup .venv/packages-dev ## Kill, stop and overload the hub for some twenty minutes, and say which promises held
	@$(python) -m tests.support.programs
	@$(python) -m pytest tests/chaos --long -o faulthandler_timeout=0 $(PYTEST_ARGS)

pages: setup .venv/packages-dev ## Measure how pages open on a phone on a slow line
	@$(python) benchmarks/pages.py

check: .venv/packages-dev ## Lint, formatting and types
	@$(python) -m ruff check
	@$(python) -m ruff format --check
	@$(python) -m mypy

bench: setup .venv/packages-dev ## Measure the hub beside its peers (a quarter of an hour; BENCH_ARGS="--only fanout --quick" for some)
	@$(python) -m benchmarks.speed $(BENCH_ARGS)

clean: ## Remove what set-up made; the database in var/ stays
	rm -rf .venv node_modules web/static/vendor var/cache

# Made also when a first attempt was interrupted: `venv` mends a half-made folder.
.venv/packages: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python cannot make a virtual environment: install python3-venv" >&2; exit 1; }
	@echo "Installing Python packages"
	@$(PYTHON) -m venv .venv
	@$(python) -m pip install --quiet --requirement $<
	@touch $@

.venv/packages-dev: requirements-dev.txt .venv/packages
	@echo "Installing packages for tests and checks"
	@$(python) -m pip install --quiet --requirement $<
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json .npmrc | .venv/packages
	@echo "Installing front-end packages"
	@$(npm) ci --ignore-scripts --loglevel=error
	@touch $@

# The folders are among the sheets, so a sheet that was added or removed counts too.
web/static/vendor/hub.css: scripts/vendor.py node_modules/.package-lock.json $(sheets)
	@$(python) $<

web/static/vendor/card-head.ttf: scripts/typefaces.py node_modules/.package-lock.json
	@$(python) $<
