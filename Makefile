# Every target works from a clean clone without a step before it.
# make train PRESET=demo SET="table.key=value …"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := kohya_wrap tests
FAST := not engine and not sd_scripts and not bench and not soak

.PHONY: train setup check lint fast test bench audit soak golden options clean help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kohya_wrap needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up kohya_wrap in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

EXAMPLES ?= 20000
KILLS ?= 20
PRESET ?= demo
SET ?=

train: $(STAMP) ## train a LoRA: make train PRESET=demo
	@$(BIN)/kohya-wrap train "$(PRESET)" --set-words '$(subst ','\'',$(SET))'

setup: $(STAMP) ## fetch sd-scripts and build the engine's environment
	@$(BIN)/kohya-wrap setup

check: lint fast ## format, lint, types, import direction, fast tests

lint: $(STAMP)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy

# A target of its own, so that `make check test` does it once.
fast: $(STAMP)
	$(BIN)/pytest -q -m "$(FAST)" -n 2

test: fast ## every test, after setting up what they need
	@$(BIN)/kohya-wrap setup --engine embedded
	@$(BIN)/kohya-wrap setup --engine sd-scripts || echo "sd-scripts cannot be fetched here: the tests that need it are skipped."
	$(BIN)/pytest -q -m "engine and not sd_scripts and not soak" -n 2 --dist loadscope
	$(BIN)/pytest -m "sd_scripts and not soak"

bench: $(STAMP) ## the figures in the README
	@$(BIN)/kohya-wrap setup --engine embedded
	@$(BIN)/kohya-wrap setup --engine sd-scripts || true
	$(BIN)/pytest -q -s -m bench tests/benchmarks

audit: $(STAMP) ## known vulnerabilities of the wrapper's packages and the engine's pins; needs a network
	@$(BIN)/python -m tests.audit

soak: $(STAMP) ## random inputs for every parser, random kills of a run: make soak EXAMPLES=1000000 KILLS=200
	@$(BIN)/kohya-wrap setup --engine embedded
	KOHYA_WRAP_EXAMPLES=$(EXAMPLES) KOHYA_WRAP_KILLS=$(KILLS) $(BIN)/pytest -q -rP -m soak --timeout=0 -n 2 tests/soak

golden: $(STAMP) ## rewrite tests/golden from today's code; look at the diff
	$(BIN)/python -m tests.golden.regenerate

options: $(STAMP) ## rewrite sd_scripts/options.json from the checkout
	@$(BIN)/kohya-wrap setup --engine sd-scripts
	$(BIN)/python -m kohya_wrap.sd_scripts.generate_options vendor/sd-scripts

clean: ## remove what make made here (not the cache, not your LoRAs)
	rm -rf $(VENV) vendor/sd-scripts .mypy_cache .ruff_cache .pytest_cache build dist
	find . -name __pycache__ -type d -not -path './Loras/*' -prune -exec rm -rf {} +
