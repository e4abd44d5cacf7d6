"""Weights that come with installed packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged_folder(module: str) -> Path:
    """Return the folder of an installed package that carries weights, without importing it.

    Raises
    ------
    ModuleNotFoundError
        If the package is missing.

    Examples
    --------
    >>> packaged_folder("no_such_weights")
    Traceback (most recent call last):
    ModuleNotFoundError: No module named 'no_such_weights'
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return Path(spec.origin).parent
