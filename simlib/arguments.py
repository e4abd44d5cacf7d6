"""Checks of what users pass."""

from __future__ import annotations

import numpy as np


def require_count(name: str, value: object, least: int = 1) -> int:
    """Return ``value`` as an int, or raise a ValueError that names it.

    Examples
    --------
    >>> require_count("k", 5)
    5
    >>> require_count("k", 0)
    Traceback (most recent call last):
    ValueError: k=0 is not a whole number from 1 on.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}={value!r} is not a whole number from {least} on.")
    return int(value)
