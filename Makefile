# `make help` lists the targets. Needs python3 (3.11 or newer), python3-venv and make; nothing else.
SHELL := /bin/sh
.SUFFIXES:
.DEFAULT_GOAL := help

# Another interpreter than the system's python3: `make setup PYTHON=python3.13`. See scripts/setup.sh.
PYTHON ?=
BIN := .venv/bin
# The home of `make run` and `make serve`; the installed command has its own default.
export CLEARWAY_HOME ?= $(CURDIR)/.clearway
# What to test: `make test T=tests/unit/store`.
T ?=
# Each process of a run reads every test: what was compiled once is kept, and plugins that no test asks for stay out.
# Four processes, as many of them wait for a server or a box: on two processors an eighth quicker than three.
# Files in the order of their names end with many short ones; by their number of tests, with a few that take long.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -p no:schemathesis -p no:faker --no-loadscope-reorder

LOCKS := requirements/runtime.lock requirements/build.lock pyproject.toml scripts/setup.sh
SOURCES := $(shell find src -name '*.py' 2>/dev/null)
# An environment holds absolute paths: when the project has been moved, it is made anew; so it is for another PYTHON.
MOVED := $(if $(shell PYTHON="$(PYTHON)" scripts/setup.sh stands && echo same),,moved)

help: ## this list
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r target does; do \
		printf '  %-10s %s\n' "$$target" "$$does"; done

setup: .venv/.runtime .venv/.compiled ## install everything into .venv, from hash-locked lists
	@:

run: setup ## load the bundled facts, match the bundled inventory (SBOM=path for your own), print what is due
	@$(BIN)/clearway demo $(if $(SBOM),"$(SBOM)")

serve: setup ## the API, with the bundled facts, until Ctrl-C
	@$(BIN)/clearway up --demo

test: .venv/.dev .venv/.compiled ## the tests, without the slow ones (T=tests/unit for a part)
	$(PYTEST) -n 4 --dist loadfile -m "not slow" $(or $(T),tests --ignore=tests/browser)
	$(if $(T),,$(PYTEST) -n 2 --dist loadfile -m "not slow" tests/browser)

test-all: .venv/.dev .venv/.compiled ## every test, with more examples of each property
	CLEARWAY_EXAMPLES=200 $(PYTEST) -n 2 --dist loadfile $(or $(T),tests --ignore=tests/browser)
	$(if $(T),,$(PYTEST) -n 2 --dist loadfile tests/browser)

check: .venv/.dev ## what the code must pass: lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: .venv/.dev ## format, and mend what the linter can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: setup .venv-peers/.done ## the benchmarks behind the figures in the README
	$(BIN)/clearway bench all

lock: ## resolve the dependencies anew (needs uv)
	scripts/lock.sh

clean: ## remove environments and caches; the database in .clearway stays
	rm -rf .venv .venv-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.runtime: $(LOCKS) $(MOVED)
	@PYTHON="$(PYTHON)" scripts/setup.sh runtime

.venv/.dev: .venv/.runtime requirements/dev.lock
	@PYTHON="$(PYTHON)" scripts/setup.sh dev

# Start-up time is a goal, and compiling at start-up costs a third of it.
.venv/.compiled: .venv/.runtime $(SOURCES)
	@$(BIN)/python -m compileall -q src && touch $@

.venv-peers/.done: requirements/peers.lock
	@PYTHON="$(PYTHON)" scripts/setup.sh peers

moved:

.PHONY: help setup run serve test test-all check fmt bench lock clean moved
