# Two commands for a newcomer: `make demo` and `make test`. Everything else serves them.
# Build caches live outside the work tree, so that a clean checkout builds quickly.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/stratum_dask
export CARGO_TARGET_DIR ?= $(CACHE)/target
export UV_PROJECT_ENVIRONMENT := $(VENV)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find optimizer native_ops -name '*.rs' -o -name Cargo.toml)

.PHONY: help build demo test test-oldest test-long test-million test-memory lint format bench clean

help:  ## Show the recipes
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

$(VENV)/installed: pyproject.toml uv.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'uv>=0.9'
	$(UV) sync --quiet --locked --inexact --no-install-project --compile-bytecode
	@touch $@

# Cargo tells a workspace's crates apart by their place inside it, so a cache that another checkout
# has used could pass for ours: what is built then counts as changed.
.PHONY: own-cache
own-cache:
	@mkdir -p $(CARGO_TARGET_DIR)
	@test "$$(cat $(CARGO_TARGET_DIR)/checkout 2>/dev/null)" = "$(CURDIR)" || { \
		touch $(RUST_SOURCES); echo "$(CURDIR)" > $(CARGO_TARGET_DIR)/checkout; }

$(VENV)/built: $(VENV)/installed $(RUST_SOURCES) | own-cache
	@command -v cargo >/dev/null || { echo "cargo not found: install the stable Rust toolchain from https://rustup.rs and run make again" >&2; exit 1; }
	$(BIN)/maturin develop --release --uv --quiet
	@touch $@

build: own-cache $(VENV)/built  ## Make .venv and build the extension in release mode

demo: build  ## Run the batch of candidates over the flight data, plain and optimized
	$(BIN)/stratum-dask demo

test: build  ## Run the Rust and Python tests, and the examples in docstrings
	cargo test --workspace --quiet --locked
	$(BIN)/python -m pytest -q
	$(BIN)/python -m pytest -q --doctest-modules stratum_dask

lint: build  ## ruff, mypy --strict, rustfmt, clippy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet --locked -- -D warnings

format:  ## Format the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt --all

bench: build  ## Run all benchmarks; results as tables and JSON
	$(BIN)/python -m benchmarks

test-long: build  ## Long fuzzing: many more Hypothesis and proptest cases
	PROPTEST_CASES=20000 cargo test --release --workspace --quiet --locked
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -q --timeout=3600

test-million: build  ## A million random chains of frame operations against pandas; takes half a day
	HYPOTHESIS_PROFILE=million $(BIN)/python -m pytest -q --timeout=0 tests/ops/test_long_chains.py tests/ops/test_frames_differential.py

# valgrind's processor raises no floating-point exceptions.
test-memory:  ## Run the kernels' Rust tests under valgrind: no read or write outside, nothing uninitialised
	PROPTEST_CASES=8 cargo --config 'target."cfg(unix)".runner = ["valgrind", "--quiet", "--error-exitcode=1"]' \
		test --release --package stratum-native-ops --lib --tests --quiet --locked -- --skip exceptions

test-oldest: build  ## Run the tests with the oldest supported versions of the dependencies
	$(UV) venv --quiet --clear --python $(PYTHON) .venv-oldest
	$(UV) pip install --quiet --compile-bytecode --python .venv-oldest/bin/python --resolution lowest-direct --group dev -r pyproject.toml
	PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV=$(CURDIR)/.venv-oldest maturin develop --release --uv --quiet
	.venv-oldest/bin/python -m pytest -q

clean:  ## Remove the environment and the build cache
	rm -rf $(VENV) .venv-oldest $(CACHE)/target
