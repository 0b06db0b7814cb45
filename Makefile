# Each verb sets up what it needs. `make` alone prints them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test slow triton gpu lint wheel clean tools

PYTHON := .venv/bin/python

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: tools .venv/installed  ## Install Icarus Verilog, g++, Chromium and the pinned Python packages (.venv)

demo: setup  ## Shipped LeNet-5 -> 8-bit integers -> Verilog -> simulated digits -> energy: build/demo
	.venv/bin/hwadder flow --model lenet5 --data mnist --images 10 --out build/demo

# One thread a process: pytest-xdist already fills the cores, and torch's threads would only fight over them.
test: export OMP_NUM_THREADS := 1
test: setup  ## Run the tests (those on published checkpoints take their files from $HWADDER_DATA)
	$(PYTHON) -m pytest -n 2

slow: setup  ## Run the tests that take minutes: the official network on Icarus, all benches on Verilator, clock rates, ZigZag
	$(PYTHON) -m pip install -c constraints.txt -e '.[export,fmax]'
	$(PYTHON) -m pytest -m slow --timeout 0

# Triton decides for its interpreter when it is first imported, whoever does that.
triton: export TRITON_INTERPRET := 1
triton: setup  ## Run the tests of the GPU's kernels on Triton's interpreter, and count their instructions (no GPU needed)
	$(PYTHON) -m pip install -c constraints.txt -e '.[gpu]'
	$(PYTHON) -m pytest -m triton -n 2

# `make gpu PYTHON=python3` takes an environment that has a GPU build of torch already, and installs nothing.
gpu: $(if $(filter .venv/bin/python,$(PYTHON)),.venv/installed)  ## On a machine with a GPU: check and time its kernels, train a little
	$(PYTHON) benchmarks/gpu.py
	$(PYTHON) benchmarks/gpu_training.py

lint: .venv/installed  ## Check format, lint and types
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy

wheel: .venv/installed  ## Build the wheel into dist and check what is inside
	rm -rf dist build/lib  # setuptools would pack what an earlier build left there
	$(PYTHON) -m build --wheel --no-isolation --outdir dist
	$(PYTHON) -m check_wheel_contents dist

clean:  ## Remove what was built; .venv stays
	rm -rf build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache

tools:
	@.ci/install-tools

# Installing also compiles the kernels, hence their sources.
.venv/installed: pyproject.toml constraints.txt $(wildcard */native/*) | tools
	python3 -m venv .venv
	$(PYTHON) -m pip install -c constraints.txt -e '.[test]'
	touch $@
