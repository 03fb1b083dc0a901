# make study: install and run the default study.  make test: check everything.  make quick: what does not take long.
# make study STUDY=config/studies/conditions.yaml SIZE=full: another study, in one of the sizes of its file.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= config/config.yaml
export PATH := $(CURDIR)/$(BIN):$(PATH)
# One thread per process, because jobs and tests run side by side.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: study test quick lint bench slurm-up slurm-down

study: $(VENV)/installed
	snakemake --configfile $(STUDY) $(if $(SIZE),--config size=$(SIZE))

# Cluster tests run separately: daemons have deadlines, and a test that waits for a job blocks a worker.
test: lint
	pytest -n auto --ignore=tests/slurm
	pytest tests/slurm

# After each edit: layers of imports, most doctests, golden numbers, all that does not take long.
quick: $(VENV)/installed
	ruff check
	pytest -n auto -m "not slow"

lint: $(VENV)/installed
	ruff check
	ruff format --check
	pyright
	snakefmt --check Snakefile workflow
	snakemake --lint

bench: $(VENV)/installed-bench
	python bench/bench.py

# A private SLURM cluster on this machine, to try `snakemake --profile slurm`. It installs nothing; it needs root.
slurm-up:
	tests/slurm/up.sh

slurm-down:
	tests/slurm/down.sh

# torch comes first: as a dependency of another package, pip may fetch a build with gigabytes of CUDA.
$(VENV)/installed: requirements.lock pyproject.toml src/entropy_sums/mkl.c
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/installed-bench: $(VENV)/installed bench/requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --requirement bench/requirements.lock
	touch $@
