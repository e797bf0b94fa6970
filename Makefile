# The project's commands. `make` alone lists them; every recipe does its own set-up.
#
# One profile (dev) serves build, demo, quick, test and check, so that the dependencies are compiled once. Only `bench`
# and `install` use the release profile.

# rustup's folder may be absent from PATH (a fresh shell, cron, CI): look there last.
CARGO_HOME ?= $(HOME)/.cargo
export PATH := $(PATH):$(CARGO_HOME)/bin

CARGO ?= cargo
# For `make demo`, e.g. DEMO_ARGS='--bundle my.json --vitals my.csv'.
DEMO_ARGS ?=
# For `make bench`, e.g. BENCH_ARGS='-- ladder'.
BENCH_ARGS ?=
# For `make soak`, e.g. SOAK='tests fuzz'.
SOAK ?=
# The folder cargo builds into, wherever the user's configuration puts it.
TARGET_DIR = $(shell $(CARGO) metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

.DEFAULT_GOAL := help
.PHONY: help deps build demo quick test check components soak bench install clean

help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

deps: ## Install the missing system packages (YES=1 does not ask) and find the system's RocksDB.
	@YES="$(YES)" .ci/deps

build: deps ## Compile the workspace and its one binary, medring.
	$(CARGO) build --workspace --locked

demo: build ## Seven processes play the whole scheme; DEMO_ARGS='--bundle FILE|DIR --vitals FILE --tamper'.
	@"$(TARGET_DIR)/debug/medring" testnet demo $(DEMO_ARGS)

quick: deps ## Before each commit (under 3 minutes warm): format, compile, the pure crates' unit tests.
	$(CARGO) fmt --all --check
	$(CARGO) check --workspace --all-targets
	$(CARGO) test -p medring-protocol -p medring-storage --lib

test: deps ## Every test of the workspace, then the vectors recomputed in Python (under 15 minutes warm).
	$(CARGO) test --workspace --locked --no-fail-fast
	@if [ -f docs/spec/vectors/check.py ]; then \
	  echo "python3 docs/spec/vectors/check.py"; python3 docs/spec/vectors/check.py; fi

check: deps components ## What CI runs: format, arrows, licences, models, clippy and docs without warnings, make test, schemathesis.
	$(CARGO) fmt --all --check
	.ci/arrows
	.ci/reasons
	@.ci/mutate --list >/dev/null
	@YES="$(YES)" .ci/deps spin
	.ci/models
	.ci/deny
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked
	@$(MAKE) --no-print-directory test
	.ci/schemathesis

# rustfmt and clippy are no part of rustup's minimal profile.
components:
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 \
	  || rustup component add rustfmt clippy

soak: deps ## The long figures, written to docs/runs/ (hours); SOAK='tests', 'fuzz' or 'mutate' picks a part.
	@.ci/soak $(SOAK)

bench: deps ## The benchmarks, as ratios to a named baseline (release profile); BENCH_ARGS='-- NAME' picks one.
	$(CARGO) bench -p medring-benches --locked $(BENCH_ARGS)

install: deps ## Put an optimised medring into cargo's bin folder.
	$(CARGO) install --path cli --locked

clean: ## Remove what was built and the generated .cargo/config.toml.
	$(CARGO) clean
	@.ci/deps --forget
