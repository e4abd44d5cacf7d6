# make lab    opens JupyterLab on the notebooks      (PORT=8899 chooses the port)
# make test   runs unit tests, docstring examples and every notebook   (LANGUAGE=zh: the Chinese ones;
#             ARGUMENTS=--slow: the tests that take longest, too, as CI does)
# make lint   checks style, formatting, types and translations
# make book   builds the book, a site, into book/build/site   (LANGUAGE=zh: the Chinese edition;
#             LANGUAGE="en zh": both); make pdf prints it as well
# Each sets the environment up first; that is quick when nothing has changed. PYTHON=3.12, python3.12
# or a path chooses its Python. Without make, on Windows too: python tools/lab.py and tools/test.py.

# The Python that starts the work, of any version; where there is none, uv has one.
START := $(shell command -v python3 || command -v python || \
	{ command -v uv >/dev/null && echo uv run --no-project python; } || echo no-python)
TOOL = @[ "$(START)" != no-python ] || \
	{ echo "There is no Python: install Python 3.11, 3.12 or 3.13, or uv, which brings it."; exit 1; }; \
	$(START) tools/$(1) $(if $(PYTHON),--python "$(PYTHON)")
PORT ?= 8888
VENV := .venv/bin
# LANGUAGE=zh, but not the variable of that name which many systems set.
IN_LANGUAGE := $(if $(filter command,$(word 1,$(origin LANGUAGE))),--language $(LANGUAGE))

.PHONY: lab test lint set-up lock

set-up:
	$(call TOOL,set_up.py)

lab:
	$(call TOOL,lab.py) --port $(PORT) $(IN_LANGUAGE) $(ARGUMENTS)

test:
	$(call TOOL,test.py) $(IN_LANGUAGE) $(ARGUMENTS)

# All three run, so that one report names everything; ruff can fix most of what it finds
# (ruff check --fix, ruff format).
lint: set-up
	@failed=0; \
	$(VENV)/ruff check . || failed=1; \
	$(VENV)/ruff format --check . || failed=1; \
	$(VENV)/mypy || failed=1; \
	$(VENV)/python tools/translate.py check zh --complete || failed=1; \
	exit $$failed

.PHONY: book
book: set-up
	@$(VENV)/python tools/book.py $(IN_LANGUAGE)

# The same, and the whole book as a PDF in it; Chromium prints it.
.PHONY: pdf
pdf: set-up
	@$(VENV)/python tools/book.py --pdf $(IN_LANGUAGE)

# Resolves the exact versions again, with hashes and no host, for all platforms; run it after a
# change of pyproject.toml.
lock: set-up
	@$(VENV)/uv pip compile pyproject.toml --extra all --extra notebooks --extra setup --extra tests \
		--universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--quiet --output-file requirements.lock

# The notebooks on another catalogue (a folder, digikala, clothing); the outcome is in results/.
.PHONY: notebooks-on
notebooks-on: set-up
	@[ -n "$(CATALOGUE)" ] || { echo "Name it: make notebooks-on CATALOGUE=path/to/photos"; exit 1; }
	@$(VENV)/python tools/run_notebooks.py --on "$(CATALOGUE)"

# The shards on Ray: two workers, one of which is killed. Ray 2.60 does not start on a busy machine:
# its node ends if its own agents take more than 15 seconds, and no variable changes that.
RAY_VERSION := 2.49.2
.PHONY: test-ray
test-ray: set-up
	@$(VENV)/python -c "import ray; assert ray.__version__ == '$(RAY_VERSION)'" 2>/dev/null || \
		$(VENV)/python -m pip install --quiet ray==$(RAY_VERSION) || \
		{ echo "Ray $(RAY_VERSION) cannot be installed. Connect to the internet and run: make test-ray"; exit 1; }
	@SIMLIB_RAY_TESTS=1 $(VENV)/python -m pytest tests/ray_engine

# simlib beside its peers and the limits of this machine; the results lie in benchmarks/results.
.PHONY: bench
bench: set-up
	@$(VENV)/python -m pip install --quiet --no-deps --requirement benchmarks/requirements.txt || \
		echo "Not all peers can be installed; those that are missing are left out by name."
	@$(VENV)/python benchmarks/speed.py
	@SIMLIB_QUIET_MACHINE=1 $(VENV)/python -m pytest --slow tests/test_clip.py tests/test_downloads.py \
		tests/test_encoders.py tests/test_explorer.py tests/test_images.py tests/test_public_names.py \
		tests/test_simclr.py

# The Milvus code against a real server, which is killed and started again; Linux. The server's
# package (55 MB, of 2023) goes into a folder of its own, since it is old and only for this.
MILVUS_SERVER := .milvus-server
.PHONY: test-milvus
test-milvus: set-up
	@command -v unshare >/dev/null || \
		{ echo "This needs Linux and its command unshare (Debian: apt install util-linux)."; exit 1; }
	@[ -x $(MILVUS_SERVER)/bin/python ] || $(VENV)/python -m venv $(MILVUS_SERVER)
	@$(MILVUS_SERVER)/bin/python -c "import milvus" 2>/dev/null || \
		$(MILVUS_SERVER)/bin/python -m pip install --quiet --no-deps milvus==2.3.5 || \
		{ echo "The package milvus 2.3.5 can't be installed; it holds the server. Connect to the internet and run: make test-milvus"; exit 1; }
	@SIMLIB_MILVUS_PYTHON=$(abspath $(MILVUS_SERVER))/bin/python \
		$(VENV)/python tests/milvus_server/test_milvus_server.py

# The explorer in a real JupyterLab, the report and the book, in a real browser; SIMLIB_BROWSER names
# one that is not found.
.PHONY: test-browser
test-browser: set-up
	@[ -n "$$SIMLIB_BROWSER" ] || command -v chromium >/dev/null || \
		command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
				chromium fonts-dejavu-core; } || \
		{ echo "There is no Chromium: install it (Debian: apt install chromium), or name yours: make test-browser SIMLIB_BROWSER=/path/to/chrome"; exit 1; }
	@$(VENV)/python -c "import playwright, axe_playwright_python" 2>/dev/null || \
		$(VENV)/python -m pip install --quiet playwright axe-playwright-python || \
		{ echo "Playwright can't be installed; it drives the browser. Connect to the internet and run: make test-browser"; exit 1; }
	@SIMLIB_BROWSER_TESTS=1 $(VENV)/python -m pytest tests/browser
