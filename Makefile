# Everything lives below this folder: .venv (jobs and tools), .venv-airflow (scheduler), .venv-splink and
# .venv-drt (what matching and exports are measured beside), .venv-fuzz, .venv-tryton and .venv-mailman (what tests
# talk to), .jars, .cache.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON := .venv/bin/python
# Each runs some of the test files, in their order, and has a Spark of its own: 2 GB of heap and a core
# or so. Nights under Airflow come first, since nothing else would run beside the last of them.
TEST_PROCESSES ?= 2
PYTEST := .venv/bin/pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
export GX_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install the jobs environment, JARs and the Spark start-up cache (a second run skips all)
	@infra/setup/bootstrap.sh jobs jars prime

.PHONY: setup-airflow
setup-airflow: ## Install the scheduler's environment, .venv-airflow
	@infra/setup/bootstrap.sh airflow

.PHONY: setup-splink
setup-splink: ## Install Splink's environment, .venv-splink, for `make bench-identity`
	@infra/setup/bootstrap.sh splink

.PHONY: setup-drt
setup-drt: ## Install drt's environment, .venv-drt, for `make bench`; left out where it is absent
	@infra/setup/bootstrap.sh drt

.PHONY: setup-fuzz
setup-fuzz: ## Install Atheris, .venv-fuzz, which leads the longer fuzzing; Linux on x86-64 alone
	@infra/setup/bootstrap.sh fuzz

.PHONY: setup-live
setup-live: ## Install a Tryton and a GNU Mailman, for the tests that talk to real ones
	@infra/setup/bootstrap.sh tryton mailman tryton-data

.PHONY: setup-s3
setup-s3: setup ## Fetch the S3A JARs, for a lake on an object store
	@infra/setup/bootstrap.sh jars-s3 prime

.PHONY: lock
lock: ## Pin the requirements anew from requirements/*.in (needs uv)
	@infra/setup/lock.sh

.PHONY: lint
lint: setup ## ruff, mypy --strict, import-linter
	@infra/setup/lint.sh

.PHONY: format
format: setup ## Format, and mend what ruff can mend
	@.venv/bin/ruff check --fix --quiet .
	@.venv/bin/ruff format .

.PHONY: test
test: setup setup-airflow lint ## Checks, then all tests but the slow ones, with coverage; ARGS go to pytest
	@infra/setup/counterparts.sh
	@$(PYTEST) --cov --cov-report=term $(ARGS)

.PHONY: test-full
test-full: setup setup-airflow setup-splink setup-s3 setup-live lint ## Every test, the slow ones and those against Splink too
	@infra/setup/counterparts.sh
	@if [[ "$$(uname -sm)" == "Linux x86_64" ]]; then infra/setup/bootstrap.sh fuzz; fi
	@$(PYTEST) -m "slow or not slow" --cov --cov-report=term $(ARGS)
	@PYTHONPATH=.venv-splink/lib/python3.11/site-packages .venv/bin/pytest -q \
	  tests/identity/matching/test_em.py tests/identity/matching/test_splink_models.py

.PHONY: chaos
chaos: setup ## Kill real nights at random moments and compare: MINUTES=10 SEED=7
	@PYTHONPATH=jobs:tests $(PYTHON) -m faults.chaos --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

.PHONY: demo
demo: setup setup-airflow ## A made-up company, from raw files to exports, on this machine
	@$(PYTHON) -m goldenlake.demo $(ARGS)

.PHONY: nightly
nightly: setup ## The nightly run without Airflow: ARGS="--as-of DAY"; ARGS go to `goldenlake nightly`
	@.venv/bin/goldenlake nightly $(ARGS)

.PHONY: airflow
airflow: setup setup-airflow ## Airflow on this machine, with the DAGs of dags/
	@infra/airflow/standalone.sh

.PHONY: report
report: setup ## Write the HTML report of the last night; ARGS go to `goldenlake report`
	@.venv/bin/goldenlake report $(ARGS)

.PHONY: model
model: setup ## Train conf/identity/model.json anew, on another made-up company than the demo's
	@rm -rf var/training
	@mkdir -p var/training/exports
	@.venv/bin/goldenlake sample --out var/training/sample --customers 6000 --days 2 --seed 11
	@.venv/bin/goldenlake collect --env training --as-of 2026-01-02
	@.venv/bin/goldenlake resolve --env training --as-of 2026-01-02
	@.venv/bin/goldenlake identity train --env training --write

.PHONY: bench
bench: setup ## Measure on larger data; ARGS go to the benchmarks
	@$(PYTHON) -m benchmarks $(ARGS)

.PHONY: bench-identity
bench-identity: setup setup-splink ## Matching beside Splink's; GOLDENLAKE_DATA names the public data
	@$(PYTHON) -m benchmarks.identity $(ARGS)

.PHONY: docs
docs: setup ## Write the data dictionary from conf/tables and conf/groups
	@.venv/bin/goldenlake dictionary $(ARGS)

.PHONY: clean
clean: ## Remove environments, JARs and caches; data is left alone
	@rm -rf .venv .venv-airflow .venv-splink .venv-drt .venv-fuzz .venv-tryton .venv-mailman .jars .cache .mypy_cache \
		.ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov build jobs/*.egg-info
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
