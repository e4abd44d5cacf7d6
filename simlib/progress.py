"""The one progress bar, and what switches it off."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

PATIENCE = 1.0
"""A bar shows itself after so many seconds: what is done by then needs none."""


def progress_bar(
    description: str, unit: str, total: int | None = None, show: bool = True, **options
) -> tqdm:
    """Return a bar of tqdm's; one that shows nothing if ``show`` is false or TQDM_DISABLE is set.

    It appears only after ``PATIENCE``, and so never for what is quick. ``options`` go to tqdm.

    Examples
    --------
    >>> with progress_bar("pictures", " pictures", total=2, show=False) as bar:
    ...     _ = bar.update(2)
    """
    from tqdm.auto import tqdm

    # Asked for here, since tqdm's bar for notebooks does not look at its variable TQDM_DISABLE.
    disabled = not show or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    options = {"delay": PATIENCE} | options
    return tqdm(total=total, desc=description, unit=unit, disable=disabled, **options)
