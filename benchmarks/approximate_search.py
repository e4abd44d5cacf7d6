"""Approximate search: recall@10 against exact search, and queries per second.

    python benchmarks/approximate_search.py PHOTOS                    # 10,000 and 100,000
    python benchmarks/approximate_search.py PHOTOS --sizes 1000000    # an hour, 8 GB of memory
    python benchmarks/approximate_search.py PHOTOS --milvus           # the points of Milvus Lite

PHOTOS is the clothing data set, with ``train/`` and ``validation/``; ``data/README.md`` says how to
get it. All figures are added to ``benchmarks/results/approximate_search.csv``, where they replace
older ones of the same setting, and plotted next to it.

**The vectors.** There are 3,068 training photos, but up to 1,000,000 vectors are searched. Uniform
random vectors would not do: they have no neighbourhoods, and every method does badly on them. So
each vector is made of real embeddings only: that of a photo, moved a random fraction of the way to
one of its 10 nearest neighbours, plus half the difference of two other neighbours. This keeps the
directions in which real photos differ. The queries are the embeddings of the 341 validation photos,
which take no part in it.

**The engine** is faiss, on one core, one query at a time: HNSW and IVF_PQ in Milvus use the same
algorithms, and here they are measured without a network in between. Queries per second are computed
from the median latency, which other load disturbs least. ``IVF_PQ+`` re-ranks the best 100 by their
full vectors. Build time is CPU time.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
import pandas as pd

import simlib

RESULTS = Path(__file__).parent / "results" / "approximate_search.csv"
KEY = ["engine", "index", "vectors", "dim", "setting"]
K = 10
SECONDS = 2
"""The minimum time for which each setting is measured, after a warm-up."""


# The vectors


def embed_photos(photos: Path, work: Path) -> list[np.ndarray]:
    """Return the embeddings of training and validation photos, float32, scaled to length 1."""
    parts = []
    for part in ("train", "validation"):
        path = work / f"{part}.npy"
        if not path.exists():
            encoder = simlib.load_encoder("clip")
            frame = simlib.embed(simlib.load_catalogue(photos / part), encoder)
            rows = simlib.embedding_matrix(frame.dropna(subset=encoder.column), encoder.column)
            np.save(path, rows / np.linalg.norm(rows, axis=1, keepdims=True))
        parts.append(np.load(path))
    return parts


def bootstrap(real: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return ``(count, dim)`` vectors of length 1 made of real ones; see the module docstring."""
    rng = np.random.default_rng(seed)
    neighbours = np.argsort(-(real @ real.T), axis=1)[:, 1:11]  # (n, 10)
    vectors = np.empty((count, real.shape[1]), dtype=np.float32)
    step = 50_000
    for start in range(0, count, step):
        size = min(step, count - start)
        one, other = rng.integers(0, len(real), (2, size))
        towards = neighbours[one, rng.integers(0, 10, size)]
        across = neighbours[other, rng.integers(0, 10, size)]
        share = rng.random((size, 1), dtype=np.float32)
        rows = real[one] + share * (real[towards] - real[one])
        rows += (real[across] - real[other]) / 2
        vectors[start : start + size] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


def describe_vectors(real: np.ndarray, vectors: np.ndarray, queries: np.ndarray) -> None:
    """Print how close the nearest neighbours are, among real photos and among made-up vectors."""
    for name, gallery in (("real photos", real), (f"{len(vectors):,} vectors", vectors)):
        similarity = (queries @ gallery[:200_000].T).max(axis=1)
        low, middle, high = np.quantile(similarity, [0.1, 0.5, 0.9])
        print(f"nearest of {name}: cosine {middle:.2f} ({low:.2f} to {high:.2f})", flush=True)


# The indexes


def build_flat(vectors: np.ndarray) -> faiss.Index:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def build_hnsw(vectors: np.ndarray) -> faiss.Index:
    index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 200
    index.add(vectors)
    return index


def build_ivf_pq(vectors: np.ndarray) -> faiss.Index:
    count, dim = vectors.shape
    lists = int(min(4 * count**0.5, count / 39))
    index = faiss.IndexIVFPQ(
        faiss.IndexFlatIP(dim), dim, lists, dim // 8, 8, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.min_points_per_centroid = 30
    sample = np.random.default_rng(1).permutation(count)[: max(50 * lists, 30_000)]
    index.train(vectors[np.sort(sample)])
    index.add(vectors)
    return index


BUILDERS = {"FLAT": build_flat, "HNSW": build_hnsw, "IVF_PQ": build_ivf_pq}


def built(name: str, vectors: np.ndarray, work: Path) -> tuple[faiss.Index, float]:
    """Return an index and its build time, read from the folder if it is there already."""
    path = work / f"{name}-{len(vectors)}.faiss"
    note = path.with_suffix(".json")
    if note.exists():
        return faiss.read_index(str(path)), json.loads(note.read_text())["build_seconds"]
    started = time.process_time()
    index = BUILDERS[name](vectors)
    seconds = time.process_time() - started
    faiss.write_index(index, str(path))
    note.write_text(json.dumps({"build_seconds": seconds}))
    print(f"{name} of {len(vectors):,}: {seconds:.0f} s to build", flush=True)
    return index, seconds


def settings_of(name: str, index: faiss.Index) -> Iterator[tuple[str, faiss.SearchParameters]]:
    if name == "FLAT":
        yield "", None
    if name == "HNSW":
        for ef in (10, 20, 40, 80, 160, 320, 640):
            yield f"ef={ef}", faiss.SearchParametersHNSW(efSearch=ef)
    if name == "IVF_PQ":
        for probes in (1, 2, 4, 8, 16, 32, 64, 128):
            if probes <= index.nlist:
                yield f"nprobe={probes}", faiss.SearchParametersIVF(nprobe=probes)


# Measuring


def measure(search: Callable[[np.ndarray], np.ndarray], queries: np.ndarray, exact: np.ndarray):
    """Return recall@10 and the latency of single queries."""
    found = [search(query[None]) for query in queries]  # also warms up
    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(found, exact, strict=True)])
    taken = []
    while sum(taken) < SECONDS or len(taken) < len(queries):
        query = queries[len(taken) % len(queries)][None]
        started = time.perf_counter()
        search(query)
        taken.append(time.perf_counter() - started)
    half, most = np.quantile(taken, [0.5, 0.99])
    return {
        "recall_at_10": round(float(recall), 4),
        "queries_a_second": round(1 / float(half), 1),
        "median_ms": round(1000 * float(half), 3),
        "p99_ms": round(1000 * float(most), 3),
    }


def ranked_again(index: faiss.Index, vectors: np.ndarray, parameters) -> Callable:
    """Return a search that re-ranks the best 100 by their full vectors."""

    def search(query: np.ndarray) -> np.ndarray:
        candidates = index.search(query, 100, params=parameters)[1][0]
        candidates = candidates[candidates >= 0]
        scores = vectors[candidates] @ query[0]
        return candidates[np.argsort(-scores)[:K]]

    return search


def measure_faiss(vectors: np.ndarray, queries: np.ndarray, work: Path) -> Iterator[dict]:
    faiss.omp_set_num_threads(1)
    flat, _ = built("FLAT", vectors, work)
    exact = flat.search(queries, K)[1]
    for name in BUILDERS:
        index, seconds = built(name, vectors, work)
        size = (work / f"{name}-{len(vectors)}.faiss").stat().st_size
        for setting, parameters in settings_of(name, index):

            def plain(query, index=index, parameters=parameters):
                return index.search(query, K, params=parameters)[1][0]

            rows = {"index": name, "setting": setting, "build_seconds": round(seconds, 1)}
            rows |= {"engine": "faiss", "bytes_a_vector": round(size / len(vectors), 1)}
            yield rows | measure(plain, queries, exact)
            if name == "IVF_PQ":
                again = ranked_again(index, vectors, parameters)
                yield rows | {"index": "IVF_PQ+"} | measure(again, queries, exact)
        del index


def measure_milvus(
    vectors: np.ndarray, queries: np.ndarray, uri: str, names: list[str]
) -> Iterator[dict]:
    """Measure the same through simlib, which includes the cost of the database."""
    exact = (queries @ vectors.T).argpartition(-K, axis=1)[:, -K:]
    frame = pd.DataFrame({"img_path": [f"{n}.jpg" for n in range(len(vectors))]})
    frame["made_up"] = list(vectors)
    engine = "Milvus server" if "://" in uri else "Milvus Lite"
    for name in names:
        started = time.perf_counter()
        with simlib.build_index(frame, "made_up", uri, index=name, name=f"by_{name}") as index:
            seconds = time.perf_counter() - started
            for setting in ({"ef": 20}, {"ef": 80}, {"ef": 320}) if name == "HNSW" else ({},):

                def search(query, index=index, setting=setting):
                    return index.search(query[0], K, search_params=setting)["index"].to_numpy()

                described = ", ".join(f"{key}={value}" for key, value in setting.items())
                rows = {"engine": engine, "index": name, "setting": described}
                rows |= {"build_seconds": round(seconds, 1)}
                yield rows | measure(search, queries, exact)


# Results


def note(rows: Iterator[dict], vectors: np.ndarray) -> None:
    """Append rows to the file; a newer figure replaces an older one of the same setting."""
    RESULTS.parent.mkdir(exist_ok=True)
    for row in rows:
        row |= {"vectors": len(vectors), "dim": vectors.shape[1], "processor": processor()}
        print(row, flush=True)
        table = pd.DataFrame([row])
        if RESULTS.exists():
            table = pd.concat([pd.read_csv(RESULTS, keep_default_na=False), table])
        table = table.drop_duplicates(KEY, keep="last")
        table.sort_values(["vectors", "engine"], kind="stable").to_csv(RESULTS, index=False)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def draw() -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    table = pd.read_csv(RESULTS, keep_default_na=False)
    sizes = sorted(table["vectors"].unique())
    figure, axes = plt.subplots(
        1, len(sizes), figsize=(4.2 * len(sizes), 3.8), sharex=True, sharey=True
    )
    colours = {"FLAT": "black", "HNSW": "tab:blue", "IVF_PQ": "tab:red", "IVF_PQ+": "tab:orange"}
    names = {"FLAT": "exact (FLAT)", "IVF_PQ+": "IVF_PQ, best 100 re-ranked"}
    for axis, size in zip(np.atleast_1d(axes), sizes, strict=True):
        part = table[table["vectors"] == size]
        for (engine, name), rows in part.groupby(["engine", "index"], sort=False):
            marker = {"faiss": "o", "Milvus Lite": "s"}.get(engine, "^")
            label = names.get(name, name) if engine == "faiss" else f"{engine}: {name}"
            filled = colours[name] if engine == "faiss" else "white"
            axis.plot(
                *(rows["queries_a_second"], rows["recall_at_10"]),
                marker=marker,
                color=colours[name],
                markerfacecolor=filled,
                linestyle="-" if engine == "faiss" else ":",
                label=label,
            )
        axis.set(xscale="log", title=f"{size:,} vectors", xlabel="queries a second")
        axis.grid(alpha=0.3)
    np.atleast_1d(axes)[0].set(ylabel="recall@10", ylim=(0, 1.02))
    np.atleast_1d(axes)[0].legend(fontsize=7, loc="lower left")
    figure.tight_layout()
    figure.savefig(RESULTS.with_suffix(".png"), dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--work", type=Path, help="a folder that keeps the indexes, to resume")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--milvus", nargs="?", const="", help="a server's address; else a file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = arguments.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        real, queries = embed_photos(arguments.photos, work)
        for size in arguments.sizes:
            vectors = bootstrap(real, size)
            describe_vectors(real, vectors, queries)
            if arguments.milvus is not None:
                uri = arguments.milvus or f"{folder}/index.db"
                note(measure_milvus(vectors, queries, uri, ["FLAT", "HNSW"]), vectors)
            elif arguments.build_only:
                faiss.omp_set_num_threads(1)
                for name in BUILDERS:
                    built(name, vectors, work)
            else:
                note(measure_faiss(vectors, queries, work), vectors)
    if RESULTS.exists():
        draw()


if __name__ == "__main__":
    main()
