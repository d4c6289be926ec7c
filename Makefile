# `make gate` and `make test` each do everything that is needed on a bare Debian 12 machine, as root.
SHELL := /bin/sh
BIN := .venv/bin
# Clean gates of `make qualify`, among REPEAT gates with each defect: as set here, below an hour on two cores. What is published
# is `make qualify REPEAT=3 CLEAN=20 RESULTS=benchmarks/results`: two hours and a bit of gates, then payday.
CLEAN ?= 5
REPEAT ?= 1
RESULTS ?=
# The same of rehearsals of payday, which take eight minutes each: an hour and a bit.
EVENT_CLEAN ?= 1
EVENT_REPEAT ?= 1
# Most of what tests without the lab do is wait: four share two cores well. The lab is one, and its tests are after one another.
WORKERS ?= 4
CACHE := $(or $(SHIFTPROOF_CACHE),$(HOME)/.cache/shiftproof)

.PHONY: help setup gate test qualify qualify-events check format bench clean-lab

help:
	@echo 'make setup      install and build all that is missing (does nothing when all is there)'
	@echo 'make gate       set up, start the lab, and judge: may payments go to 25%?'
	@echo 'make test       set up, check the code, run all tests'
	@echo 'make qualify    plant every defect once in a fresh lab, with CLEAN=5 clean gates; then payday, clean and with its defects'
	@echo 'make qualify-events   of these payday alone, in the lab that is up'
	@echo 'make check      ruff, mypy, import-linter'
	@echo 'make bench      measure: events, outages, decisions, load, lab up (no lab may be up); with a lab up: benchmarks/gate.py'
	@echo 'make clean-lab  stop the lab and delete what set-up built'

setup:
	@sh infra/lab/bootstrap.sh

gate: setup
	@$(BIN)/shiftproof lab status >/dev/null 2>&1 || $(BIN)/shiftproof lab up
	@$(BIN)/shiftproof gate payments --to 25

check:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format:
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: setup check
	$(BIN)/shiftproof lab build --events
	$(BIN)/pytest tests -m "not lab" -n $(WORKERS) --dist loadgroup
	$(BIN)/pytest tests -m lab

# Stopped half way, the same command goes on; of other code or configuration it begins anew only when told: FRESH=--fresh.
qualify: setup
	$(BIN)/shiftproof lab down
	$(BIN)/shiftproof lab up
	$(BIN)/shiftproof sensitivity --clean $(CLEAN) --repeat $(REPEAT) $(if $(RESULTS),--results $(RESULTS)) $(FRESH)
	@$(MAKE) --no-print-directory qualify-events

# The second half alone, in the lab that is up: so that what was stopped there need not begin with the gates again.
qualify-events: setup
	$(BIN)/shiftproof sensitivity --event payday --clean $(EVENT_CLEAN) --repeat $(EVENT_REPEAT) $(if $(RESULTS),--results $(RESULTS)) $(FRESH)

bench: setup
	$(BIN)/python benchmarks/events.py
	$(BIN)/python benchmarks/outage_length.py
	nice $(BIN)/python -m benchmarks.decisions
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/lab_up.py
	$(BIN)/python benchmarks/hindsight_week.py

clean-lab:
	-$(BIN)/shiftproof lab down
	rm -rf "$(CACHE)/tools" "$(CACHE)/images" "$(CACHE)/go" "$(CACHE)"/uv-* "$(CACHE)/log" "$(CACHE)/lock"
