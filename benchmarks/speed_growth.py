"""How time and memory grow with the number of rows, step by step, at 512 dimensions."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import forget_peak, peak_bytes
from PIL import Image
from speed_search import DIM, K, rows_and_queries

STEPS = (
    "embed, all of it in the cache",
    "save_embeddings",
    "load_embeddings",
    "the first query",
    "the next query",
    "100 queries at once",
    "evaluate, 200 queries",
)
FILES = 2_000
"""The number of small picture files; larger frames name each of them several times."""


def growth(rows: int, steps: list[str] | None = None) -> Callable[[], np.ndarray]:
    """Return a function that runs all steps and returns seconds and peak bytes, ``(steps, 2)``."""
    work = tempfile.TemporaryDirectory()
    os.environ["SIMLIB_HOME"] = work.name
    import simlib
    from simlib.encoders.base import Encoder

    class Random(Encoder):
        """Random numbers, seeded by the picture's first pixel, so that no network takes time."""

        name, column, dim, recipe = "random", "embedding", DIM, "random numbers"

        def prepare(self, image: Image.Image) -> np.ndarray:
            return np.asarray(image)[0, 0]

        def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
            seeds = batch.astype(np.int64) @ (1, 256, 65536)
            return np.stack([np.random.default_rng(seed).standard_normal(DIM) for seed in seeds])

    paths = []
    for number in range(min(rows, FILES)):
        paths.append(os.path.join(work.name, f"{number}.png"))
        colour = (number % 256, number // 256, 7)
        Image.new("RGB", (64, 64), colour).save(paths[-1])
    simlib.embed(pd.DataFrame({"img_path": paths}), Random(), progress=False)
    repeated = (paths * -(-rows // len(paths)))[:rows]
    image_df = pd.DataFrame({"img_path": repeated, "category": np.arange(rows) % 50})
    file = Path(work.name, "embeddings.parquet")
    _, queries = rows_and_queries(1000, 100)
    state: dict[str, pd.DataFrame] = {}

    def embed() -> None:
        state["frame"] = simlib.embed(image_df, Random(), progress=False)

    def save() -> None:
        simlib.save_embeddings(state["frame"], file)

    def load() -> None:
        state.clear()
        state["frame"] = simlib.load_embeddings(file)

    def query() -> None:
        simlib.nearest(state["frame"], "embedding", queries[0], K)

    def many() -> None:
        simlib.nearest_many(state["frame"], "embedding", queries, K)

    def evaluate() -> None:
        frame = state["frame"]
        simlib.precision_at_k(frame.head(200), "embedding", k=K, gallery_df=frame)

    functions = (embed, save, load, query, query, many, evaluate)

    def run() -> np.ndarray:
        measured = []
        for function in functions:
            forget_peak()
            start = time.perf_counter()
            function()
            measured.append((time.perf_counter() - start, peak_bytes()))
        return np.array(measured)

    run.keep = work  # the folder lives as long as the function
    return run


def slope(sizes: list[int], values: list[float]) -> float:
    """Return the exponent of growth between the two largest sizes; 1 is linear."""
    return float(np.log(values[-1] / values[-2]) / np.log(sizes[-1] / sizes[-2]))
