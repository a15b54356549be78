# Everything sets itself up: a Python of 3.11 or later, pip and make are enough.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-long lint bench bench-quick sdk clean

run: .venv/run  ## serve on 127.0.0.1:8080, configured by memio-server.yaml if it is there
	$(BIN)/memio-server

test: lint  ## everything that takes minutes at most
	$(BIN)/pytest -m "not long" -n 2 --dist loadfile

test-long: lint  ## everything
	$(BIN)/pytest

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/dev  ## every comparison on this machine, under 20 minutes
	$(BIN)/python -m benchmarks

bench-quick: .venv/dev  ## the same at smaller sizes, under 3 minutes
	$(BIN)/python -m benchmarks --quick

sdk: .venv/run  ## client libraries in sdk/: Python, TypeScript, Go, Java, Rust
	$(BIN)/python -m tools.sdk.generate

clean:
	rm -rf .venv build dist sdk

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/dev: .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
