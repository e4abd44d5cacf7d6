"""lightning-bolts' SimCLR, without the warnings that are no news to whoever uses it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from simlib.extras import needs_extra

# What lightning-bolts 0.7 and Lightning 1.9 say each time they are imported or build a network, and
# why it concerns nobody who calls simlib. The category is named by its class's name: some of the
# classes exist only once the import that warns is over.
KNOWN_WARNINGS = (
    # numpy 2 has no np.object; bolts only asks whether it is there, and fills the gap itself.
    ("FutureWarning", r"In the future `np\.object` will be defined"),
    # Lightning 1.9 declares its namespace package in the old way; it goes with setuptools < 81.
    ("UserWarning", r"pkg_resources is deprecated as an API"),
    ("DeprecationWarning", r"pkg_resources is deprecated as an API"),
    ("DeprecationWarning", r"Deprecated call to `pkg_resources\.declare_namespace\('[a-z_]+'\)`"),
    # Lightning 1.9 uses a helper of lightning-utilities that has since been renamed.
    ("DeprecationWarning", r"`ModuleAvailableCache` is a special case of `RequirementCache`"),
    # bolts marks nearly every class so, since 2022; simlib pins the version that it is tested with.
    ("UnderReviewWarning", r"The feature \w+ is currently marked under review"),
)


@contextmanager
def known_warnings_silenced() -> Iterator[None]:
    """Drop the warnings in ``KNOWN_WARNINGS``; show every other one once the block is over.

    A filter would not do: bolts puts its own in front of it while it is imported.

    Examples
    --------
    >>> with known_warnings_silenced():
    ...     warnings.warn("In the future `np.object` will be defined as ...", FutureWarning)
    """
    with warnings.catch_warnings(record=True) as raised:
        try:
            yield
        finally:
            raised = list(raised)
    for warning in raised:
        if not _is_known(warning.category.__name__, str(warning.message)):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def _is_known(category: str, message: str) -> bool:
    return any(
        category == known_category and re.match(pattern, message)
        for known_category, pattern in KNOWN_WARNINGS
    )


def simclr_class():
    """Return ``pl_bolts.models.self_supervised.SimCLR``; raise ImportError if it is missing."""
    with needs_extra("simclr", "SimCLR's training"), known_warnings_silenced():
        from pl_bolts.models.self_supervised import SimCLR
    return SimCLR
