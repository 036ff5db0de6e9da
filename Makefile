# `make run` and `make test` set up all they need on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.synced
# A file stays in one process: its tests share what they have started. tests/conftest.py puts the files in order.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
BENCH_ARGS ?=

# Compiled modules halve every start. Who wants none in the checkout gets them beside it.
ifneq ($(PYTHONDONTWRITEBYTECODE),)
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup browser run test look screenshots chaos fuzz bench check format clean

help: ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 13)))' 2>/dev/null || \
		{ echo "Python 3.11 or 3.12 is needed: install it, or name it with PYTHON=/path/to/python3.11."; exit 2; } >&2
	@# What is left there without its Python (compiled modules, a broken attempt) would stop uv.
	@rm -rf $(VENV)
	@if command -v uv >/dev/null; then \
		uv venv --quiet --python "$$(command -v $(PYTHON))" $(VENV); \
	elif ! $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1; then \
		rm -rf $(VENV); \
		echo "Python cannot make virtual environments here: install Debian's package python3-venv."; exit 2; \
	fi >&2

$(STAMP): pyproject.toml uv.lock | $(BIN)/python
	@echo "Installing what uv.lock names"
	@command -v uv >/dev/null || test -x $(BIN)/uv || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || \
		{ echo "uv could not be installed from PyPI: check the network and start again."; exit 2; } >&2
	@PATH="$$PATH:$(CURDIR)/$(BIN)" env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=$(VENV) uv sync --frozen --quiet
	@touch $@

setup: $(STAMP) ## Make the virtual environment

run: $(STAMP) ## Serve the product with demo data (PORT, LEADAGENT_STATE_DIR)
	@exec $(BIN)/python -m leadagent.embedded serve

browser: $(STAMP)
	@$(BIN)/python -m tests.chromium

# After the browser: npm brings both at once where that one is needed.
.PHONY: aimock
aimock: $(STAMP) browser
	@$(BIN)/python -m tests.aimock

test: $(STAMP) browser aimock ## Run every test
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

chaos: $(STAMP) ## Let servers, workers and providers fail while calls go on, and count what is lost
	@$(BIN)/python -m tests.aimock
	@LEADAGENT_CHAOS=long $(BIN)/python -m pytest tests/chaos tests/wire/test_chaos.py

fuzz: $(STAMP) ## Try fifty thousand bad inputs on pages, API, files and providers' answers, and count what fails
	@LEADAGENT_FUZZ=long $(BIN)/python -m pytest $(PYTEST_ARGS) tests/fuzz

bench: $(STAMP) ## Measure the figures of docs/performance.md (BENCH_ARGS="--events 10000000")
	@$(BIN)/python -m tests.bench $(BENCH_ARGS)

look: $(STAMP) browser ## Hold every page to its rules in every variant and photograph it (PICTURES=directory)
	@LEADAGENT_LOOK=long $(BIN)/python -m pytest tests/look $(if $(PICTURES),--basetemp $(PICTURES))

screenshots: $(STAMP) browser ## Take the pictures of docs/tour.md from the demo
	@$(BIN)/python -m tests.tour

check: $(STAMP) ## Lint, types, import contracts, security, migrations, deploy settings
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/check

format: $(STAMP) ## Format and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

clean: ## Remove the virtual environment and caches; the data in .local stays
	@rm -rf $(VENV) node_modules .local/browser .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
		test-results
	@find . -name __pycache__ -prune -exec rm -rf {} +
