# make lab    opens JupyterLab on the notebooks      (PORT=8899 chooses the port)
# make test   runs unit tests, docstring examples and every notebook
# Both set the environment up first; that is quick when nothing has changed.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
PORT ?= 8888
VENV := .venv/bin

.PHONY: lab test set-up lock

set-up:
	@command -v $(PYTHON) >/dev/null 2>&1 || \
		{ echo "There is no $(PYTHON): install Python 3.11, or name yours: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) tools/set_up.py

lab: set-up
	@$(VENV)/jupyter lab --notebook-dir=notebooks --port=$(PORT) \
		$(shell [ "$$(id -u)" = 0 ] && echo --allow-root) \
		$(shell [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && [ "$$(uname)" = Linux ] && echo --no-browser)

# Each notebook and each file of tests stays with one process, so that its kernel and data are shared.
test: set-up
	@$(VENV)/python -m pytest --nbval -n logical --maxprocesses 4 --dist loadfile

# The exact versions, with hashes and no host, for all platforms; after a change of pyproject.toml.
lock: set-up
	@$(VENV)/uv pip compile pyproject.toml --extra notebooks --extra setup --extra tests \
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

# The Milvus code against a real server, which is killed and started again; Linux. The server's
# package (55 MB, of 2023) goes into a folder of its own, since it is old and only for this.
MILVUS_SERVER := .milvus-server
.PHONY: test-milvus
test-milvus: set-up
	@command -v unshare >/dev/null || \
		{ echo "This needs Linux and its command unshare (Debian: apt install util-linux)."; exit 1; }
	@[ -x $(MILVUS_SERVER)/bin/python ] || $(PYTHON) -m venv $(MILVUS_SERVER)
	@$(MILVUS_SERVER)/bin/python -c "import milvus" 2>/dev/null || \
		$(MILVUS_SERVER)/bin/python -m pip install --quiet --no-deps milvus==2.3.5 || \
		{ echo "The package milvus 2.3.5 can't be installed; it holds the server. Connect to the internet and run: make test-milvus"; exit 1; }
	@SIMLIB_MILVUS_PYTHON=$(abspath $(MILVUS_SERVER))/bin/python \
		$(VENV)/python tests/milvus_server/test_milvus_server.py

# The explorer in a real JupyterLab and a real browser; SIMLIB_BROWSER names one that is not found.
.PHONY: test-browser
test-browser: set-up
	@[ -n "$$SIMLIB_BROWSER" ] || command -v chromium >/dev/null || \
		command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
				chromium fonts-dejavu-core; } || \
		{ echo "There is no Chromium: install it (Debian: apt install chromium), or name yours: make test-browser SIMLIB_BROWSER=/path/to/chrome"; exit 1; }
	@$(VENV)/python -c "import playwright" 2>/dev/null || \
		$(VENV)/python -m pip install --quiet playwright || \
		{ echo "Playwright can't be installed; it drives the browser. Connect to the internet and run: make test-browser"; exit 1; }
	@SIMLIB_BROWSER_TESTS=1 $(VENV)/python -m pytest tests/browser
