# Sets up .venv once and runs everything from it. Python 3.11 or newer and make are all that has to be there before.
#
#   make hello PYTHON=python3.12    another Python
#   make lab TORCH=cpu              PyTorch's CPU-only build, a tenth of the download on Linux
#   make test PYTEST_FLAGS="-n 2"   tests on two processes
#   make hello SEED=11              another story

PYTHON ?= python3
VENV ?= .venv
TORCH ?=
PYTEST_FLAGS ?=
SEED ?= 7

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

# The stamp of .venv holds the folder it was made in. Scripts in .venv name that folder, so after a move it is made anew.
MOVED := $(shell [ -f $(VENV)/.course ] && [ "$$(cat $(VENV)/.course)" != "$(CURDIR)" ] && echo moved)

.DEFAULT_GOAL := help
.PHONY: help hello lab test check notebooks bench-deps clean moved

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

hello: $(VENV)/.course  ## tell a story with the bundled model
	@$(BIN)/minillama generate --prompt "Once upon a time" --max-new-tokens 400 \
	    --temperature 0.6 --top-p 0.9 --seed $(SEED)

lab: $(VENV)/.course  ## open JupyterLab on lesson 00
	@$(BIN)/minillama lab

test: $(VENV)/.test  ## run the tests
	@$(BIN)/python -m pytest $(PYTEST_FLAGS)

check: $(VENV)/.test  ## format, lint, types, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell

notebooks: $(VENV)/.test  ## run every notebook again, in place
	$(BIN)/python -m minillama.course.notebooks --execute notebooks/*.ipynb $(wildcard solutions/*.ipynb)

bench-deps: $(VENV)/.bench  ## install what benchmarks/ compares with

clean:  ## remove .venv and every cache
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is written last, so an installation that was interrupted starts again.

$(VENV)/.course: pyproject.toml constraints.txt $(MOVED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "minillama needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing):" \
	        "install one and name it, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(if $(MOVED),--clear) $(VENV) || { \
	    echo "$(PYTHON) cannot make a virtual environment: on Debian and Ubuntu, sudo apt install python3-venv" >&2; exit 1; }
	@if [ "$(TORCH)" = cpu ]; then $(PIP) --no-deps --index-url $(TORCH_CPU_INDEX) torch; fi
	$(PIP) -e ".[course]"
	@printf '%s' "$(CURDIR)" > $@

$(VENV)/.test: $(VENV)/.course
	$(PIP) -e ".[course,test]"
	@touch $@

# llama.cpp is built for this processor, but without its AMX kernels: on machines that have AMX they crash where the
# compiler leaves out half of the tile configuration (llama.cpp issue 20824, pull request 26954).
NO_AMX := $(shell grep -qs amx_int8 /proc/cpuinfo && echo -mno-amx-tile -mno-amx-int8 -mno-amx-bf16)

$(VENV)/.bench: $(VENV)/.course
	CMAKE_ARGS="-DCMAKE_C_FLAGS='$(NO_AMX)' -DCMAKE_CXX_FLAGS='$(NO_AMX)'" \
	    $(PIP) --no-cache-dir --no-binary llama-cpp-python -e ".[bench]"
	@touch $@
