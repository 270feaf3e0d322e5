# make demo   a sweep of a real model on this machine, and its report
# make test   the tests (minutes); make test-slow for the rest; make test-hosts for those of several hosts;
#             make test-gpu for those on a machine with a GPU
# make mlflow-server  the official MLflow server, for the tests that read our mirror in it (they skip without)
# make check  formatting, lint, types, architecture
# Each sets up .venv by itself the first time, and again when pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

MLFLOW := .venv-mlflow/.ready

# In two processes, since many tests wait for Ray, servers and disks rather than compute.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: demo test test-slow test-hosts test-gpu mlflow-server check format clean

demo: $(READY)
	$(BIN)/heliostat demo

test: $(READY)
	$(PYTEST) -m "not slow and not hosts"

test-slow: $(READY)
	$(PYTEST) -m slow

# One at a time: each has several hosts of its own on this machine, or keeps it busy otherwise. What was killed when,
# and what of it was lost, is printed.
test-hosts: $(READY)
	$(BIN)/python -m pytest -m hosts -rP

# Needs the build of torch for the GPU in .venv. Without a GPU each test says why it skips.
test-gpu: $(READY)
	$(BIN)/python -m pytest -m gpu tests/gpu
	$(BIN)/python -m pytest tests/test_examples.py -k "train or gpu"

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
