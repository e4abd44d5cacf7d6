"""Filters: what a user has typed goes in as a literal, and can be nothing else."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

from simlib.arguments import short_repr
from simlib.where import read_condition

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


def filter_of(where: str, fields: Mapping[str, str]) -> tuple[str, dict[str, object]]:
    """Return a condition in the language of ``DataFrame.query`` as a filter and its parameters.

    Only what means the same in both languages is translated: columns compared with values, ``in``,
    ``and``, ``or`` and ``not``.

    Parameters
    ----------
    where : str
        Such as ``"colour == 'red' and 10 < price < 30"``.
    fields : mapping of str to str
        Column → its type in Milvus.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it is anything else, or compares a column with a value of another kind.

    Examples
    --------
    >>> filter_of("colour == 'red' & 10 < price < 30", {"colour": "VARCHAR", "price": "INT64"})[0]
    '(colour == {where_0} and (price > {where_1} and price < {where_2}))'
    """
    if not isinstance(where, str):
        raise TypeError(
            f"where={short_repr(where)} can't be sent to Milvus, which knows no mask of a frame's "
            "rows. Give a condition as a text, \"colour == 'red'\", or filter=."
        )

    def refuse(why: str) -> ValueError:
        return ValueError(
            f"where={short_repr(where)} {why}. Milvus' own language may have it: filter=..., see "
            f"https://milvus.io/docs/boolean.md. The index has: {', '.join(fields)}."
        )

    tree, names = read_condition(where, refuse)
    for column in names.values():
        if column not in fields:
            raise refuse(f"names {column!r}, which is no column of the index")
    parameters: dict[str, object] = {}

    def compared(left: ast.expr, sign: ast.cmpop, right: ast.expr) -> str:
        if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
            left, right, sign = right, left, _MIRRORED.get(type(sign), sign)
        word, kind, value = _SIGNS[type(sign)], "", None
        if isinstance(left, ast.Name):
            kind = fields[names[left.id]]
            try:
                value = ast.literal_eval(right)
            except (ValueError, TypeError):
                value = None
        several = isinstance(value, (list, tuple))
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if several and word in ("==", "!="):  # as DataFrame.query has it
            word = "in" if word == "==" else "not in"
        if several != (word in ("in", "not in")) or not all(
            isinstance(each, _TYPES.get(kind, ())) and isinstance(each, bool) == (kind == "BOOL")
            for each in values
        ):
            raise refuse("compares something else than a column with values of its kind")
        if kind in ("VARCHAR", "BOOL") and word not in ("==", "!=", "in", "not in"):
            raise refuse("asks which of two texts is less, and in Milvus a missing text is empty")
        parameters[name := f"where_{len(parameters)}"] = values if several else value
        return f"{names[left.id]} {word} {{{name}}}"  # type: ignore[attr-defined]

    def written(node: ast.expr) -> str:
        if isinstance(node, ast.BoolOp):
            word = " and " if isinstance(node.op, ast.And) else " or "
            return f"({word.join(map(written, node.values))})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
            return f"not ({written(node.operand)})"
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = zip(sides[:-1], node.ops, sides[1:], strict=True)
            parts = [compared(*pair) for pair in pairs]
            return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"
        if isinstance(node, ast.Name) and fields[names[node.id]] == "BOOL":
            return f"{names[node.id]} == true"
        raise refuse("is more than columns compared with values")

    return written(tree.body), parameters


_SIGNS: dict[type, str] = {
    **{ast.Eq: "==", ast.NotEq: "!=", ast.In: "in", ast.NotIn: "not in"},
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="},
}
_MIRRORED: dict[type, ast.cmpop] = {
    **{ast.Lt: ast.Gt(), ast.LtE: ast.GtE(), ast.Gt: ast.Lt(), ast.GtE: ast.LtE()},
}
_TYPES: dict[str, type | tuple[type, ...]] = {
    **{"VARCHAR": str, "BOOL": bool, "INT64": (int, float), "DOUBLE": (int, float)},
}


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
