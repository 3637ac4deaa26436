# make run and make test are all that a newcomer needs.
VENV := .venv
PYTHON := $(VENV)/bin/python
FLASK := $(VENV)/bin/flask --app webapp
CATALOGS := $(patsubst %.po,%.mo,$(wildcard webapp/translations/*/LC_MESSAGES/*.po))
export SANDBOX ?= 1

.PHONY: run dev test test-all on-sqlite in-browsers on-postgresql lint types fmt messages record matrix bench mutate soak soak-kills soak-invoices wheel clean
.DEFAULT_GOAL := run

run: $(VENV)/.run $(CATALOGS)
	@$(FLASK) db upgrade
	@$(FLASK) demo
	@exec $(FLASK) serve

# Restarts when a Python file, a style, a script or the compiled catalogue changes; templates are read anew at each request.
# No sweep and no sender of mails run beside it: the sandbox's clock runs the sweep of the account that it moves.
dev: export SANDBOX := 1
dev: export HOST := 127.0.0.1
dev: export PORT ?= 8000
dev: $(VENV)/.run $(CATALOGS)
	@$(FLASK) db upgrade
	@$(FLASK) demo
	@exec $(FLASK) run --debug --host $(HOST) --port $(PORT) \
		--extra-files "$$(find static webapp/translations -name '*.css' -o -name '*.js' -o -name '*.mo' | paste -sd :)"

# On SQLite, and on PostgreSQL what the database must bear out; `make test-all`: everything on both, the slow tests too.
SOME := not slow
test: $(VENV)/.test $(CATALOGS)
	@$(MAKE) --no-print-directory -j4 lint types on-sqlite in-browsers on-postgresql

test-all: SOME := slow or not slow
test-all: lint types on-sqlite in-browsers
	@DATABASE=postgresql $(PYTHON) -m pytest

on-sqlite:
	@$(PYTHON) -m pytest -m "$(SOME)" --output=e2e/failures/sqlite tests

# These run beside the first, so what they say is kept until they end.
in-browsers:
	@said=$$($(PYTHON) -m pytest -m "$(SOME)" -p no:cacheprovider e2e 2>&1); status=$$?; \
	printf '\nIn browsers:\n%s\n' "$$said"; exit $$status

on-postgresql:
	@said=$$(DATABASE=postgresql $(PYTHON) -m pytest -m "service and ($(SOME))" -p no:cacheprovider --output=e2e/failures/postgresql tests 2>&1); \
	status=$$?; printf '\nOn PostgreSQL:\n%s\n' "$$said"; exit $$status

lint: $(VENV)/.test $(CATALOGS)
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@$(VENV)/bin/djlint templates --lint --quiet

types: $(VENV)/.test
	@$(VENV)/bin/mypy

fmt: $(VENV)/.test
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

# Adds the sentences that the code says and the French catalogue lacks, and takes out those that nothing says any more.
messages: $(VENV)/.run
	@$(VENV)/bin/pybabel --quiet extract -F pyproject.toml --no-location --sort-output -o messages.pot .
	@$(VENV)/bin/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date -w 110 \
		-i messages.pot -d webapp/translations
	@$(MAKE) --no-print-directory $(CATALOGS)

record: $(VENV)/.test $(CATALOGS)
	@$(PYTHON) -m e2e.record

# Every procedure and refusal in each language, with scripts and without, wide and narrow, and every page in both
# languages and schemes; `make test` walks half.
matrix: $(VENV)/.test $(CATALOGS)
	@MATRIX=1 $(PYTHON) -m pytest --tracing=retain-on-failure -m matrix e2e

bench: $(VENV)/.test $(CATALOGS)
	@$(PYTHON) -m tests.bench.cost_fragment
	@$(PYTHON) -m tests.bench.roll_over
	@$(PYTHON) -m tests.bench.invoices
	@$(PYTHON) -m tests.bench.load
	@$(PYTHON) -m tests.bench.browser

mutate: $(VENV)/.mutation
	@$(PYTHON) -m tests.domain.mutate

soak: $(VENV)/.test $(CATALOGS)
	@RUNS=$(RUNS) STEPS=$(STEPS) SEED=$(SEED) SHRINK=$(SHRINK) $(PYTHON) -m tests.soak.soak_lives

# A process is killed KILLS times, half of them on each database, at moments that SEED draws.
KILLS ?= 1000
soak-kills: $(VENV)/.test $(CATALOGS)
	@KILLS=$$(( $(KILLS) / 2 )) $(PYTHON) -m tests.soak.soak_kills
	@DATABASE=postgresql KILLS=$$(( $(KILLS) / 2 )) $(PYTHON) -m tests.soak.soak_kills

soak-invoices: $(VENV)/.test $(CATALOGS)
	@COUNT=$(COUNT) SEED=$(SEED) $(PYTHON) -m tests.soak.soak_invoices

# The wheel, installed into an environment of its own, from where it serves a sign-in page. Asks a package registry.
wheel: $(VENV)/.run $(CATALOGS)
	@rm -rf dist && $(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@$(PYTHON) -m tests.operation.installed dist/*.whl

clean:
	rm -rf $(VENV) $(CATALOGS) mutants dist

# The environment: uv where it can be had, pip otherwise; both install exactly what is locked.
INSTALL = if [ -x $(VENV)/bin/uv ]; then $(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(PYTHON) --require-hashes -r $<; \
	else $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; fi

$(VENV)/bin/python:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed.")'
	@python3 -m venv $(VENV) || { echo "python3 -m venv does not work: install it (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true

$(VENV)/.run: requirements.lock | $(VENV)/bin/python
	@$(INSTALL)
	@touch $@

$(VENV)/.test: requirements-dev.lock $(VENV)/.run
	@$(INSTALL)
	@$(PYTHON) -m e2e.browser
	@touch $@

$(VENV)/.mutation: requirements-mutation.lock $(VENV)/.test
	@$(INSTALL)
	@touch $@

%.mo: %.po | $(VENV)/.run
	@$(VENV)/bin/pybabel --quiet compile --input-file $< --output-file $@
