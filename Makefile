# Two commands for a Linux with Python 3.11, git and the few libraries that README.md names:
#   make benchmark   set everything up, run the phantom study to its tables
#   make test        set everything up, run the tests
# for the impatient:
#   make demo        set everything up, run two rows of one task on a few phantoms, in about five minutes
# for those who want to know how fast it is:
#   make bench       measure against the alternatives, in under 15 minutes
# for those who write:
#   make docs        build the site of the documentation into build/site, from docs/requirements.txt
# and for a machine of which you are root:
#   make slurm       install Debian's SLURM, run a small study and killed trainings through it
PYTHON ?= python3.11
CORES ?= all
BIN := .venv/bin

# Set in many containers; every job would compile the project's own modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: benchmark demo test slurm bench lint docs setup clean-results

benchmark: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES)

demo: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES) --configfile config/demo.yaml

test: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2

slurm: setup
	tests/slurm/install.sh
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/slurm

# Speeds, side by side, in under 15 minutes: the table of docs/performance.md. BENCH="--avx2" and others: benchmarks/bench.py
bench: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/bench.py $(BENCH)

# An environment of its own: what writes pages needs nothing of what trains networks.
docs: .venv-docs/installed
	.venv-docs/bin/mkdocs build --strict --clean

.venv-docs/installed: docs/requirements.txt
	$(shell command -v $(PYTHON) || command -v python3) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r docs/requirements.txt
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

setup: .venv/installed

# Made anew whenever the pinned packages or the package's own metadata change. pip would compile the 17,000 modules on one
# core; some of them are written for a newer Python, which is no error. Uncompiled, each job spends seconds on its imports.
.venv/installed: requirements.txt pyproject.toml
	$(shell command -v $(PYTHON) || command -v python3) -m venv .venv
	@echo "Installing the pinned packages, about 4.4 GB: a few minutes in which pip says nothing."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo "Compiling them: a minute or two."
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	touch $@

clean-results:
	rm -rf results .snakemake
