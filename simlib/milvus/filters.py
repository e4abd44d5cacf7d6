"""Filters: what a user has typed goes in as a literal, and can be nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

from simlib.arguments import short_repr

# A literal as Milvus Lite and servers read it, a placeholder, or what must not be left over.
_PIECES = re.compile(
    r"""(?P<literal>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\{(?P<name>\w+)\}|(?P<stray>["'{}])""",
    re.DOTALL,
)
_PATTERN_FOLLOWS = re.compile(r"(\blike|=~|!~)[\s(\[]*$", re.IGNORECASE)
_TOUCHES = re.compile(r"""[\w.$"'{}]""")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def render_filter(template: str, parameters: Mapping[str, object] | None) -> str:
    """Return a filter with its ``{name}`` replaced by literals of Milvus' language.

    Neither Milvus Lite 3.2 nor servers before 2.5 have parameters of their own, so values are
    quoted here: a text can end neither its literal nor the expression.

    Parameters
    ----------
    template : str
        Such as ``"colour == {colour} and price < {most}"``.
    parameters : mapping of str
        A str, bool, int of 64 bits, finite float, or a list of those, for each name.

    Raises
    ------
    ValueError
        If a placeholder stands inside quotes, touches a word, or is the pattern of ``like``; if the
        names do not match; or if a value has no literal.

    Examples
    --------
    >>> render_filter("title == {title}", {"title": 'the "best" dress'})
    'title == "the \\\\"best\\\\" dress"'
    >>> render_filter("size in {sizes}", {"sizes": [38, 40]})
    'size in [38, 40]'
    >>> render_filter("owner == '{owner}'", {"owner": "' or owner != '"})
    Traceback (most recent call last):
    ValueError: The filter "owner == '{owner}'" has a parameter inside quotes: leave the quotes out.
    """
    if not isinstance(template, str):
        raise ValueError(f"filter={template!r} is not a text, as \"colour == 'red'\" is.")
    if not isinstance(parameters, Mapping | None):
        raise ValueError(f"filter_params={short_repr(parameters)} is not a dict of names.")
    pieces = list(_PIECES.finditer(template))
    for piece in pieces:
        _require_harmless(template, piece)
    wanted = {piece["name"] for piece in pieces if piece["name"]}
    parameters = dict(parameters or {})
    if wanted != set(parameters):
        raise ValueError(
            f"The filter {template!r} asks for the parameters {sorted(wanted)}, but filter_params "
            f"has {sorted(map(str, parameters))}."
        )
    literals = {name: literal(value, name) for name, value in parameters.items()}
    return _PIECES.sub(lambda piece: piece["literal"] or literals[piece["name"]], template)


def _require_harmless(template: str, piece: re.Match[str]) -> None:
    before, after = template[: piece.start()], template[piece.end() :]
    problem = None
    if piece["literal"]:
        if re.search(r"\{\w+\}", piece["literal"]):
            problem = "has a parameter inside quotes: leave the quotes out."
    elif piece["stray"]:
        quote = piece["stray"] in "\"'"
        problem = f"has a {'quote that is not closed' if quote else 'brace without a {name}'}."
    elif _TOUCHES.match(before[-1:]) or _TOUCHES.match(after):
        problem = f"has a parameter, {piece[0]}, that touches what stands beside it: put a space."
    elif _PATTERN_FOLLOWS.search(before):
        problem = (
            f"takes the parameter {piece[0]} for a pattern, in which % and _ match anything and "
            "which Milvus Lite cannot escape: write the pattern into the filter, or compare by ==."
        )
    if problem:
        raise ValueError(f"The filter {template!r} {problem}")


def literal(value: object, name: str) -> str:
    """Return a value as a literal; a ValueError naming it if it has none.

    Examples
    --------
    >>> literal(["a'b", 1.5, True], "choice")
    '["a\\'b", 1.5, true]'
    """
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return "[" + ", ".join(_scalar(item, name) for item in value) + "]"
    return _scalar(value, name)


def _scalar(value: object, name: str) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)) and -(2**63) < value < 2**63:
        return str(int(value))
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return repr(float(value))
    if isinstance(value, str):
        try:
            str.encode(value)  # of str itself, whatever a subclass makes of it
        except UnicodeEncodeError:
            raise ValueError(
                f"{short_repr(value)} is not valid Unicode, so nothing can be equal to it."
            ) from None
        return f'"{str.translate(value, _ESCAPES)}"'
    raise ValueError(
        f"The parameter {name!r} is {short_repr(value)}, but a filter compares with a text, an "
        "integer of 64 bits, a finite number, true or false, or a list of those."
    )
