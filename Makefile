# Set-up and everyday commands. `make demo` and `make test` need only Python 3.10–3.13 and the network.
.DEFAULT_GOAL := help
.PHONY: help install demo demo-cloud getting-started emulators test fuzz chaos test-gcp record-gcp lint format dbt bench dev psql stop clean wheel lock

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EMULATORS := .venv-emulators
MANIFEST := taxi_platform/dbt/compiled/postgres.json
DEMO := $(VENV)/.with-dbt,report
PIP := pip install -qq --disable-pip-version-check --root-user-action ignore
# What installs packages into a virtual environment.
installer = $$([ -x $(BIN)/uv ] && echo "$(BIN)/uv pip install --quiet --python $(1)/bin/python" || echo "$(1)/bin/$(PIP)")
INSTALL = $(call installer,$(VENV))

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-15s %s\n", $$1, $$2}'

$(BIN)/activate:
	@$(PYTHON) -m venv $(VENV) || { echo "Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo '. "$$VIRTUAL_ENV/../deploy/activate.sh"' >> $@
	@$(BIN)/$(PIP) --only-binary uv uv || echo "There is no wheel of uv for this machine, so pip installs the rest; that takes minutes."

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/activate
	@echo "Installing everything into $(VENV) …"
	@$(INSTALL) --requirement requirements.lock
	@$(INSTALL) --no-deps --editable .
	@$(BIN)/python -m taxi_platform.models > /dev/null
	@touch $@

# The main job and some extras: $(VENV)/.with-dbt,report. Nothing is to be done where everything is installed.
$(VENV)/.with-%: requirements.lock pyproject.toml | $(BIN)/activate
	@[ $(INSTALLED) -nt requirements.lock -a $(INSTALLED) -nt pyproject.toml ] || { \
		echo "Installing the main job with $* into $(VENV) …"; \
		$(INSTALL) --constraint requirements.lock --editable '.[$*]'; }
	@touch $@

# Otherwise every test with a data folder of its own would compile the models that were edited.
$(MANIFEST): $(shell find taxi_platform/dbt -name '*.sql' -o -name '*.yml' -o -name '*.csv') | $(INSTALLED)
	@$(BIN)/python -m taxi_platform.models > /dev/null

install: $(INSTALLED) ## Install every extra, and what tests need

$(EMULATORS)/.installed: deploy/emulators/requirements.lock | $(BIN)/activate
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "The emulators need Python 3.11 or later; name one: make emulators PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -m venv $(EMULATORS)
	@echo "Installing the emulators of Google Cloud into $(EMULATORS) …"
	@$(call installer,$(EMULATORS)) --requirement deploy/emulators/requirements.lock
	@HOME=$(CURDIR)/$(EMULATORS) $(EMULATORS)/bin/python -c "from duckdb_extensions import import_extension; import_extension('spatial')"
	@touch $@

emulators: $(EMULATORS)/.installed ## Install emulators of Cloud Storage and BigQuery, for the tests and demo-cloud

demo: $(DEMO) ## Load 2019 from the real source, or from the sample if it cannot be reached, and write a report
	@. $(BIN)/activate && taxi demo

demo-cloud: $(VENV)/.with-google $(EMULATORS)/.installed ## Load three sample months into emulators of Google Cloud, and show the rows
	@. $(BIN)/activate && taxi demo-cloud

getting-started: $(VENV)/.with-duckdb ## Average prices of products by brand: a first graph, in a few seconds
	@. $(BIN)/activate && taxi getting-started

# Without bytecode every worker would compile all tests again, and every process whatever was installed without it.
test: $(INSTALLED) $(MANIFEST) ## Run the whole test suite
	@$(MAKE) --no-print-directory emulators || echo "The tests that need the emulators will be skipped."
	@. $(BIN)/activate && PYTHONDONTWRITEBYTECODE= pytest -n 4 --dist loadscope --reruns 1 --reruns-delay 2

fuzz: $(INSTALLED) ## Load 100,000 files that were changed at random, and compare both paths with the parser
	@. $(BIN)/activate && TAXI_FUZZ_FILES=100000 pytest -n 2 --dist load -rP taxi_platform_tests/postgres/test_mutated_files.py

chaos: $(INSTALLED) ## Kill loads at 200 random instants each, on PostgreSQL 18 and, if it is installed, 15
	@. $(BIN)/activate && TAXI_CHAOS_KILLS=200 pytest taxi_platform_tests/postgres/test_chaos.py

test-gcp: $(INSTALLED) ## Test against your own project in Google Cloud (GCP_… in .env); about a cent
	@. $(BIN)/activate && pytest -m gcp -v

record-gcp: $(INSTALLED) ## The same, and keep Google's answers, without names and tokens, for the tests' own Google
	@. $(BIN)/activate && TAXI_RECORD_GOOGLE=1 pytest -m gcp -v

lint: $(INSTALLED) ## Check style and types
	@. $(BIN)/activate && ruff check . && ruff format --check . && pyright && deptry taxi_platform && sqlfluff lint --processes 2 --disable-progress-bar taxi_platform/dbt/models

format: $(INSTALLED) ## Fix style
	@. $(BIN)/activate && ruff check --fix . && ruff format .

dbt: $(DEMO) ## Run a command of dbt on the models: make dbt ARGS="build", make dbt ARGS="debug"
	@. $(BIN)/activate && taxi dbt $(ARGS)

bench: $(INSTALLED) ## Measure speed and memory; prints a table
	@. $(BIN)/activate && python -m benchmarks

dev: $(VENV)/.with-dbt,parquet,report ## Start Dagster's web UI and daemon on http://127.0.0.1:3000
	@. $(BIN)/activate && taxi dev

psql: $(DEMO) ## Open a shell on the embedded PostgreSQL
	@. $(BIN)/activate && taxi psql

stop: $(DEMO) ## Stop the embedded PostgreSQL; its data is kept
	@. $(BIN)/activate && taxi stop

clean: ## Remove the virtual environments and caches; the data in .taxi is kept
	rm -rf $(VENV) $(EMULATORS) .pytest_cache .ruff_cache .hypothesis
	find taxi_platform taxi_platform_tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

wheel: $(INSTALLED) ## Build dist/taxi_platform-….whl, with the manifests of the models
	@$(BIN)/python -m taxi_platform.models > /dev/null
	@$(BIN)/uv build --quiet --wheel .

lock: $(INSTALLED) ## Resolve the dependencies again
	@$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --group dev --universal --python-version 3.10 \
		--no-emit-index-url --no-header --no-annotate --output-file requirements.lock
