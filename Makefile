# Everything a person does with this repository, by name. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run demo test bench lint fmt docs fuzz need-cargo need-node need-fuzz

AYNI := cargo run --release --locked --quiet -p ayni-node --

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: need-cargo need-node ## a node at http://127.0.0.1:7777/, data in ./data
	@echo 'building (a few minutes the first time)'
	cargo build --release --locked -p ayni-node
	$(AYNI) run

demo: need-cargo ## a node with a small lively community, on a temporary folder
	@echo 'building (a few minutes the first time)'
	cargo build --release --locked -p ayni-node
	$(AYNI) demo

test: need-cargo need-node ## every test; the last line says how many passed
	@tests/all

bench: need-cargo ## how fast a relay is on this machine, beside what the machine can do
	@echo 'building (a few minutes the first time)'
	cargo build --release --locked -p ayni-node
	$(AYNI) bench

lint: need-cargo ## formatting and clippy, without tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

fmt: need-cargo ## format the sources
	cargo fmt --all

docs: need-cargo ## the reference of every crate, in target/doc
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

FUZZ_TARGETS := $(patsubst fuzz/targets/%.rs,%,$(wildcard fuzz/targets/*.rs))

fuzz: need-cargo need-fuzz ## every fuzz target for a minute, or TARGET=wire RUNS=10000000
	@cd fuzz; for target in $(or $(TARGET),$(FUZZ_TARGETS)); do \
	  echo "── $$target"; \
	  cargo +nightly fuzz run -s none "$$target" -- -dict=dictionaries/$$target.txt -max_len=700 \
	    $(if $(RUNS),-runs=$(RUNS),-max_total_time=60); \
	done

need-cargo:
	@v=$$(cargo --version 2>/dev/null | sed -E 's/^cargo ([0-9]+\.[0-9]+).*/\1/' || true); \
	if [ -z "$$v" ] || [ "$$(printf '%s\n' 1.95 "$$v" | sort -V | head -n 1)" != 1.95 ]; then \
	  echo "Missing: cargo 1.95 or newer (found: $${v:-none}). Get it with: rustup update stable, or from rustup.rs"; exit 1; \
	fi
	@command -v cc >/dev/null || { echo 'Missing: a C compiler. Get it with: apt-get install build-essential'; exit 1; }

need-node:
	@v=$$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/' || true); \
	if [ -z "$$v" ] || [ "$$v" -lt 20 ] || ! command -v npm >/dev/null; then \
	  echo "Missing: Node 20 or newer with npm (found: $${v:-none}). Get it with: apt-get install nodejs npm, or from nodejs.org"; exit 1; \
	fi

need-fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'Missing: cargo-fuzz. Get it with: cargo install cargo-fuzz'; exit 1; }
	@cargo +nightly --version >/dev/null 2>&1 || { echo 'Missing: a nightly compiler. Get it with: rustup toolchain install nightly'; exit 1; }
