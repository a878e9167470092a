# Everything happens in .venv and data/, inside this folder; its path may contain spaces.

PYTHON ?= python3
BIN := .venv/bin

# The demo looks at this folder's own data, whatever the shell or a file .env sets: empty is not set.
OWN := CSQ_EXPORT_URL= CSQ_MANIFEST_PREFIX= CSQ_SKIP_TABLES= CSQ_LAKE_URL= CSQ_DUCKDB_PATH= \
	CSQ_DUCKDB_SNAPSHOT_PATH= CSQ_PUBLISH_URL= CSQ_TYPES= CSQ_DBT_PROJECT= CSQ_OWNERS= CSQ_KEY_PREFIX= \
	CSQ_GROUP_PREFIX= CSQ_ALERTS= CSQ_CODE_LOCATION= CSQ_DROP_COLUMNS= CSQ_HASH_COLUMNS= \
	CSQ_HASH_KEY= CSQ_ENGINE= DAGSTER_HOME=

.DEFAULT_GOAL := help
.PHONY: help demo demo-spark test-spark install install-dev install-extras ui test fuzz audit audit-answers torture check format bench bench-check golden lock clean docs screenshots check-deploy

help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

demo: install ## Set up, decode and check a sample export, and say what to look at
	@$(OWN) $(BIN)/csq sample data/export
	@$(OWN) $(BIN)/csq sync; status=$$?; [ $$status -eq 0 ] || [ $$status -eq 3 ]
	@$(OWN) $(BIN)/csq status
	@$(BIN)/python docs/examples/ask.py docs/examples/pages_per_person.sql
	@printf '\nNext:\n'
	@printf '  make ui            browse lineage, partitions and checks on http://127.0.0.1:3000\n'
	@printf '  README.md          "Your own bucket" says how to point it at an export of yours\n'

install: .venv/installed ## Set up .venv with the pinned packages

install-dev: .venv/installed-dev ## The same, with what tests and checks need

install-extras: install ## Add extras at the pinned versions: EXTRAS=dbt,iceberg
	@sed -E '/^ +(--hash|#)/d; s/ \\$$//' requirements-dev.lock > .venv/pins.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		-c .venv/pins.txt -e '.[$(EXTRAS)]'

ui: install ## Open Dagster's UI on http://127.0.0.1:3000
	@DAGSTER_HOME="$${DAGSTER_HOME:-$$PWD}" $(BIN)/dagster dev --host 127.0.0.1 --port 3000

test: install-dev ## Run the tests, on all cores
	@$(BIN)/pytest --numprocesses auto --dist loadscope

bench-check: install-dev ## Run the tests of the benchmarks, which measure small cases
	@$(BIN)/pytest benchmarks

test-spark: install-dev .venv-spark/installed ## Try Spark on a small cluster, with Iceberg on S3; needs Java 17
	@CSQ_TEST_SPARK=$$PWD/.venv-spark/bin/python $(BIN)/pytest csq_assets_tests/spark $(SPARK)

demo-spark: install .venv-spark/installed ## The sample on a small cluster of Spark, with Iceberg on S3, beside DuckDB
	@$(BIN)/python -m csq_assets_tests.spark.demo $$PWD/.venv-spark/bin/python

fuzz: install-dev ## Try hostile documents and files; FUZZ="--factor 10 --write" tries more, for the record
	@$(BIN)/python -m csq_assets_tests.fuzz $(FUZZ)

torture: install-dev ## Kill csq, fill its disk, fail its storage; TORTURE="crashes --kills 90" for more
	@$(BIN)/python -m csq_assets_tests.torture $(TORTURE)

audit: install-dev ## Ask PyPI for known weaknesses of the pinned packages; needs a network
	@(for lock in requirements.lock requirements-dev.lock; do \
		$(BIN)/uv tool run --quiet pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; \
	done) || { echo 'make audit asks pypi.org: it did not answer, does not know a package, or names a weak one above.' >&2; exit 1; }

audit-answers: install-dev # whether PyPI tells of the first package: a mirror may have packages alone
	@first=$$(sed -n '1s|^\([^=]*\)==\([^ ;]*\).*|\1/\2|p' requirements.lock) && \
		$(BIN)/python -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=20)' \
		"https://pypi.org/pypi/$$first/json" 2>/dev/null || \
		{ echo 'PyPI tells of no weaknesses here: make audit is left out.' >&2; exit 1; }

check: install-dev ## Check format, lint, types and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports

check-deploy: install-dev ## Check deploy/, as far as it goes without Docker
	@$(BIN)/python deploy/check.py

format: install-dev ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: install-dev ## Measure beside others; BENCH="decode --rows 100000" for one case
	@$(BIN)/python -m benchmarks $(BENCH)

docs: install-dev ## Build the documentation as a site, in site/
	@$(BIN)/sphinx-build --quiet --fail-on-warning --jobs auto docs site

screenshots: install-dev ## Take the pictures of docs/ from a UI over the sample export
	@$(BIN)/python docs/screenshots.py

golden: install-dev ## Rewrite what tests compare with; read the diff
	@$(BIN)/pytest -q --golden

lock: install-dev ## Pin the newest allowed packages, or one: PACKAGE=name
	@$(LOCK) --group dev --all-extras -o requirements-dev.lock
	@$(LOCK) --group build --extra alerts --extra postgres --extra report --extra ui -c requirements-dev.lock -o requirements.lock

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --quiet $(if $(PACKAGE),--upgrade-package $(PACKAGE),--upgrade)

clean: ## Remove .venv, caches, and all data of the demo
	@rm -rf .venv .venv-spark site .pytest_cache .ruff_cache .hypothesis .import_linter_cache data

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or later is needed: make PYTHON=/path/to/python3.11' >&2; exit 2; }
	@$(PYTHON) -m venv .venv

.venv/installed: requirements.lock pyproject.toml | .venv/bin/python
	@echo 'Installing the pinned packages into .venv …' >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-spark/installed: csq_assets_tests/spark/requirements.txt
	@command -v java >/dev/null || { command -v apt-get >/dev/null && apt-get update --quiet \
		&& DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
		openjdk-17-jre-headless; } || { echo 'Install Java 17, which Spark needs.' >&2; exit 2; }
	@echo 'Installing Spark into .venv-spark …' >&2
	@$(PYTHON) -m venv .venv-spark
	@.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo 'Installing what tests and checks need …' >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
