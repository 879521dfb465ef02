# One command each; every target sets up what it needs. PYTHON=python3.12 picks the interpreter.
.POSIX:
.PHONY: help setup system demo test check doctor bench nightly lock pictures
RUN = .venv/bin/python
BENCHES = decide gateway meaning box ledger storm crash console

help:
	@echo "make demo     replay two real incidents against Comptroller (sets up .venv first)"
	@echo "make test     set up all that is needed and run every test"
	@echo "make check    format, lint, types, layers, docstrings"
	@echo "make doctor   try to break out of a box, as you are and, as root, as an ordinary user too"
	@echo "make bench    every benchmark, quickly, each beside its peer"
	@echo "make nightly  long fuzz and storm profiles"
	@echo "make setup    only the development environment"
	@echo "make pictures the console's pages, taken anew for the documentation"
	@echo "make lock     resolve the lock files in requirements/ anew"

setup:
	@sh requirements/install.sh dev

system:
	@sh requirements/install.sh system

demo:
	@sh requirements/install.sh demo
	@$(RUN) -P -m comptroller demo $(DEMO)

test: system setup
	@if [ -n "$(TESTS)" ]; then $(RUN) -m pytest $(TESTS); else $(RUN) tools/run_tests.py; fi

check: setup
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	.venv/bin/lint-imports --no-cache
	$(RUN) -m interrogate -q src

doctor: system setup
	@bash .ci/doctor

bench: setup
	@set -e; for name in $(BENCHES); do echo "bench.$$name"; $(RUN) -m "bench.$$name" --quick; done

nightly: system setup
	@seed=$${SEED:-$$(date +%Y%m%d)}; start=$$(date +%s); \
	echo "seed $$seed (SEED=$$seed make nightly repeats it)"; \
	$(RUN) -m pytest --hypothesis-profile=nightly --hypothesis-seed="$$seed" -m "nightly or fuzz" --timeout=3600 $(TESTS) && \
	echo "seed $$seed, $$(($$(date +%s) - start)) seconds"

lock: setup
	@sh requirements/lock.sh

pictures: system setup
	COMPTROLLER_PICTURES=docs/pictures/console $(RUN) -m pytest tests/console tests/server/test_console_pages_browser.py -q -k 'accessible or everybody'
