# Two commands do everything: `make demo` and `make test`. Both set themselves up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo
# The folder with real ratings that some tests use; they skip, with a reason, where it is absent.
export CORATED_DATA ?= $(abspath ../shared/data)

.PHONY: browser servers demo test test-spark test-nojit check bench bench-large bench-quality soak clean lock

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

# make demo [RATINGS=path] [CATALOG=path]
demo: $(VENV)/.installed
	@$(BIN)/python examples/demo.py --folder $(DEMO) $(if $(RATINGS),--ratings '$(RATINGS)') $(if $(CATALOG),--catalog '$(CATALOG)')

# One process for these: each starts a Java machine of its own.
SPARK = tests/contract/test_spark.py
# A few processes, each taking the next test when it has none left.
PYTEST = $(BIN)/python -m pytest --quiet --numprocesses auto --maxprocesses 4 --dist worksteal

test: check browser servers
	$(PYTEST) -m 'not slow' --ignore $(SPARK)
	$(MAKE) --no-print-directory --jobs 2 --output-sync test-spark test-nojit

# Beside other tests, since Java takes its time to start.
test-spark: $(VENV)/.installed-test
	$(BIN)/python -m pytest --quiet -m 'not slow' $(SPARK)

# What pages are looked at with; where it cannot be had, the tests that need it skip and say so.
browser:
	@command -v chromium >/dev/null 2>&1 || sh tools/debian.sh chromium

# The database server that stores are tested on (the tests start it, in a folder of their own, and stop it), and
# the Java that Spark runs on.
servers:
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || sh tools/debian.sh postgresql
	@command -v java >/dev/null 2>&1 || sh tools/debian.sh openjdk-17-jre-headless

# The same tests with the kernels as plain Python, on the selection that stays quick: without those of the command
# line, the service, its pages, stores and their faults, and of what is built of lists that other tests look at:
# none says anything new about kernels.
NO_KERNELS = tests/browser tests/unit/cli tests/unit/serve tests/unit/live tests/faults \
	$(wildcard tests/contract/test_service*.py) tests/contract/test_store.py $(SPARK) \
	$(patsubst %,tests/unit/models/test_%.py,blend chosen explain files filters rerank)
test-nojit: $(VENV)/.installed-test
	NUMBA_DISABLE_JIT=1 $(PYTEST) -m 'not slow and not jit' $(addprefix --ignore ,$(NO_KERNELS))

check: $(VENV)/.installed-test
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

# Beside the peers, each in its own process, in an environment of its own.
peers/.installed: benchmarks/requirements.txt pyproject.toml
	$(PYTHON) -m venv peers
	peers/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	peers/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt
	@touch $@

bench: peers/.installed
	peers/bin/python benchmarks/speed.py
	peers/bin/python benchmarks/own.py
	peers/bin/python benchmarks/models.py
	peers/bin/python benchmarks/recall.py
	peers/bin/python benchmarks/start.py
	peers/bin/python benchmarks/report.py

# What takes an hour: growth up to 20 million ratings, everyone of 138,493 users, a million users in 1 GB.
bench-large: peers/.installed
	peers/bin/python benchmarks/growth.py
	peers/bin/python benchmarks/large.py
	peers/bin/python benchmarks/report.py

# What takes two hours: the ladders of docs/quality.md, and its tables.
bench-quality: peers/.installed
	peers/bin/python benchmarks/quality/movietweetings.py
	peers/bin/python benchmarks/quality/prequential.py
	peers/bin/python benchmarks/quality/ml_100k_ratings.py
	peers/bin/python benchmarks/quality/movielens.py --data ml-latest-small
	peers/bin/python benchmarks/quality/movielens.py --data ml-1m-half
	peers/bin/python benchmarks/quality/citeulike.py
	peers/bin/python benchmarks/quality/gowalla_search.py
	peers/bin/python benchmarks/quality/gowalla.py
	peers/bin/python benchmarks/quality/tables.py

# Every test at its full count, then the benchmark.
soak: $(VENV)/.installed-test
	CORATED_EXAMPLES=random $(PYTEST)
	$(MAKE) --no-print-directory bench

# Pin what is installed now; run in a fresh environment after changing dependencies.
lock: $(VENV)/.installed-test
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf $(VENV) peers $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
