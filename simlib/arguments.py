"""Checks of what users pass, and how errors show it."""

from __future__ import annotations

import reprlib
import sys
from typing import Any

import numpy as np

_shortener = reprlib.Repr()
_shortener.maxstring = _shortener.maxother = _shortener.maxlong = 80


def short_repr(value: object) -> str:
    """Return the ``repr`` of a user's value, on one line and short enough for an error message.

    Examples
    --------
    >>> short_repr("S1")
    "'S1'"
    >>> len(short_repr(bytes(100_000)))
    80
    """
    try:
        text = " ".join(_shortener.repr(value).split())
    except Exception:  # a repr of the user's own that fails, or an int of more than 4,300 digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= 200 else f"{text[:197]}..."


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
        raise ValueError(f"{name}={short_repr(value)} is not a whole number from {least} on.")
    return int(value)


def require_size(name: str, value: object) -> tuple[int, int]:
    """Return a width and height as two ints, or raise a ValueError that names them.

    Examples
    --------
    >>> require_size("size", [64, 48])
    (64, 48)
    >>> require_size("size", 64)
    Traceback (most recent call last):
    ValueError: size=64 is not a width and a height of at least 1 pixel each, such as size=(64, 64).
    """
    sides = value if isinstance(value, (tuple, list)) else ()
    if [isinstance(side, (int, np.integer)) and side >= 1 for side in sides] != [True, True]:
        raise ValueError(
            f"{name}={short_repr(value)} is not a width and a height of at least 1 pixel each, "
            f"such as {name}=(64, 64)."
        )
    return int(sides[0]), int(sides[1])


def to_float32(value: Any) -> np.ndarray | None:
    """Return numbers of a user's, also a torch tensor, as a float32 array; None if they are none.

    Examples
    --------
    >>> to_float32([3, 4])
    array([3., 4.], dtype=float32)
    >>> to_float32("words") is None
    True
    """
    try:
        if hasattr(value, "detach"):  # a tensor of torch's: perhaps on a GPU, or with a gradient
            if value.is_complex():
                return None
            value = value.detach().float().cpu()
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            array = np.asarray(value)
            return None if array.dtype.kind in "cmM" else array.astype(np.float32)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def stacklevel_of_caller() -> int:
    """Return the ``stacklevel`` with which a warning names the line that called simlib.

    It counts from the function that calls this one, through as much of simlib as lies between.

    Examples
    --------
    >>> stacklevel_of_caller() >= 1
    True
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("simlib."):
        frame, level = frame.f_back, level + 1
    return level
