"""What goes into Milvus: rows of a frame, checked before they do, a few MB at a time."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simlib.columns import Embeddings, require_column

LABEL = "row_label"
"""The field that holds the frame's labels: the primary key."""

FINGERPRINT = "row_fingerprint"
"""The field that says what a row held when it was written."""

BATCH_BYTES = 8 * 2**20
"""How much goes into one call; servers take 64 MB."""

LONGEST_TEXT = 65_535
"""The most bytes of a text in Milvus (https://milvus.io/docs/limitations.md)."""

MOST_FIELDS = 64
"""The most fields of a collection on a server, the three of simlib's among them."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
"""What collections and fields may be called."""

# The words of the filter language, in which Milvus Lite ignores case (milvus-lite,
# search/filter/tokens.py; milvus, internal/parser/planparserv2/Plan.g4).
_WORDS = frozenset(
    "and or not in is null like exists true false iso interval text_match phrase_match "
    "random_sample json_contains json_contains_all json_contains_any array_contains "
    "array_contains_all array_contains_any array_length element_filter match_all match_any "
    "match_least match_most match_exact minimum_should_match threshold st_equals st_touches "
    "st_overlaps st_crosses st_contains st_intersects st_within st_dwithin st_isvalid".split()
)
_SYSTEM_FIELDS = frozenset({LABEL, FINGERPRINT, "RowID", "Timestamp", "_seq", "_partition"})


@dataclass
class Batch:
    """Some rows as Milvus takes them, and what had to stay outside."""

    rows: list[dict[str, object]]
    left_out: dict[Hashable, str]

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.left_out)


def checked_labels(index: pd.Index) -> list:
    """Return the labels as int or str; a ValueError if they cannot name rows in Milvus."""
    if len(index) == 0:
        raise ValueError("The frame is empty, so there is nothing to index.")
    labels = [label.item() if isinstance(label, np.generic) else label for label in index]
    if not index.is_unique:
        raise ValueError(
            f"The label {labels[int(index.duplicated().argmax())]!r} stands at several rows of the "
            "frame, but names a row in Milvus. Give the rows labels of their own: "
            "image_df.reset_index(drop=True)."
        )
    kind = str if isinstance(labels[0], str) else int
    for label in labels:
        fits = isinstance(label, kind) and not isinstance(label, bool)
        if not fits or (abs(label) >= 2**63 if kind is int else _unfit({LABEL: label})):
            raise ValueError(
                f"The label {label!r} cannot name a row in Milvus, where all are integers of 64 "
                "bits or all are texts. Use image_df.reset_index(drop=True)."
            )
    return labels


def refusal_of_name(name: object) -> str | None:
    """Return why a field cannot have this name, or None.

    Examples
    --------
    >>> refusal_of_name("colour"), refusal_of_name("in")
    (None, 'its name is a word of the filter language')
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return "its name is not one of letters a to z, digits and underscores, no digit first"
    if name in _SYSTEM_FIELDS:
        return "its name is that of a field of Milvus or simlib"
    return "its name is a word of the filter language" if name.lower() in _WORDS else None


def usable_columns(
    image_df: pd.DataFrame, embedding_col: str, asked: str | Iterable[str] | None
) -> dict[str, str]:
    """Return the columns that go along → their type in Milvus."""
    require_column(image_df, embedding_col)
    why = refusal_of_name(embedding_col)
    if why:
        raise ValueError(
            f"{embedding_col!r} cannot be a field in Milvus, since {why}. Rename the column: "
            "image_df.rename(columns=...)."
        )
    usable, refused = {}, {}
    asked = [asked] if isinstance(asked, str) else asked
    for column in dict.fromkeys(image_df.columns if asked is None else asked):
        require_column(image_df, column)
        if column == embedding_col:
            continue
        if asked is None and not _is_plain(image_df[column]):
            continue
        kind, why = _kind_of(image_df[column])
        why = refusal_of_name(column) or why
        if why:
            refused[column] = why
        else:
            usable[column] = kind
    if refused:
        described = "; ".join(f"{column!r}, since {why}" for column, why in refused.items())
        way = "Rename these columns, or choose others: columns=[...]."
        if asked is not None:
            raise ValueError(f"Not to be taken along into Milvus: {described}. {way}")
        warnings.warn(f"Not taken along into Milvus: {described}. {way}", stacklevel=3)
    if len(usable) > MOST_FIELDS - 3:
        raise ValueError(
            f"{len(usable)} columns are too many for Milvus: {MOST_FIELDS - 3} at most go along. "
            "Choose those that filters will ask for: columns=[...]."
        )
    return usable


def _is_plain(column: pd.Series) -> bool:
    """Whether filters might ask for a column: it is neither embeddings nor all missing."""
    present = column.dropna()
    return len(present) > 0 and not isinstance(present.iloc[0], (np.ndarray, list, tuple, dict))


_KINDS = {"string": "VARCHAR", "boolean": "BOOL", "integer": "INT64", "floating": "DOUBLE"}


def _kind_of(column: pd.Series) -> tuple[str, str | None]:
    """Return the type in Milvus, and why the column cannot go along or None."""
    values = column.dropna().astype(object)
    if values.empty:
        return "VARCHAR", None
    kind = _KINDS.get(pd.api.types.infer_dtype(values), "")
    if not kind:
        return kind, f"it holds {type(values.iloc[0]).__name__}"
    if kind != "VARCHAR" and len(values) < len(column):
        return kind, "it has gaps, which only texts may have (image_df.fillna)"
    if kind == "INT64" and not values.between(1 - 2**63, 2**63 - 1).all():
        return kind, "its numbers need more than 64 bits"
    if kind == "DOUBLE" and not np.isfinite(values.astype(float)).all():
        return kind, "it holds infinity"
    return kind, None


_PLAIN_VALUE: dict[str, Callable] = {
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
    """Yield the rows of a frame, a few MB at a time; first what cannot go in."""
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
        batch = Batch([], {})
        vectors = embeddings.take(part)  # (step, dim)
        for position, vector in zip(embeddings.positions[part], vectors, strict=True):
            plain = {column: values[column][position] for column in columns}
            why = _unfit(plain)
            if why:
                batch.left_out[labels[position]] = why
                continue
            row = {LABEL: labels[position], FINGERPRINT: _fingerprint(vector, plain)}
            batch.rows.append(row | plain | {embedding_col: vector})
        yield batch
        embeddings.forget_pages()


def without_embedding(
    image_df: pd.DataFrame, positions: np.ndarray, labels: list
) -> dict[Hashable, str]:
    """Return label → why its row has no embedding, for the rows at some positions."""
    errors = image_df["error"].tolist() if "error" in image_df else [None] * len(image_df)
    return {
        labels[position]: errors[position]
        if isinstance(errors[position], str)
        else "it has no embedding"
        for position in positions
    }


def _unfit(plain: Mapping[str, object]) -> str | None:
    """Return why Milvus would refuse one of the values, or None."""
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
    """Return a hash of what a row holds, as a signed integer of 64 bits."""
    digest = hashlib.blake2b(np.ascontiguousarray(vector).tobytes(), digest_size=8)
    digest.update(json.dumps(plain, sort_keys=True).encode())
    return int.from_bytes(digest.digest(), "little", signed=True)


def warn_of(left_out: Mapping[Hashable, str], callers: int) -> None:
    """Warn of rows that were left out, naming the first; ``callers`` up is the user's line."""
    if left_out:
        label, why = next(iter(left_out.items()))
        warnings.warn(
            f"{len(left_out)} row(s) cannot be searched for and were left out, the first at label "
            f"{label!r}: {why}",
            stacklevel=callers + 1,
        )
