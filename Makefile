# Needs Python 3.11 or newer with venv and pip, make, and a package index. `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
# Arguments for the command behind a target: make serve ARGS="--port 4100", make test ARGS="-k journal -x".
ARGS ?=

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
REAL := $(VENV)/.installed-real

.DEFAULT_GOAL := help
.PHONY: help install serve simulate test lint format bench soak catalog conformance fault-matrix tokens simulation local-model test-real test-clients test-streams fuzz requirements clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

serve: $(RUNTIME) ## start the gateway on http://127.0.0.1:4000 (ARGS="--port 4100")
	@exec $(BIN)/llmgateway serve $(ARGS)

simulate: $(RUNTIME) ## start the simulated providers on http://127.0.0.1:4010
	@exec $(BIN)/llmgateway simulate $(ARGS)

test: $(DEV) ## the whole test suite (ARGS="-k name")
	@$(BIN)/python -m pytest $(ARGS)

lint: $(DEV) ## style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports --no-logo

format: $(DEV) ## rewrite the code in the house format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEV) ## the load rig (needs wrk and nginx); writes bench/README.md
	@$(BIN)/python -m bench $(ARGS)

soak: $(DEV) ## 200,000 requests with streams, aborts and errors; memory must stay flat
	@$(BIN)/python -m bench.soak $(ARGS)

catalog: $(DEV) ## rebuild the model catalogue from its sources, and docs/parameters.md
	@$(BIN)/python -m llmgateway.catalog.compile $(ARGS)
	@$(BIN)/python -m llmgateway.apps.parameters $(ARGS)

conformance: $(DEV) ## play the recorded traffic of real providers; writes docs/conformance.md
	@$(BIN)/python -m tests.wire.conformance $(ARGS)

fault-matrix: $(DEV) ## every fault of a provider in every protocol; writes docs/fault-matrix.md
	@$(BIN)/python -m tests.e2e.fault_matrix $(ARGS)

tokens: $(DEV) ## measure the token estimate on recorded prompts; writes docs/tokens.md
	@$(BIN)/python -m tests.wire.token_errors $(ARGS)

simulation: $(DEV) ## ten simulated days of a million requests (about half an hour); writes docs/simulation.md
	@$(BIN)/python -m tests.simulation $(ARGS)

local-model: $(RUNTIME) $(REAL) ## a small real model on http://127.0.0.1:8080 (installs llama.cpp's server)
	@exec $(BIN)/python -m tests.support.real_model --port 8080 $(ARGS)

test-real: $(DEV) $(REAL) ## chat with a real small model through the gateway
	@$(BIN)/python -m pytest tests/real --override-ini addopts= --import-mode=importlib -ra $(ARGS)

test-clients: $(DEV) ## real client libraries' scripts (CLIENT_SCRIPTS=folder)
	@$(BIN)/python -m pytest tests/e2e/test_clients.py $(ARGS)

test-streams: $(DEV) ## 2,000 streams at once before providers that fail one in ten; nothing may leak
	@LLMGATEWAY_TEST_STREAMS=$${LLMGATEWAY_TEST_STREAMS:-2000} $(BIN)/python -m pytest -s tests/integration/test_many_streams.py $(ARGS)

fuzz: $(DEV) ## damaged answers in every protocol, for an hour (LLMGATEWAY_FUZZ_S=seconds)
	@LLMGATEWAY_FUZZ_S=$${LLMGATEWAY_FUZZ_S:-3600} $(BIN)/python -m pytest tests/fuzz $(ARGS)

requirements: $(DEV) ## recompile the pinned requirement files from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@COMPILE="$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links"; set -e; \
		$$COMPILE pyproject.toml -o requirements.txt > /dev/null; \
		$$COMPILE pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt > /dev/null; \
		$$COMPILE --group build -o requirements-build.txt > /dev/null; \
		$$COMPILE --group real --no-deps -o requirements-real.txt > /dev/null

install: $(DEV) ## make .venv with everything, and do nothing else

clean: ## remove .venv, caches and build output (never data/)
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis src/*.egg-info
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Say which: make PYTHON=python3.12"; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt requirements-build.txt pyproject.toml | $(BIN)/python
	@echo "installing the pinned dependencies"
	@$(PIP_INSTALL) -r requirements-build.txt -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo "installing the pinned development tools"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(REAL): requirements-real.txt $(RUNTIME)
	@echo "installing a real model and its server"
	@$(PIP_INSTALL) -r requirements-real.txt
	@touch $@
