# make demo   a sweep of a real model on this machine, and its report
# make test   the tests (minutes); make test-slow for the rest
# make mlflow-server  the official MLflow server, for the tests that read our mirror in it (they skip without)
# make check  formatting, lint, types, architecture
# Each sets up .venv by itself the first time, and again when pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

MLFLOW := .venv-mlflow/.ready

.PHONY: demo test test-slow mlflow-server check format clean

demo: $(READY)
	$(BIN)/heliostat demo

test: $(READY)
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_layout.py

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# torch comes first and alone: the constraints pin the build that the tests ran with, and a resolver that
# meets it later may fetch gigabytes of another one before it finds out.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

# In an environment of its own: the server pins packages that Heliostat uses in later versions.
mlflow-server: $(MLFLOW)
$(MLFLOW):
	$(PYTHON) -m venv .venv-mlflow
	.venv-mlflow/bin/python -m pip install --quiet mlflow==3.17.2
	touch $(MLFLOW)

clean:
	rm -rf $(VENV) .venv-mlflow .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
