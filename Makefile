PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help demo test chaos bench-boot bench-logs lint format docs lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: $(INSTALLED) ## one whole job on embedded AWS, GitHub and runner; SCENARIO=name plays another
	$(BIN)/runs-fleet-agent demo $(if $(SCENARIO),--scenario $(SCENARIO))

test: $(INSTALLED) ## all tests but the slow fault runs
	$(BIN)/python -m pytest -n 3 --dist worksteal

chaos: $(INSTALLED) ## 200 random faults and a table; FAULTS=1000 SEED=1, or ONLY=seed to play one again
	$(BIN)/python -m tests.faults $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

bench-boot: $(INSTALLED) ## from process start to a listening runner, beside the shell way and stock Prefect; COLD=1 with a cold, slow disk
	$(BIN)/python -m benchmarks.boot $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(COLD),--cold)

bench-logs: $(INSTALLED) ## a million lines to a local endpoint, beside `cat` and the common way
	$(BIN)/python -m benchmarks.logs

lint: $(INSTALLED) ## ruff, format check, mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED) ## ruff's formatter and its safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED) ## write the generated tables of the README
	$(BIN)/python docs/generate.py

lock: $(INSTALLED) ## resolve requirements/*.in anew, with hashes
	$(COMPILE) --upgrade requirements/run.in -o requirements/run.txt
	$(COMPILE) --upgrade requirements/dev.in -o requirements/dev.txt

clean: ## remove what the other targets made
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("runs-fleet-agent needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: docs-terraform terraform-check lock-checkov clean-terraform
CHECKOV := .checkov/.installed
SIMULATOR := tests/deployments/terraform/simulator

terraform-check: $(INSTALLED) $(CHECKOV) $(SIMULATOR)/node_modules ## the Terraform module: its tests, a simulator of IAM, checkov
	$(BIN)/python -m pytest tests/deployments/terraform
	.checkov/bin/checkov --config-file terraform/.checkov.yaml --directory terraform

docs: docs-terraform
docs-terraform: $(INSTALLED)
	$(BIN)/python docs/generate_terraform.py

lock: lock-checkov
lock-checkov: $(INSTALLED)
	$(COMPILE) --upgrade requirements/checkov.in -o requirements/checkov.txt

clean: clean-terraform
clean-terraform:
	rm -rf .checkov $(SIMULATOR)/node_modules

$(CHECKOV): requirements/checkov.txt
	$(PYTHON) -m venv --clear .checkov
	.checkov/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/checkov.txt
	@touch $@

$(SIMULATOR)/node_modules: $(SIMULATOR)/package-lock.json
	npm ci --prefix $(SIMULATOR) --silent --no-audit --no-fund
	@touch $@

.PHONY: deployment-check
deployment-check: $(INSTALLED) ## deployments/prefect.yaml on a real Prefect server: deployed, run by a worker, looked at
	$(BIN)/python -m pytest -m deployment tests/deployments

.PHONY: artefact artefact-check

artefact: $(INSTALLED) ## dist/: one self-contained file per architecture, its SHA-256, its bill of materials; ARCH=x64 for one
	$(BIN)/python -m deployments.artefact $(if $(ARCH),--arch $(ARCH))

artefact-check: $(INSTALLED) ## builds the artefacts twice, installs one and takes it through a whole run
	$(BIN)/python -m pytest -m artefact -n 0 tests/deployments/artefact

.PHONY: tools boot-artefact

tools: ## Debian's packages that the tests of boot, image, firewall and pages want; needs root
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends cloud-init systemd-container packer nftables iproute2 chromium graphviz fonts-dejavu-core

boot-artefact: $(INSTALLED) ## boot a machine in namespaces with the artefact that make artefact built; needs root
	BOOT_ARTEFACT=$(CURDIR)/dist/runs-fleet-agent-$$($(BIN)/python -c 'from agent import __version__; print(__version__)')-x64.pex $(BIN)/python -m pytest -o timeout=400 -k built_artefact tests/deployments/boot

.PHONY: security-mutants
security-mutants: $(INSTALLED) ## takes one defence of docs/security.md out at a time and expects its tests to fail; ROW=2
	$(BIN)/python -m tests.security.mutants $(if $(ROW),--row $(ROW))

.PHONY: audit fuzz lock-audit clean-audit
lock: lock-audit
lock-audit: $(INSTALLED)
	$(COMPILE) --upgrade requirements/audit.in -o requirements/audit.txt
	$(COMPILE) --upgrade requirements/fuzz.in -o requirements/fuzz.txt

clean: clean-audit
clean-audit:
	rm -rf .venv-audit .venv-fuzz .fuzz

audit: ## known flaws of every dependency, by PyPI's database (needs the network)
	$(PYTHON) -m venv --clear .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements/run.txt -r requirements/dev.txt

fuzz: ## atheris on everything that comes from outside, SECONDS=20 a target, or TARGET=tar alone; finds stay in tests/security/corpus
	$(PYTHON) -m venv --clear .venv-fuzz
	.venv-fuzz/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	set -e; for target in $(or $(TARGET),$(notdir $(wildcard tests/security/corpus/*))); do \
	  timeout 600 .venv-fuzz/bin/python -m tests.security.fuzzing $$target -max_total_time=$(or $(SECONDS),20); done

.PHONY: diagram ui ui-check
docs: diagram
diagram: $(INSTALLED) ## draws the flow out of its code: docs/run_job.svg, and the flowchart of the README
	$(BIN)/python docs/draw.py

ui: $(INSTALLED) ## a Prefect server with its web UI on loopback and three runs to look at; until Ctrl-C; SCENARIOS="job sigterm" plays others
	$(BIN)/python -m deployments.ui $(SCENARIOS)

ui-check: $(INSTALLED) ## the same, looked at by a real browser; SCREENSHOT=1 also writes docs/ui.png
	$(if $(SCREENSHOT),SCREENSHOT=docs/ui.png) $(BIN)/python -m pytest -m ui -n 0 tests/deployments/ui

.PHONY: install
install: $(INSTALLED) ## the virtual environment, from locked requirements
