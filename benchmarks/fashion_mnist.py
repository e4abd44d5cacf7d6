"""Fashion-MNIST as an external check: simlib's search against the authors' nearest neighbours.

    apt-get install dataset-fashion-mnist        # Debian and Ubuntu; or download the four files
    python benchmarks/fashion_mnist.py [FOLDER] [--queries N]

60,000 pictures are the gallery and 10,000 the queries (Xiao, Rasul and Vollgraf,
https://arxiv.org/abs/1708.07747). A query gets the class of most of its k nearest pictures. simlib
finds them by the cosine similarity of flattened pixels; scikit-learn finds them on the same pixels
by the same measure, by Euclidean (p=2) and by Manhattan distance (p=1), raw and standardised, so
that each difference from the authors' set-up is measured by itself. They use scikit-learn's
``KNeighborsClassifier`` on standardised pixels (``benchmark/runner.py`` in their repository,
https://github.com/zalandoresearch/fashion-mnist).
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.preprocessing import StandardScaler

from simlib.columns import Embeddings
from simlib.exact import top_k

FOLDER = Path("/usr/share/datasets/fashion-mnist")
NEIGHBOURS = (1, 5, 9)
MOST = max(NEIGHBOURS)
METRICS = {"1 - cosine": "cosine", "p=2": "euclidean", "p=1": "manhattan"}
# From the authors' result page, http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/, as
# users quote it. It does not say for which version of the data: until 31 August 2017 some test
# pictures were also in the training set (https://github.com/zalandoresearch/fashion-mnist, issue
# 44), which helps the nearest neighbour most.
AUTHORS = {
    ("standardised", "p=1", 5, "distance"): 0.860,
    ("standardised", "p=2", 1, "uniform"): 0.847,
    ("standardised", "p=2", 1, "distance"): 0.847,
    ("standardised", "p=2", 5, "uniform"): 0.851,
}


def read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels, float32 ``(n, 784)`` in [0, 1], and classes, uint8 ``(n,)``."""
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    # The IDX format: a header of 16 bytes before pictures, of 8 before labels.
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28 * 28)
    return pixels.astype(np.float32) / 255, np.frombuffer(labels, np.uint8, offset=8)


def vote(classes: np.ndarray, distances: np.ndarray, weights: str) -> np.ndarray:
    """Return the class with the most votes, as KNeighborsClassifier counts them, ``(q,)``."""
    if weights == "distance":
        with np.errstate(divide="ignore"):
            votes = 1 / distances
        same = np.isinf(votes).any(axis=1)  # an equal picture decides alone
        votes[same] = np.isinf(votes[same])
    else:
        votes = np.ones_like(distances)
    counts = np.stack([(votes * (classes == name)).sum(axis=1) for name in range(10)], axis=1)
    return counts.argmax(axis=1)


def simlib_neighbours(queries: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frames = [pd.DataFrame({"pixels": list(rows)}) for rows in (queries, gallery)]
    places, similarities = top_k(*(Embeddings.of(frame, "pixels") for frame in frames), k=MOST)
    return places, 1 - similarities.astype(np.float64)


def sklearn_neighbours(
    queries: np.ndarray, gallery: np.ndarray, distance: str
) -> tuple[np.ndarray, np.ndarray]:
    search = NearestNeighbors(n_neighbors=MOST, algorithm="brute", metric=METRICS[distance])
    distances, places = search.fit(gallery).kneighbors(queries)
    return places, distances


def main(folder: Path, most_queries: int) -> None:
    gallery, gallery_classes = read(folder, "train")
    queries, classes = read(folder, "t10k")
    queries, classes = queries[:most_queries], classes[:most_queries]
    scaler = StandardScaler().fit(gallery)
    rows = {
        "raw": (queries, gallery),
        "standardised": (scaler.transform(queries), scaler.transform(gallery)),
    }

    print(f"{len(gallery):,} pictures as gallery, {len(queries):,} as queries\n")
    print("| searched by | pixels | distance | k | votes | accuracy | authors | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for searcher, pixels, distance in [
        ("simlib", "raw", "1 - cosine"),
        ("scikit-learn", "raw", "1 - cosine"),
        ("scikit-learn", "raw", "p=2"),
        ("scikit-learn", "raw", "p=1"),
        ("simlib", "standardised", "1 - cosine"),
        ("scikit-learn", "standardised", "p=2"),
        ("scikit-learn", "standardised", "p=1"),
    ]:
        started = time.perf_counter()
        if searcher == "simlib":
            places, distances = simlib_neighbours(*rows[pixels])
        else:
            places, distances = sklearn_neighbours(*rows[pixels], distance)
        seconds = time.perf_counter() - started
        for k in NEIGHBOURS:
            for weights in ("uniform", "distance"):
                given = vote(gallery_classes[places[:, :k]], distances[:, :k], weights)
                authors = AUTHORS.get((pixels, distance, k, weights), "")
                print(
                    f"| {searcher} | {pixels} | {distance} | {k} | {weights} | "
                    f"{(given == classes).mean():.4f} | {authors} | {seconds:.0f} |",
                    flush=True,
                )
    classifier = KNeighborsClassifier(5, weights="distance", algorithm="brute")
    expected = classifier.fit(gallery, gallery_classes).predict(queries[:500])
    places, distances = sklearn_neighbours(queries[:500], gallery, "p=2")
    given = vote(gallery_classes[places[:, :5]], distances[:, :5], "distance")
    print(f"\nOur count of votes agrees with KNeighborsClassifier's: {(given == expected).all()}")
    error = np.sqrt(0.85 * 0.15 / len(queries))
    print(f"The standard error of an accuracy of 0.85 on {len(queries):,} queries is {error:.4f}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--queries", type=int, default=10_000, help="fewer for a quick look")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(
            f"There is no folder {arguments.folder}. Install Debian's package "
            "dataset-fashion-mnist, or name the folder that holds train-images-idx3-ubyte.gz."
        )
    main(arguments.folder, arguments.queries)
