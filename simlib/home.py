"""Where simlib keeps what it computes or downloads."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home_folder() -> Path:
    """Return where simlib keeps what it computes or downloads; the folder need not exist yet.

    The environment variable ``SIMLIB_HOME`` names it; otherwise it is the operating system's folder
    for caches.

    Examples
    --------
    >>> home_folder().is_absolute()
    True
    """
    named = os.environ.get("SIMLIB_HOME")
    return (
        Path(named).expanduser().absolute()
        if named
        else Path(platformdirs.user_cache_dir("simlib", appauthor=False))
    )
