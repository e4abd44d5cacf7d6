"""A collection in Milvus with its index: made, compared, built and waited for."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simlib.milvus import lite
from simlib.milvus.connection import Connection, MilvusRefusal
from simlib.milvus.rows import FINGERPRINT, LABEL, LONGEST_TEXT, NAME
from simlib.progress import progress_bar

STALL_SECONDS = 600
"""An index that does not grow for this long is not waited for any longer."""

SCORES = {"COSINE": "cosine_similarity", "IP": "inner_product", "L2": "euclidean_distance"}
"""The column of results that each metric gives; of the first two, more is nearer."""


@dataclass
class Collection:
    """A collection, as it should be or as it is."""

    name: str
    column: str
    dim: int
    metric: str
    fields: dict[str, str]  # the label's and those for filters → VARCHAR, INT64, DOUBLE or BOOL

    def __str__(self) -> str:
        fields = ", ".join(f"{field} ({kind})" for field, kind in self.fields.items())
        return f"{self.dim} values from {self.column!r} by {self.metric} with {fields}"


def checked_name(name: object) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a collection in Milvus: letters a to z, digits and "
            "underscores, no digit first, 255 at most. Choose another: name=..."
        )
    return name


def open_collection(
    uri: str | os.PathLike[str],
    wanted: Collection,
    rows: int,
    index: str,
    options: Mapping[str, object] | None,
) -> Connection:
    """Return the connection to a collection, made if need be; a ValueError if it is another."""
    if wanted.metric not in SCORES:
        raise ValueError(f"metric={wanted.metric!r} is unknown; choose one of {list(SCORES)}.")
    connection = Connection(uri)
    try:
        if connection.file:
            if index not in lite.INDEXES:
                raise ValueError(
                    f"Milvus Lite has no index {index!r}; it has {', '.join(lite.INDEXES)}. A "
                    "server has more: uri='http://...'."
                )
            lite.set_aside(connection.file, wanted.name)
        if connection.call("has_collection", wanted.name):
            found = describe(connection, wanted.name)
            _refuse_other(connection, found, wanted)
            _drop_other_index(connection, wanted, index, options)
        else:
            _create(connection, wanted)
        if not connection.file:  # a server loads only what has an index
            make_index(connection, wanted, rows, index, options)
        try:
            load(connection, wanted)  # and neither answers before
        except MilvusRefusal:
            if not connection.file:
                raise
            _drop_index(connection, wanted)  # its file is damaged; the rows are not
            load(connection, wanted)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: Connection, wanted: Collection) -> None:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    for field, kind in wanted.fields.items():
        length = {"max_length": LONGEST_TEXT} if kind == "VARCHAR" else {}
        schema.add_field(field, DataType[kind], is_primary=field == LABEL, **length)
    schema.add_field(FINGERPRINT, DataType.INT64)
    schema.add_field(wanted.column, DataType.FLOAT_VECTOR, dim=wanted.dim)
    connection.call("create_collection", wanted.name, schema=schema, consistency_level="Session")


def describe(connection: Connection, name: str) -> Collection:
    """Return what a collection is; a ValueError if simlib did not make it."""
    described = connection.call("describe_collection", name)["fields"]
    kinds = {field["name"]: field["type"].name for field in described}
    vectors = [field for field in described if field["type"].name == "FLOAT_VECTOR"]
    if len(vectors) != 1 or not {LABEL, FINGERPRINT} <= set(kinds):
        raise ValueError(
            f"The collection {name!r} in {connection.uri} was not made by simlib, which would not "
            "know its fields. Choose another name=..."
        )
    column = vectors[0]["name"]
    built = described_index(connection, name, column)
    fields = {field: kind for field, kind in kinds.items() if field not in (column, FINGERPRINT)}
    dim = int(vectors[0]["params"]["dim"])
    return Collection(name, column, dim, built.get("metric_type", ""), fields)


def described_index(connection: Connection, name: str, column: str) -> dict:
    if not connection.call("list_indexes", name):
        return {}
    built = connection.call("describe_index", name, index_name=column) or {}
    return built | dict(built.get("params") or {})


def _refuse_other(connection: Connection, found: Collection, wanted: Collection) -> None:
    found = replace(found, metric=found.metric or wanted.metric)  # none while there is no index
    if found != wanted:
        raise ValueError(
            f"The collection {wanted.name!r} in {connection.uri} holds {found}, not {wanted}. "
            f"Choose another name=..., or remove it: simlib.open_index({connection.uri!r}, "
            f"{wanted.name!r}).drop()"
        )


def _drop_other_index(
    connection: Connection, wanted: Collection, index: str, options: Mapping[str, object] | None
) -> None:
    """Drop an index of another kind; the rows stay."""
    built = described_index(connection, wanted.name, wanted.column)
    same = built.get("index_type") == index and all(
        str(built.get(option)) == str(value) for option, value in (options or {}).items()
    )
    if built and not same:
        _drop_index(connection, wanted)


def _drop_index(connection: Connection, wanted: Collection) -> None:
    connection.call("release_collection", wanted.name)
    connection.call("drop_index", wanted.name, wanted.column)


def make_index(
    connection: Connection,
    wanted: Collection,
    rows: int,
    index: str,
    options: Mapping[str, object] | None,
) -> None:
    from pymilvus import MilvusClient

    if connection.call("list_indexes", wanted.name):
        return
    details = _usual_options(index, wanted.dim, rows) | dict(options or {})
    parameters = MilvusClient.prepare_index_params()
    # pymilvus 3.0 sends options one by one; Milvus Lite 3.2 reads them only under this name, and
    # would ignore them in silence.
    sent = {"params": details} if connection.file else details
    parameters.add_index(
        wanted.column,
        index_name=wanted.column,
        index_type=index,
        metric_type=wanted.metric,
        params=sent,
    )
    try:
        # Milvus Lite builds it in this very call, which takes its time.
        connection.call("create_index", wanted.name, parameters, timeout=None, sync=False)
    except MilvusRefusal as refusal:
        raise ValueError(f"The index {index!r} with {details} cannot be built. {refusal}") from None


def _usual_options(index: str, dim: int, rows: int) -> dict[str, int]:
    """Return the options of an index that the user has not set; the names are Milvus' own."""
    if index.startswith("HNSW"):
        return {"M": 16, "efConstruction": 200}
    if not index.startswith("IVF"):
        return {}
    # 4 √n lists, and 39 rows or more for each (https://github.com/facebookresearch/faiss/wiki).
    lists = {"nlist": int(np.clip(min(4 * rows**0.5, rows // 39), 1, 65_536))}
    if index != "IVF_PQ":
        return lists
    most = max(1, dim // 8)  # a code of one byte for 8 values or a few more
    return lists | {"m": next(m for m in range(most, 0, -1) if dim % m == 0), "nbits": 8}


def load(connection: Connection, wanted: Collection) -> None:
    connection.call("load_collection", wanted.name, timeout=None)


def wait_for_index(connection: Connection, wanted: Collection, progress: bool) -> None:
    """Return once all rows are indexed; a TimeoutError if that makes no progress."""
    since = time.monotonic()
    with progress_bar("index", " rows", show=progress) as bar:
        while True:
            state = described_index(connection, wanted.name, wanted.column)
            if state.get("state") == "Failed":
                raise RuntimeError(
                    f"Milvus could not build the index: {state.get('index_state_fail_reason')}."
                )
            if state.get("indexed_rows", 0) != bar.n:
                since = time.monotonic()
            bar.total, bar.n = state.get("total_rows", 0), state.get("indexed_rows", 0)
            bar.refresh()
            if state.get("pending_index_rows", 0) <= 0:
                return
            if time.monotonic() - since > STALL_SECONDS:
                raise TimeoutError(
                    f"The index of {wanted.name!r} has stood at {bar.n:,} of {bar.total:,} rows "
                    f"for {STALL_SECONDS // 60} minutes. The rows are safe; the same call waits on."
                )
            time.sleep(0.2)
