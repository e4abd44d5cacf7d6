"""What goes into Milvus: rows of a frame, checked before they do, a few MB at a time."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simlib.columns import Embeddings, forget_pages, require_column

LABEL = "row_label"
"""The field that holds the frame's labels: the primary key."""

FINGERPRINT = "row_fingerprint"
"""The field that says what a row held when it was written."""

BATCH_BYTES = 8 * 2**20
"""How much goes into one call; servers take 64 MB."""

LONGEST_TEXT = 65_535
"""The most bytes of a text in Milvus (https://milvus.io/docs/limitations.md)."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
"""What collections and fields may be called."""


@dataclass
class Batch:
    """Some rows as Milvus takes them, and what had to stay outside."""

    rows: list[dict]
    left_out: dict[Hashable, str]

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.left_out)


def as_plain(label: object) -> object:
    return label.item() if isinstance(label, np.generic) else label


def checked_labels(index: pd.Index) -> list:
    """The labels as int or str; a ValueError if they can't name rows in Milvus."""
    if len(index) == 0:
        raise ValueError("The frame is empty, so there is nothing to index.")
    if not index.is_unique:
        twice = as_plain(index[index.duplicated()][0])
        raise ValueError(
            f"The label {twice!r} stands at several rows of the frame, but names a row in Milvus. "
            "Give the rows labels of their own: image_df.reset_index(drop=True)."
        )
    labels = [as_plain(label) for label in index]
    kind = str if isinstance(labels[0], str) else int
    for label in labels:
        fits = isinstance(label, kind) and not isinstance(label, bool)
        if fits and (abs(label) < 2**63 if kind is int else len(label.encode()) <= LONGEST_TEXT):
            continue
        raise ValueError(
            f"The label {label!r} can't name a row in Milvus, where all are whole numbers or all "
            "are texts. Use image_df.reset_index(drop=True)."
        )
    return labels


def usable_columns(
    image_df: pd.DataFrame, embedding_col: str, asked: Iterable[str] | None
) -> dict[str, str]:
    """Return the columns that can be taken along → their type in Milvus."""
    require_column(image_df, embedding_col)
    asked = None if asked is None else list(asked)
    if not NAME.fullmatch(embedding_col):
        raise ValueError(
            f"{embedding_col!r} can't be a field in Milvus: letters a to z, digits and "
            "underscores, no digit first. Rename the column: image_df.rename(columns=...)."
        )
    usable, refused = {}, {}
    for column in image_df.columns if asked is None else asked:
        require_column(image_df, column)
        if column == embedding_col or (asked is None and not _is_plain(image_df[column])):
            continue
        kind, refusal = _kind_of(image_df[column])
        if column in (LABEL, FINGERPRINT) or not NAME.fullmatch(str(column)):
            refusal = "its name can't be that of a field in Milvus"
        if refusal:
            refused[column] = refusal
        else:
            usable[column] = kind
    if refused:
        described = "; ".join(f"{column!r}, since {why}" for column, why in refused.items())
        if asked is not None:
            raise ValueError(f"Not to be taken along into Milvus: {described}.")
        warnings.warn(f"Not taken along into Milvus: {described}.", stacklevel=3)
    return usable


def _is_plain(column: pd.Series) -> bool:
    """Whether a column is one that filters might ask for: not embeddings, not wholly missing."""
    present = column.dropna()
    return len(present) > 0 and not isinstance(present.iloc[0], (np.ndarray, list, tuple, dict))


def _kind_of(column: pd.Series) -> tuple[str, str | None]:
    """The type in Milvus, or why there is none."""
    values = column.dropna()
    if values.map(lambda value: isinstance(value, str)).all():
        return "VARCHAR", None  # also a column of nothing but missing values
    if len(values) < len(column):
        return "", "it has gaps, which only texts may have (image_df.fillna)"
    if values.map(lambda value: isinstance(value, (bool, np.bool_))).all():
        return "BOOL", None
    if values.map(lambda value: isinstance(value, (int, np.integer))).all():
        fits = values.map(lambda value: abs(int(value)) < 2**63).all()
        return "INT64", None if fits else "its numbers need more than 64 bits"
    if pd.api.types.is_float_dtype(values.dtype):
        return "DOUBLE", None if np.isfinite(values).all() else "it holds infinity"
    return "", f"it holds {type(values.iloc[0]).__name__}"


_PLAIN_VALUE = {
    "VARCHAR": lambda value: value if isinstance(value, str) else "",
    "INT64": int,
    "DOUBLE": float,
    "BOOL": bool,
}


def batches_of(
    image_df: pd.DataFrame,
    embedding_col: str,
    embeddings: Embeddings,
    labels: list,
    columns: Mapping[str, str],
) -> Iterator[Batch]:
    """Yield the rows of a frame, a few MB at a time; first what can't go in."""
    usable = embeddings.have_direction()
    missing = np.setdiff1d(np.arange(len(image_df)), embeddings.positions)
    left_out = without_embedding(image_df, missing, labels)
    for position in embeddings.positions[~usable]:
        left_out[labels[position]] = "its embedding is zero or not finite"
    yield Batch([], left_out)
    places = np.flatnonzero(usable)
    values = {
        column: [_PLAIN_VALUE[kind](value) for value in image_df[column]]
        for column, kind in columns.items()
    }
    step = int(np.clip(BATCH_BYTES // (4 * embeddings.dim + 500), 1, 5000))
    for start in range(0, len(places), step):
        part = places[start : start + step]
        vectors = embeddings.take(part)  # (step, dim)
        rows, left_out = [], {}
        for position, vector in zip(embeddings.positions[part], vectors, strict=True):
            plain = {column: values[column][position] for column in columns}
            why = _unfit(plain)
            if why:
                left_out[labels[position]] = why
                continue
            row = {LABEL: labels[position], FINGERPRINT: _fingerprint(vector, plain)}
            rows.append(row | plain | {embedding_col: vector})
        yield Batch(rows, left_out)
        forget_pages(embeddings.matrix)


def without_embedding(image_df: pd.DataFrame, positions: np.ndarray, labels: list) -> dict:
    errors = image_df["error"].tolist() if "error" in image_df else [None] * len(image_df)
    return {
        labels[position]: errors[position]
        if isinstance(errors[position], str)
        else "it has no embedding"
        for position in positions
    }


def _unfit(plain: Mapping[str, object]) -> str | None:
    """Why Milvus would refuse one of the values, if it would."""
    for column, value in plain.items():
        if isinstance(value, str):
            try:
                too_long = len(value.encode()) > LONGEST_TEXT
            except UnicodeEncodeError:
                return f"the text in {column!r} is not valid Unicode"
            if too_long:
                return f"the text in {column!r} is longer than {LONGEST_TEXT:,} bytes"
    return None


def _fingerprint(vector: np.ndarray, plain: Mapping[str, object]) -> int:
    """What a row holds, as a signed number of 64 bits."""
    digest = hashlib.blake2b(np.ascontiguousarray(vector).tobytes(), digest_size=8)
    digest.update(json.dumps(plain, sort_keys=True).encode())
    return int.from_bytes(digest.digest(), "little", signed=True)


def warn_of(left_out: Mapping[Hashable, str]) -> None:
    if left_out:
        label, why = next(iter(left_out.items()))
        warnings.warn(
            f"{len(left_out)} row(s) can't be searched for and were left out, the first at label "
            f"{label!r}: {why}",
            stacklevel=3,
        )
