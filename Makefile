# The tasks of the template repository; `make` lists them.

PYTHON ?= python3
DEMO := build/demo
BENCH := --publish
# What is generated with Jinja in it is linted by the generated project's own rules, in the tests.
CODE := --config pyproject.toml template_answers.py hooks tests benchmarks '{{cookiecutter.project_slug}}/tools'

# The programs of the environment come first; bytecode and downloads stay out of the tree that is
# copied into every generated project.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
unexport PYTHONDONTWRITEBYTECODE
SHELL := bash

READY := .venv/.ready
$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv pip install --quiet --python .venv/bin/python --group dev
	touch $(READY)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all bench bench-daily bench-quick bench-filter bench-engine bench-site package pictures lint format clean

help: ## List the tasks
	@$(PYTHON) -c "import re; print(*(f'  make {t:12} {s}' for t, s in re.findall(r'^([\w-]+):.*?## (.+)$$', open('Makefile', encoding='utf-8').read(), re.M)), sep='\n')"

setup: $(READY) ## Make the environment for working on the template

demo: $(READY) ## Generate a project into build/demo and run its notebooks
	python tests/demo.py $(DEMO)

test: $(READY) ## The quick ring of tests
	pytest -m "not slow" --numprocesses 2 --dist loadfile

test-all: $(READY) ## All tests: servers, faults, every pair of options
	.venv/bin/uv pip install --quiet --python .venv/bin/python --group bench --group gallery
	pytest

bench: bench-filter bench-engine bench-daily ## Measure against peers, side by side; takes hours

# Other baselines: make bench-quick BENCH="--baseline COMMIT".
bench-quick: BENCH :=
bench-quick: $(READY) ## Measure the commands of every day against the last release
	python -m benchmarks.daily $(BENCH)

bench-daily: $(READY)
	python -m benchmarks.daily --publish

bench-filter: $(READY)
	.venv/bin/uv pip install --quiet --python .venv/bin/python --group bench
	python benchmarks/git_filter.py

# Options: make bench-engine BENCH="--pipelines pandas --repeats 1"; --publish writes docs/.
bench-engine: $(READY)
	.venv/bin/uv pip install --quiet --python .venv/bin/python --group bench
	python -m benchmarks.engine $(BENCH)

# Takes a minute, and the environment of `make demo`.
bench-site: $(READY)
	python -m benchmarks.site $(DEMO)

package: $(READY) ## Build the tooling as a package, sdist and wheel, into build/package
	rm -rf build/package && mkdir -p build/package
	cp -r '{{cookiecutter.project_slug}}/tools' build/package/source  # above, uv would read pyproject.toml with Jinja
	uv build --quiet --out-dir build/package build/package/source && rm -r build/package/source

pictures: $(READY) ## Take the pictures of the README anew; needs Chromium
	python tests/pictures.py build/biopsies docs/images

lint: $(READY) ## Check code and types
	ruff check $(CODE) && ruff format --check $(CODE) && mypy

format: $(READY) ## Format the code
	ruff check --fix --exit-zero $(CODE) && ruff format $(CODE)

clean: ## Remove what the tasks made
	rm -rf build .cache .venv
