"""Texts that say what not to find, which image-text networks can't follow.

Source: Alhamoud et al., "Vision-Language Models Do Not Understand Negation"
(https://arxiv.org/abs/2501.09425).
"""

from __future__ import annotations

import re
import warnings

from simlib.arguments import short_repr, stacklevel_of_caller

# Plain negations in the languages that simlib's own models read. "no" alone is left out of English
# where it may belong to a name: no-show socks, No. 5, no 7.
_PLAIN = re.compile(
    r"\b(?:not|without|except|neither|nor|other than|anything but|nicht|ohne|kein(?:e[mnrs]?)?"
    r"|sans|sauf|sin|excepto|بدون|بجز|غیر)\b"
    r"|\w+n['’]t\b|\bno\s+(?!\d)\w|不是|没有|不要|不带|除了|ではない|じゃない|以外|のない|なし",
    re.IGNORECASE,
)


def warn_of_negation(text: object) -> None:
    """Warn the caller of simlib if a text says what not to find.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as heard:
    ...     warnings.simplefilter("always")
    ...     warn_of_negation("a bag that is not red")
    ...     warn_of_negation("a red bag, no-show socks and a knot")
    >>> print(heard[0].message)  # doctest: +ELLIPSIS
    The text 'a bag that is not red' says what not to find ('not'), but image-text networks ...
    >>> len(heard)
    1
    """
    found = _PLAIN.search(text) if isinstance(text, str) else None
    if found is None:
        return
    warnings.warn(
        f"The text {short_repr(text)} says what not to find ({found.group().strip()!r}), but "
        "image-text networks look for whatever is named. Take it away instead, text='a bag', "
        "minus='red'; or filter by a column: where=\"colour != 'red'\".",
        stacklevel=stacklevel_of_caller(),
    )
