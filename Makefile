# The list of habits. `make` alone prints it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LAB := $(PYTHON) -m lab
# .lab is a link, and tempo-infra follows none on a relative path
LAB_STATE := $$(readlink -f .lab)
LAB_INVENTORY := $(LAB_STATE)/inventory.yaml

# Without byte code kept, every run rewrites the asserts of all tests again, once a worker, and every program that a
# test starts compiles the package.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed, $(PYTHON) is older"; exit 2; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { echo "installing python3-venv (apt-get)"; apt-get update -q && apt-get install -qy python3-venv && $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.PHONY: venv
venv: $(STAMP) ## the development environment in .venv

.PHONY: lab-up
lab-up: venv ## three hosts with their own Docker, a registry and all images, on this machine
	@$(LAB) up
	@$(LAB) inventory
	@$(BIN)/tempo-infra images pin -i $(LAB_INVENTORY) --registry-address 127.0.1.10:5000 --ca-file $(LAB_STATE)/ca.crt

.PHONY: lab-down
lab-down: ## stop the lab (its caches stay)
	@$(LAB) down

.PHONY: lab-status
lab-status: ## what runs of the lab
	@$(LAB) status

.PHONY: servers
servers: venv ## PostgreSQL 15 to 18 for trial starts of every rendered postgresql.conf
	@$(LAB) servers

.PHONY: lab-vm-up
lab-vm-up: lab-up ## an emulated VM: real limits, kernel settings, clocks, disks, power cuts
	@$(LAB) vm-up

.PHONY: lab-more
lab-more: lab-up ## two hosts more, for planted faults
	@$(LAB) up --hosts 5

.PHONY: demo
demo: lab-up ## lab, provision, check-host and smoke: the whole way, then what to look at
	$(BIN)/tempo-infra provision -i $(LAB_INVENTORY)
	$(LAB) check
	$(BIN)/tempo-infra smoke -i $(LAB_INVENTORY)
	@echo; echo "look at:  $(BIN)/tempo-infra plan -i $(LAB_INVENTORY)       the plan: nothing to do"
	@echo "          $(BIN)/tempo-infra check-host -i $(LAB_INVENTORY) -v  every check with its figures"
	@echo "          $(LAB) ssh db-1 'sudo docker ps'              the containers on a host"

.PHONY: test
test: UNIT := --hypothesis-profile test
test: check lab-more servers browser ## everything that CI runs: lint, types, unit tests, and the tests on real hosts
	$(BIN)/pytest tests/lab -m 'not vm and not faults and not shapes and not sdks'

.PHONY: browser
browser: ## chromium, in which the tests open the HTML report
	@command -v chromium >/dev/null || { echo "installing chromium (apt-get)"; \
	  apt-get install -qy --no-install-recommends chromium >/dev/null || echo "no chromium: those tests will say so"; }

CHECK_HOST := healthy_hosts planted_faults check_host_is_harmless symptom installed

.PHONY: test-check-host
test-check-host: lab-up ## check-host alone: healthy hosts twenty times, each fault of the lab, what it leaves; 12 minutes
	$(BIN)/pytest $(CHECK_HOST:%=tests/lab/test_%.py) --durations 15

.PHONY: test-faults
test-faults: lab-up test-check-host ## the same, and faults at every step of a run: two hours or more, on ten hosts
	@$(LAB) up --hosts 10
	$(BIN)/pytest tests/lab -m 'faults and not vm' --ignore tests/lab/reliability $(CHECK_HOST:%=--ignore tests/lab/test_%.py)
	$(BIN)/pytest tests/lab/reliability -m 'not vm' --reliability-host extra-1 & first=$$!; \
	$(BIN)/pytest tests/lab/reliability -m 'not vm' --reliability-host extra-2; second=$$?; \
	wait $$first && exit $$second
	$(BIN)/pytest tests/lab/reliability -k many --reliability-table

.PHONY: test-shapes
test-shapes: venv ## clusters grow, shrink and move their roles while workflows run; two hours, on hosts of their own
	$(LAB) up --hosts 8
	$(BIN)/pytest tests/lab/shapes -s

.PHONY: test-sdks
test-sdks: venv ## worker snippets by the compilers of Go, Java and TypeScript
	$(BIN)/pytest tests/lab -m sdks

.PHONY: test-vm-faults
test-vm-faults: lab-vm-up ## faults that need a kernel, clock and disks of their own, planted in the VM; 12 minutes
	$(BIN)/pytest tests/lab -m 'faults and vm' --durations 15

.PHONY: test-openssh
test-openssh: lab-up ## the tests on real hosts once more, over the system's own ssh
	TEMPO_LAB_TRANSPORT=openssh $(BIN)/pytest tests/lab -m 'not vm and not faults and not shapes and not sdks' --ignore tests/lab/reliability

.PHONY: test-vm
test-vm: lab-vm-up ## what only a machine with a kernel of its own can show: limits, kernel settings, power cuts
	$(BIN)/pytest tests/lab -m 'vm and not faults'

UNIT := -m 'not thorough'

# Types are checked beside the tests, by the core that their start leaves idle, and said after them.
.PHONY: check
check: venv ## lint, types, quick unit tests; make test runs them all
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy >$(VENV)/types 2>&1 & types=$$!; \
	$(BIN)/pytest tests/unit tests/lab_self -n 2 -q $(UNIT); units=$$?; \
	wait $$types; types=$$?; cat $(VENV)/types; exit $$((units | types))

.PHONY: cover
cover: venv ## unit tests with branch coverage
	$(BIN)/pytest tests/unit -q --cov --cov-report=term

.PHONY: fuzz
fuzz: venv ## mutated inventories, facts, plans, host answers, archives, journals: longer than in check
	$(BIN)/pytest tests/unit/test_fuzz.py tests/unit/on_host/test_live.py -q -n 2 --hypothesis-profile fuzz

COVERAGE := COVERAGE_RCFILE=tests/lab/coverage.ini $(BIN)/coverage

.PHONY: cover-lab
cover-lab: lab-up ## branch coverage of deploy, ssh and on_host: unit and lab tests, the program on the hosts too
	rm -f .coverage .coverage.*
	$(COVERAGE) run -m pytest -q tests/unit
	$(COVERAGE) run -m pytest -q -p tests.lab.host_coverage tests/lab -m 'not vm and not faults'
	$(COVERAGE) combine -q
	$(COVERAGE) report

.PHONY: golden
golden: venv ## accept what is rendered now as golden; read the diff before committing it
	$(BIN)/pytest tests/unit -q --update-golden

.PHONY: docs
docs: venv ## the generated reference pages
	$(BIN)/python -m docs.generate

.PHONY: bench-fsync
bench-fsync: venv ## the fsync probe beside fio (which it installs), 2 minutes: docs/benchmarks/fsync.md
	$(BIN)/python -m bench.fsync

.PHONY: bench
bench: lab-up ## wall time and round trips, alone and beside pyinfra, Ansible and ssh: docs/benchmarks/
	$(BIN)/python -m bench
	$(BIN)/python -m bench.provisioning

.PHONY: bench-sizing
bench-sizing: venv ## what our settings bring, beside others': about an hour, into docs/benchmarks/sizing.md
	$(BIN)/python -m bench.sizing
