"""Where the files that come with simlib lie: the embedded catalogue and the compact weights."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

_PACKAGED = Path(str(files("simlib") / "data"))
_CHECKOUT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Return the folder with ``sample/`` and ``models/``.

    Wheels carry it inside the package, as ``simlib/data``. In a checkout, and in an editable
    install of one, it is the top-level folder ``data`` beside the package.

    Examples
    --------
    >>> {path.name for path in data_folder().iterdir()} >= {"models", "sample"}
    True
    """
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT / "data"


def restore_hint() -> str:
    """Return the end of an error message: how to get missing or damaged files back.

    Examples
    --------
    >>> restore_hint().endswith(".")
    True
    """
    if not _PACKAGED.is_dir() and (_CHECKOUT / "pyproject.toml").is_file():
        return "Restore it with: git restore data."
    return "Install simlib again, the way it was installed, with pip's option --force-reinstall."
