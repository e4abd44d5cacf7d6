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

test: set-up
	@$(VENV)/python -m pytest --nbval

# The exact versions, with hashes and no host, for all platforms; after a change of pyproject.toml.
lock: set-up
	@$(VENV)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--quiet --output-file requirements.lock
