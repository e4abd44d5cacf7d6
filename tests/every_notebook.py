"""The notebooks that readers open: not the copies of them that JupyterLab keeps."""

from pathlib import Path


def every_notebook(folder: Path) -> list[Path]:
    """Return the notebooks in a folder and below it, without those in ``.ipynb_checkpoints``."""
    found = sorted(folder.glob("**/*.ipynb"))
    return [path for path in found if ".ipynb_checkpoints" not in path.parts]
