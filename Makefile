# Every target sets up what it needs by itself: a virtual environment in .venv, filled by pip.
#
#   make demo     the main job on a real scan and on a simulated glass; reports in demo-runs/
#   make test     the tests            (PYTEST_ARGS="-k rotation" hands words on to pytest)
#   make check    lint, format, types, import rules, spelling, security
#   make docs     the documentation as a site in site/
#   make web      the page of the viewer from its sources in web/ (needs node)
#   make bench    times and memory of the main job, and of the factorisation beside its peers
#   make bench-recovery   how much of what is there is found, on phantoms with truth (hours; RECOVERY_ARGS="--seeds 1")
#   make bench-answers    are groups, rotations and sizes right? (an hour; ANSWERS_ARGS="--only pairs")
#   make bench-regression BASE=v1.0   is this tree slower or less exact than that revision?
#   make clean    remove everything that these targets made
#
# Another interpreter: make PYTHON=python3.13 demo

PYTHON ?= python3
VENV ?= .venv
RUNS ?= demo-runs
RESULTS ?= bench-results
PYTEST_ARGS ?=
BENCH_ARGS ?=
RECOVERY_ARGS ?=
ANSWERS_ARGS ?=
BASE ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
HYPERSPY_BIN := $(VENV)-hyperspy/bin
FAIR_BIN := $(VENV)-fair/bin
WEB_BIN := $(VENV)-web/bin
LIVE_BIN := $(VENV)-live/bin

GLASS := demo:glass?scan=64x64&detector=64x64&dose=40000&seed=1

CANDIDATES := CuZr CuZr2 ZrCu2Al ZrO2 Zr Cu

.NOTPARALLEL:
.PHONY: help demo test test-hyperspy test-fair test-live test-web web check lint types imports spelling security docs bench bench-recovery bench-answers bench-regression clean env-test

help:
	@sed -n '3,14s/^# *//p' Makefile

demo: $(VENV)/.core
	$(BIN)/unmixel run examples/data/mgo_crop.hspy --recipe examples/mgo.yaml --out $(RUNS)/mgo --force
	$(BIN)/unmixel run '$(GLASS)' --recipe examples/glass.yaml --out $(RUNS)/glass --force $(CANDIDATES:%=--cif %)
	@$(BIN)/python examples/demo_summary.py $(RUNS)/mgo $(RUNS)/glass

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile $(PYTEST_ARGS)

# HyperSpy, orix and emdfile live in an environment of their own: their dependencies are not those of unmixel.
test-hyperspy: $(VENV)-hyperspy/.hyperspy
	$(HYPERSPY_BIN)/python -m pytest tests/hyperspy tests/contracts/test_exporters.py tests/unit/io/test_io_ebsd.py $(PYTEST_ARGS)

# So do the judges of exported records: nothing that unmixel needs may depend on what they bring.
test-fair: $(VENV)-fair/.fair
	$(FAIR_BIN)/python -m pytest tests/fair tests/contracts/test_exporters.py -m '' $(PYTEST_ARGS)

# The viewer in a real browser, the system's Chromium; skipped with words where there is none.
test-web: $(VENV)-web/.web
	$(WEB_BIN)/python -m pytest tests/web -m slow $(PYTEST_ARGS)

# What this makes is committed: users need no node.
web:
	@command -v npm >/dev/null || { echo "make web needs node 20 or newer; using the viewer needs none."; exit 1; }
	cd web && npm ci && npm test && npm run build

# The emulator of a detector brings Numba and much else: it is the counterpart of tests, and nothing that unmixel needs.
test-live: $(VENV)-live/.live
	$(LIVE_BIN)/python -m pytest tests/live -m '' $(PYTEST_ARGS)

check: lint types imports spelling security   # make --keep-going check shows all faults at once

lint: $(VENV)/.check
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.check
	$(BIN)/mypy

imports: $(VENV)/.check
	$(BIN)/lint-imports

spelling: $(VENV)/.check
	$(BIN)/codespell

security: $(VENV)/.check
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html"

bench: $(VENV)/.core
	$(BIN)/python benchmarks/main_job.py --out $(RESULTS)/main_job.json
	$(BIN)/python benchmarks/factorise.py --out $(RESULTS)/factorise.json $(BENCH_ARGS)

# One thread: BLAS threads wait for each other by spinning, which costs most where other work runs.
bench-recovery: $(VENV)/.core
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/recovery.py --out $(RESULTS)/recovery.json $(RECOVERY_ARGS)

bench-answers: $(VENV)/.core
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/answers.py --out $(RESULTS)/answers.json --keep $(RESULTS)/answer-runs $(ANSWERS_ARGS)

bench-regression: $(VENV)/.core
	$(BIN)/python benchmarks/regression.py $(if $(BASE),--base $(BASE)) --out $(RESULTS)/regression.json

clean:
	rm -rf $(VENV) $(VENV)-hyperspy $(VENV)-fair $(VENV)-live $(VENV)-web web/node_modules $(RUNS) $(RESULTS) site dist build htmlcov .coverage* \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	find src tests benchmarks examples -name __pycache__ -type d -exec rm -rf {} +

env-test: $(VENV)/.test

$(VENV)/.core: pyproject.toml | $(BIN)/python
	@echo "Installing unmixel into $(VENV) (about a minute) ..."
	$(PIP) --editable .
	@touch $@

$(VENV)/.test $(VENV)/.check $(VENV)/.docs: $(VENV)/.%: pyproject.toml | $(BIN)/python
	@echo "Installing unmixel[$*] into $(VENV) (about a minute) ..."
	$(PIP) --editable '.[$*]'
	@touch $@

$(VENV)-hyperspy/.hyperspy: pyproject.toml | $(HYPERSPY_BIN)/python
	@echo "Installing unmixel[emd,hyperspy,orix,test] into $(VENV)-hyperspy (about two minutes) ..."
	$(PIP:$(BIN)/%=$(HYPERSPY_BIN)/%) --editable '.[emd,hyperspy,orix,test]'
	@touch $@

$(VENV)-fair/.fair: pyproject.toml | $(FAIR_BIN)/python
	@echo "Installing unmixel[fair,test] into $(VENV)-fair (about two minutes) ..."
	$(PIP:$(BIN)/%=$(FAIR_BIN)/%) --editable '.[fair,test]'
	@touch $@

$(VENV)-web/.web: pyproject.toml | $(WEB_BIN)/python
	@echo "Installing unmixel[web,jupyter,browser,test] into $(VENV)-web (about a minute) ..."
	$(PIP:$(BIN)/%=$(WEB_BIN)/%) --editable '.[web,jupyter,browser,test]'
	@touch $@

$(VENV)-live/.live: pyproject.toml | $(LIVE_BIN)/python
	@echo "Installing unmixel[test] and libertem-live into $(VENV)-live (about two minutes) ..."
	$(PIP:$(BIN)/%=$(LIVE_BIN)/%) --editable '.[test]' 'libertem-live>=0.3,<0.4'
	@touch $@

$(BIN)/python $(HYPERSPY_BIN)/python $(FAIR_BIN)/python $(WEB_BIN)/python $(LIVE_BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "unmixel needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." ; \
	  echo "Name another one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(@D:/bin=) || { rm -rf $(@D:/bin=); \
	  echo "Python could not make a virtual environment; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
