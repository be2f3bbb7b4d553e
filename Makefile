# `make` alone prints this help. Every target sets up what it needs in .venv.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
BENCH_TOKENIZER ?= $(wildcard ../shared/data/rubert-tiny2)
BENCH_REVIEWS ?= $(firstword $(wildcard ../shared/data/reviews.csv) examples/reviews.csv)

# Tests of the table of faults that stand elsewhere; empty where `make test` has just run them.
ELSEWHERE ?= $$($(BIN)/python -m tests.faults.elsewhere)

# Three processes of tests on two cores, since a third of their time is waiting, each with a PostgreSQL and a RabbitMQ
# of its own; nothing for one after the other.
SIDE_BY_SIDE ?= --numprocesses $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )) --maxprocesses 6 --dist worksteal

# Those of tests/services that take minutes and guard what a newcomer does not meet; CI runs them after `make test`.
REST := services and not everyday

.DEFAULT_GOAL := help
.PHONY: help demo quick near test test-rest test-all test-faults soak models static check sbom map house release bench up down clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "expected Python 3.11 or newer, found $$($(PYTHON) --version); set PYTHON=python3.12 or so"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,monitoring]'
	@touch $@

demo: .venv/base  ## Label examples/reviews.csv here: no broker, no server; writes out/labels.csv and out/labels.html
	@mkdir -p out
	$(BIN)/otzyv label examples/reviews.csv --out out/labels.csv

quick: static  ## Linters and quick tests, those that failed last time first: an answer within a minute
	$(BIN)/pytest --failed-first --numprocesses 2 --dist worksteal tests/quick

near: static  ## Linters and the tests of the rooms that your change touches
	@near=$$($(BIN)/python .ci/near.py); [ -z "$$near" ] && echo "nothing differs from main" \
		|| $(BIN)/pytest --failed-first --numprocesses 2 --dist worksteal $$near

test: .venv/dev  ## Everything that a newcomer relies on, with real PostgreSQL and RabbitMQ; TESTS=file for some
	$(BIN)/pytest $(SIDE_BY_SIDE) $(if $(TESTS),$(TESTS),-m 'not faults and not ($(REST))')

test-rest: .venv/dev  ## What `make test` leaves out: the longer ways through RabbitMQ
	$(BIN)/pytest $(SIDE_BY_SIDE) -m '$(REST)' tests/services

test-all: .venv/dev  ## Both of them
	$(BIN)/pytest $(SIDE_BY_SIDE)

test-faults: .venv/gpu  ## Kill, stall and restart real processes, and settle accounts after each; about ten minutes
	$(BIN)/python -m pytest -p tests.faults.observations -m "" $(SIDE_BY_SIDE) tests/faults $(ELSEWHERE)

soak: .venv/dev  ## 200,000 reviews while processes, RabbitMQ and PostgreSQL are killed; SOAK='--seed 7 --faults 40'
	$(BIN)/python -m tests.faults.soak $(SOAK)

.venv/gpu: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[gpu]'
	@touch $@

models: .venv/gpu  ## Install torch and what else the stages with models need; `make test` then tests them too

static: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: static  ## Lint, format, types, import rules, and known vulnerabilities where a service can be asked
	$(BIN)/python .ci/dependencies.py audit

sbom: .venv/dev  ## Write out/sbom.json, a bill of materials in CycloneDX
	@mkdir -p out
	$(BIN)/python .ci/dependencies.py sbom > out/sbom.json

map:  ## Print every room, what lives in it and its doors; docs/map.md is this output
	@$(PYTHON) .ci/map.py

house:  ## Print the figures that may only fall; HOUSE=private shows where one comes from, HOUSE=write keeps them
	@$(PYTHON) .ci/house.py $(HOUSE)

release:  ## Tag a version that changelog and pyproject.toml agree on: VERSION=1.2.3
	@$(PYTHON) .ci/release.py $(VERSION)

bench: .venv/gpu  ## Measure; BENCH_REVIEWS=file.csv for your own reviews, BENCH_TOKENIZER=folder for a tokenizer
	$(BIN)/otzyv bench keywords $(BENCH_REVIEWS)
	$(BIN)/otzyv bench classifier --architecture linear $(BENCH_REVIEWS)
	$(BIN)/otzyv bench classifier $(BENCH_REVIEWS) $(if $(BENCH_TOKENIZER),--tokenizer $(BENCH_TOKENIZER))

up: .env  ## Start everything with Docker Compose
	docker compose up --build --detach

down:  ## Stop it again; the data stays
	docker compose down

.env:
	@echo "expected a file .env, found none: cp .env.example .env and fill in the passwords" && exit 1

clean:  ## Remove what make has made
	rm -rf .venv out build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
