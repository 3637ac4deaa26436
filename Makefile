# `make run` starts the portal; `make test` checks a change.
VENV := .venv
PYTHON := $(VENV)/bin/python
FLASK := $(VENV)/bin/flask --app webapp
CATALOGS := $(patsubst %.po,%.mo,$(wildcard webapp/translations/*/LC_MESSAGES/*.po))
export SANDBOX ?= 1
# Python keeps what it has compiled, also where the environment says otherwise: the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run dev test test-all on-sqlite on-sqlite-beside in-browsers on-postgresql on-citus lint types fmt messages record accept baseline show-trace matrix contract bench mutate soak soak-kills soak-invoices stand-ins wheel sbom clean
.DEFAULT_GOAL := run

run: $(VENV)/.run $(CATALOGS)
	@$(FLASK) db upgrade
	@$(FLASK) demo
	@exec $(FLASK) serve

# The server restarts when a Python file, a style sheet, a script or a compiled catalogue changes. Templates are read at each
# request. The sweep and the mail sender do not run. In the sandbox, moving an account's clock sweeps that account.
dev: export SANDBOX := 1
dev: export HOST := 127.0.0.1
dev: export PORT ?= 8000
dev: $(VENV)/.run $(CATALOGS)
	@$(FLASK) db upgrade
	@$(FLASK) demo
	@exec $(FLASK) run --debug --host $(HOST) --port $(PORT) \
		--extra-files "$$(find static webapp/translations -name '*.css' -o -name '*.js' -o -name '*.mo' | paste -sd :)"

# All tests but the slow ones on SQLite, and those marked `service` on PostgreSQL, too. `make test-all`: all on both.
TESTS := not slow
test: $(VENV)/.test $(CATALOGS)
	@$(MAKE) --no-print-directory -j5 lint types on-sqlite on-sqlite-beside in-browsers on-postgresql

test-all: TESTS := slow or not slow
test-all: lint types on-sqlite on-sqlite-beside in-browsers on-citus
	@DATABASE=postgresql $(PYTHON) -m pytest

# The tests marked `service` on a Citus cluster that runs already (see docs/develop.md).
on-citus: $(VENV)/.test $(CATALOGS)
	@if [ -z "$$CITUS_URL" ]; then echo "Skipped: CITUS_URL does not name a Citus cluster."; \
	else DATABASE=citus $(PYTHON) -m pytest -m "service and not slow" -p no:cacheprovider tests; fi

# The folders whose tests wait most run in a process of their own.
BESIDE := tests/invoices tests/mail tests/operation tests/renewals tests/soak
on-sqlite:
	@$(PYTHON) -m pytest -m "$(TESTS)" --output=e2e/failures/sqlite $(BESIDE:%=--ignore=%) tests

# The targets from here on run in parallel with the first, so their output is printed when they end.
on-sqlite-beside:
	@output=$$($(PYTHON) -m pytest -m "$(TESTS)" -p no:cacheprovider --output=e2e/failures/beside $(BESIDE) 2>&1); status=$$?; \
	printf '\nOn SQLite, %s:\n%s\n' "$(BESIDE)" "$$output"; exit $$status

in-browsers:
	@output=$$($(PYTHON) -m pytest -m "$(TESTS)" -p no:cacheprovider e2e 2>&1); status=$$?; \
	printf '\nIn browsers:\n%s\n' "$$output"; exit $$status

on-postgresql:
	@output=$$(DATABASE=postgresql $(PYTHON) -m pytest -m "service and ($(TESTS))" -p no:cacheprovider --output=e2e/failures/postgresql tests 2>&1); \
	status=$$?; printf '\nOn PostgreSQL:\n%s\n' "$$output"; exit $$status

lint: $(VENV)/.test $(CATALOGS)
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@$(VENV)/bin/djlint templates --lint --quiet

types: $(VENV)/.test
	@$(VENV)/bin/mypy

fmt: $(VENV)/.test
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

# Adds new sentences to the French catalogue and removes those that the code no longer uses.
messages: $(VENV)/.run
	@$(VENV)/bin/pybabel --quiet extract -F pyproject.toml --no-location --sort-output -o messages.pot .
	@$(VENV)/bin/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date -w 110 \
		-i messages.pot -d webapp/translations
	@$(MAKE) --no-print-directory $(CATALOGS)

record: $(VENV)/.test $(CATALOGS)
	@$(PYTHON) -m e2e.record

# On kept runs: STEPS="…" or all of a RUN (the newest) are accepted; a RUN becomes the baseline; a TAKE's trace is served.
accept: $(VENV)/.test
	@$(PYTHON) -m e2e.recording accept

baseline: $(VENV)/.test
	@$(PYTHON) -m e2e.recording baseline

show-trace: $(VENV)/.test
	@$(PYTHON) -m e2e.recording show-trace

# Each procedure and refusal in both languages, with and without scripts, on wide and narrow screens, and each page in both
# languages and colour schemes. `make test` covers half of this.
matrix: $(VENV)/.test $(CATALOGS)
	@MATRIX=1 $(PYTHON) -m pytest --tracing=retain-on-failure -m matrix e2e

# schemathesis holds the sandbox of a portal (URL=…, or its own) against its OpenAPI document. EXAMPLES=200, SEED=1.
contract: $(VENV)/.test $(CATALOGS)
	@$(PYTHON) -m e2e.contract

# Each bench runs, also after one that failed; then the failure is reported.
BENCHES := pages cost_fragment roll_over invoices load slow_clients browser
bench: $(VENV)/.test $(CATALOGS)
	@failed=; for bench in $(BENCHES); do $(PYTHON) -m tests.bench.$$bench || failed="$$failed $$bench"; done; \
	[ -z "$$failed" ] || { echo "Not run to the end:$$failed" >&2; exit 1; }

mutate: $(VENV)/.mutation
	@$(PYTHON) -m tests.domain.mutate

soak: $(VENV)/.test $(CATALOGS)
	@RUNS=$(RUNS) STEPS=$(STEPS) SEED=$(SEED) SHRINK=$(SHRINK) $(PYTHON) -m tests.soak.soak_lives

# Kills a process KILLS times, half of them on each database, at random moments (SEED).
KILLS ?= 1000
soak-kills: $(VENV)/.test $(CATALOGS)
	@KILLS=$$(( $(KILLS) / 2 )) $(PYTHON) -m tests.soak.soak_kills
	@DATABASE=postgresql KILLS=$$(( $(KILLS) / 2 )) $(PYTHON) -m tests.soak.soak_kills

soak-invoices: $(VENV)/.test $(CATALOGS)
	@COUNT=$(COUNT) SEED=$(SEED) $(PYTHON) -m tests.soak.soak_invoices

# Servers on loopback that answer like Stripe, a tenant and a mail server: see docs/operate.md, A rehearsal.
stand-ins: $(VENV)/.test
	@$(PYTHON) -m tests.servers

# Builds the wheel, installs it into an environment of its own and requests its sign-in page. Needs a package registry.
wheel: $(VENV)/.run $(CATALOGS)
	@rm -rf dist && $(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@$(PYTHON) -m tests.operation.installed dist/*.whl

# The bill of materials (CycloneDX), from the lock.
sbom: $(VENV)/bin/python
	@mkdir -p dist && $(PYTHON) deploy/sbom.py > dist/sbom.json && echo dist/sbom.json

clean:
	rm -rf $(VENV) $(CATALOGS) mutants dist

# Installs exactly the locked packages, with uv if it is available, else with pip.
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
