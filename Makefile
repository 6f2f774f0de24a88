# The tasks of the template repository; `make` lists them.

TOOLS := '{{cookiecutter.project_slug}}/tools'
# Another Python has an environment of its own: make test PYTHON=python3.13
PYTHON ?= python3
VENV := $(if $(filter python3,$(PYTHON)),.venv,build/python$(shell $(PYTHON) -Ic "import sys; print('%d.%d' % sys.version_info[:2])"))
DEMO := build/demo
BENCH := --publish
# What is generated with Jinja in it is linted by the generated project's own rules, in the tests.
CODE := --config pyproject.toml template_answers.py hooks documentation tests benchmarks $(TOOLS)
# What runs on every system.
EVERYWHERE := template_answers.py hooks $(TOOLS)

# The programs of the environment come first; bytecode and downloads stay out of the tree that is
# copied into every generated project.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export UV_PYTHON := $(CURDIR)/$(VENV)/bin/python
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
unexport PYTHONDONTWRITEBYTECODE
SHELL := bash

READY := $(VENV)/.ready
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check uv
	uv pip install --quiet --group dev
	touch $(READY)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-parts test-all test-windows bench bench-daily bench-quick bench-filter bench-engine bench-growth bench-site bench-experiments package pictures docs docs-serve lint format clean

help: ## List the tasks
	@$(PYTHON) -c "import re; print(*(f'  make {t:12} {s}' for t, s in re.findall(r'^([\w-]+):.*?## (.+)$$', open('Makefile', encoding='utf-8').read(), re.M)), sep='\n')"

setup: $(READY) ## Make the environment for working on the template

demo: $(READY) ## Generate a project into build/demo and run its notebooks
	python tests/demo.py $(DEMO)

test: $(READY) ## The quick ring of tests
	pytest -m "not slow" --numprocesses 2 --dist loadfile

# Without a generated project: a minute, for another Python, or while the tooling is edited.
PARTS := $(addprefix tests/,declaration execution notebook processes runtime secrets setup)
test-parts: $(READY) ## The tests of some rooms, a minute; PYTHON=python3.13
	pytest -m "not slow" --numprocesses 2 $(PARTS)

test-all: $(READY) ## All tests: servers, faults, every pair of options
	uv pip install --quiet --group bench --group gallery
	pytest

test-windows: $(READY) ## Test the tooling in a Windows Python under Wine
	pytest tests/test_windows.py --verbose

bench: bench-filter bench-engine bench-daily ## Measure against peers, side by side; takes hours

# Other baselines: make bench-quick BENCH="--baseline COMMIT".
bench-quick bench-daily: BENCH :=
bench-quick: $(READY) ## Measure the commands of every day against the last release
	python -m benchmarks.daily $(BENCH)

bench-daily: $(READY)
	python -m benchmarks.daily --all --publish $(BENCH)

bench-filter: $(READY)
	uv pip install --quiet --group bench
	python -m benchmarks.git_filter

# Options: make bench-engine BENCH="--pipelines pandas --repeats 1"; --publish writes docs/.
bench-engine: $(READY)
	uv pip install --quiet --group bench
	python -m benchmarks.engine $(BENCH)

# In the environment of `make demo`. Options: make bench-growth BENCH="--sizes 25 100 --publish".
bench-growth: $(READY)
	python -m benchmarks.growth $(DEMO) $(BENCH)

# Takes a minute, and the environment of `make demo`.
bench-site: $(READY)
	python -m benchmarks.site $(DEMO)

package: $(READY) ## Build the tooling as a package, into build/package
	rm -rf build/package && mkdir -p build/package
	cp -r $(TOOLS) build/package/source  # above, uv would read pyproject.toml with Jinja
	python -c 'import template_answers; print(template_answers.guide(""))' > build/package/source/nb/guide.md
	uv build --quiet --out-dir build/package build/package/source && rm -r build/package/source

# Takes a quarter of an hour, and the environment of `make demo`.
bench-experiments: $(READY)
	python -m benchmarks.experiments $(DEMO)

pictures: $(READY) ## Take the pictures of the README anew; needs Chromium
	python tests/pictures.py build/biopsies docs/images

# Material's note that Zensical will follow it, which reads the same mkdocs.yml.
docs docs-serve: export NO_MKDOCS_2_WARNING := 1
docs: $(READY) ## Build the documentation site; dead links and orphans fail
	PYTHONPATH=.:$(TOOLS) mkdocs build  # with --quiet, warnings would not count

docs-serve: $(READY) ## Show the documentation site, and again at each change
	PYTHONPATH=.:$(TOOLS) mkdocs serve --open

lint: $(READY) ## Check code and types, for other systems and Pythons, too
	ruff check $(CODE) && ruff format --check $(CODE) && mypy
	for system in darwin win32; do mypy --platform $$system $(EVERYWHERE) || exit; done
	for version in 3.11 3.12 3.13 3.14; do mypy --python-version $$version $(EVERYWHERE) || exit; done
	grep -rl --include '*.py' 'Python 3\.8' $(TOOLS) | xargs vermin --no-tips --violations --target=3.8-

format: $(READY) ## Format the code
	ruff check --fix --exit-zero $(CODE) && ruff format $(CODE)

clean: ## Remove what the tasks made
	rm -rf build .cache .venv
