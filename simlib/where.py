"""Which rows a search may find: a mask of the user's, or a condition on the frame's columns.

``DataFrame.query`` would do for conditions, but whoever writes one may call anything from it:
``@name`` reaches the variables of the program, and an attribute leads on to others. So a condition
is read here first, and pandas evaluates what was understood, never the text itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from simlib.arguments import short_repr

if TYPE_CHECKING:
    from pandas.api.extensions import ExtensionArray

Where: TypeAlias = "str | pd.Series | np.ndarray | ExtensionArray | Sequence[bool]"
"""A condition in the language of ``DataFrame.query``, or a boolean mask."""

MOST_CHARACTERS = 10_000
"""A condition is no longer than this."""

METHODS = frozenset(
    "abs between contains endswith eq fullmatch ge gt isin isna isnull le len lower lt match ne "
    "notna notnull startswith strip upper".split()
)
"""The methods that a condition may call: they read a column and change nothing."""

ATTRIBUTES = frozenset("str dt year month day hour dayofweek".split())
"""What else may follow a dot."""

_NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr),
    *(ast.Name, ast.Load, ast.List, ast.Tuple, ast.Constant, ast.Attribute, ast.Call, ast.keyword),
)
# A text, a name between backticks, or "&" and "|", which bind in DataFrame.query as "and" and "or".
_PIECES = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|`(?P<name>[^`\n]*)`|(?P<both>[&|])"""
)


def rows_passing(image_df: pd.DataFrame, where: Where) -> np.ndarray:
    """Return which rows of a frame a mask or a condition lets pass, bool ``(n,)``.

    Parameters
    ----------
    image_df : pandas.DataFrame
    where : str or mask
        As :func:`simlib.nearest` takes it.

    Raises
    ------
    TypeError
        If it is neither a text nor a mask of booleans.
    ValueError
        If a mask has another length, lacks labels of the frame or has gaps, or a condition can't be
        read or evaluated.

    Examples
    --------
    >>> frame = pd.DataFrame({"colour": ["red", "blue", "red"], "a price": [1, 2, 3]})
    >>> rows_passing(frame, "colour == 'red' and `a price` > 1")
    array([False, False,  True])
    >>> rows_passing(frame, [True, True, False])
    array([ True,  True, False])
    """
    if isinstance(where, str):
        return _fulfilling(image_df, where)
    if isinstance(where, pd.Series):
        where = _aligned(image_df.index, where)
    elif isinstance(where, (pd.DataFrame, pd.Index)) or not hasattr(where, "__len__"):
        raise _no_mask(where)
    mask = pd.array(where) if isinstance(where, (list, tuple)) else where
    if len(mask) != len(image_df):
        raise ValueError(
            f"where= has {len(mask)} values for the frame's {len(image_df)} rows. Give one for "
            "each row, or a Series with the frame's labels."
        )
    return _as_booleans(mask)


def _aligned(index: pd.Index, mask: pd.Series) -> pd.Series:
    """Return a mask in the order of a frame's labels."""
    if mask.index.equals(index):
        return mask
    if not mask.index.is_unique:
        raise ValueError(
            "where= is a Series in which a label stands several times, so it does not say which "
            "row is meant. Give it the frame's own index."
        )
    lacking = ~index.isin(mask.index)
    if lacking.any():
        raise ValueError(
            f"where= is a Series without {int(lacking.sum())} of the frame's {len(index)} labels, "
            f"the first {short_repr(index[lacking][0])}. Give it the frame's own index."
        )
    return mask.loc[index]


def _as_booleans(mask: Any) -> np.ndarray:
    if np.ndim(mask) != 1:
        raise _no_mask(mask)
    gaps = np.asarray(pd.isna(mask))
    if gaps.any():
        raise ValueError(
            f"where= has no value at {int(gaps.sum())} of {len(gaps)} rows. Decide what holds "
            "there: mask.fillna(False)."
        )
    values = np.asarray(mask)
    if values.dtype == object and pd.api.types.infer_dtype(values) == "boolean":
        values = values.astype(bool)
    if values.dtype != bool and len(values):
        raise _no_mask(mask)
    return values.astype(bool)


def _no_mask(where: object) -> TypeError:
    kind = getattr(where, "dtype", None)
    found = type(where).__name__ if kind is None else f"{type(where).__name__} of {kind}"
    return TypeError(
        f"where= is {short_repr(where)} ({found}), but it must be one boolean for each row, such "
        "as image_df['colour'] == 'red', or a text such as \"colour == 'red'\"."
    )


# Conditions


def read_condition(where: str, refuse: Callable[[str], ValueError]) -> tuple[ast.Expression, dict]:
    """Return what a condition says, and the columns it names: name in the tree → column.

    Only what compares columns is understood; ``refuse`` makes the error for all else.
    """
    if len(where) > MOST_CHARACTERS:
        raise refuse(f"has {len(where):,} characters, more than {MOST_CHARACTERS:,}")
    quoted: dict[str, str] = {}

    def plain(piece: re.Match[str]) -> str:
        if piece["text"] is not None:
            return piece["text"]
        if piece["name"] is not None:
            quoted[name := f"quoted_column_{len(quoted)}"] = piece["name"]
            return f" {name} "
        return " and " if piece["both"] == "&" else " or "

    try:
        tree = ast.parse(_PIECES.sub(plain, where).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        way_out = " (to compare, write ==)" if re.search(r"[^=!<>]=[^=]", where) else ""
        raise refuse(f"can't be read{way_out}") from None
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise refuse(f"holds {_described(node)}, which is not allowed here")
        if isinstance(node, ast.Constant) and not isinstance(
            node.value, (str, int, float, type(None))
        ):
            raise refuse(f"holds {short_repr(node.value)}, which is not allowed here")
        if isinstance(node, ast.Attribute) and node.attr not in METHODS | ATTRIBUTES:
            raise refuse(f"asks for .{node.attr}, which is not allowed here")
        if isinstance(node, ast.Call) and (
            not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS
        ):
            raise refuse("calls a function; only methods that read a column are allowed here")
        if isinstance(node, ast.Name):
            names[node.id] = quoted.get(node.id, node.id)
    return tree, names


def _described(node: ast.AST) -> str:
    known = {"MatMult": "@", "Pow": "**", "Subscript": "[…]", "Lambda": "a lambda"}
    return known.get(type(node).__name__, f"a {type(node).__name__}")


def _fulfilling(image_df: pd.DataFrame, where: str) -> np.ndarray:
    def refuse(why: str) -> ValueError:
        columns = ", ".join(map(str, image_df.columns))
        return ValueError(f"where={short_repr(where)} {why}. The frame has: {columns}.")

    tree, names = read_condition(where, refuse)
    if not names:
        raise refuse("names no column")
    columns = {name: _values_of(image_df, column, refuse) for name, column in names.items()}
    new = {name: f"column_{number}" for number, name in enumerate(columns)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = new[node.id]
    few = pd.DataFrame({new[name]: values for name, values in columns.items()})
    try:
        # numexpr, where it is installed, would give other results at the edges.
        found = few.eval(ast.unparse(tree), engine="python", local_dict={}, global_dict={})
    except Exception as error:  # whatever comparing these values may raise
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        for name, column in names.items():
            said = re.sub(rf"\b{new[name]}\b", column.replace("\\", r"\\"), said)
        raise refuse(f"can't be evaluated ({said[:200]})") from None
    if not isinstance(found, pd.Series):
        raise refuse("is not a condition on rows")
    # As DataFrame.query has it: a comparison with what is missing is not true.
    known = found[found.notna()]
    if len(known) and pd.api.types.infer_dtype(known) != "boolean":
        raise refuse(f"gives {found.dtype}, not true or false for each row")
    return np.asarray(found.notna() & found.eq(True).fillna(False), dtype=bool)


def _values_of(image_df: pd.DataFrame, column: str, refuse: Callable[[str], ValueError]) -> Any:
    """Return a column's values, or those of the index or of one of its levels."""
    if column in image_df.columns:
        values = image_df[column]
        if isinstance(values, pd.DataFrame):
            raise refuse(f"names {column!r}, which {values.shape[1]} columns are called")
        return values.array
    if column in image_df.index.names:
        return image_df.index.get_level_values(column).array
    if column == "index" and image_df.index.nlevels == 1:
        return image_df.index.array
    raise refuse(f"names {column!r}, which is no column of the frame")
