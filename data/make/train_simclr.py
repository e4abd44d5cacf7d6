"""Train the compact SimCLR weights, stage by stage, and say how good they are.

    python -m pip install -r data/make/requirements.txt
    python data/make/train_simclr.py photos --photos ../shared/photos --work runs
    python data/make/train_simclr.py mixed --photos ../shared/photos --work runs --install

Each stage is one call of :func:`simlib.training.simclr.train`; one that was killed goes on when the
same command is given again. ``--install`` copies the stage's weights, and the curve of all stages
that led to them, to data/models. The labels (the folders' names) serve to measure and for nothing
else, and the validation photos are never trained on. The drawings are of the stream that the
embedded catalogue is not drawn from.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import sys
from pathlib import Path

# Threads that wait for each other without spinning: a busy machine then costs far less time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch is loaded

import numpy as np

from simlib.encoders.simclr import SimclrEncoder
from simlib.images import load_image
from simlib.listing import find_pictures
from simlib.networks.simclr_resnet import COMPACT_PATH, resize_and_normalise
from simlib.storage.hashing import sha256_of
from simlib.training.simclr import train

MODELS = COMPACT_PATH.parent
CURVE = MODELS / "simclr_curve.csv"

COMMON = dict(
    batch_size=128, temperature=0.2, view_side=48, smallest_crop=0.25, colour_strength=0.7,
    averaging=0.995, seed=1,
)  # fmt: skip
STAGES: dict[str, dict] = {
    "photos": COMMON | dict(epochs=60, learning_rate=1e-3),
    "mixed": COMMON | dict(
        start_from="photos", drawings=1152, epochs=14, learning_rate=7e-4, warmup_epochs=1
    ),
}  # fmt: skip


class Photos:
    """The photos as the encoder reads them, decoded once, with the names of their folders."""

    def __init__(self, folder: Path) -> None:
        self.paths = find_pictures(folder)
        self.labels = np.array([path.parent.name for path in self.paths])
        self.prepared = np.stack([resize_and_normalise(load_image(path)) for path in self.paths])

    def embed(self, encoder: SimclrEncoder) -> np.ndarray:
        """Return the embeddings at length 1, float32 ``(n, 512)``."""
        parts = np.array_split(self.prepared, -(-len(self.prepared) // 128))
        embeddings = np.concatenate([encoder.encode_prepared(part) for part in parts])
        return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def precision_at_5(
    queries: np.ndarray, labels: np.ndarray, gallery: np.ndarray, gallery_labels: np.ndarray
) -> float:
    """Return how many of each query's 5 nearest share its label, on average over the queries.

    Where queries and gallery are the same array, a picture is not its own neighbour.
    """
    similarity = queries @ gallery.T
    if queries is gallery:
        np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :5]
    return float((gallery_labels[nearest] == labels[:, None]).mean())


def measure(encoder: SimclrEncoder, training: Photos, validation: Photos) -> dict[str, float]:
    """Return both figures: validation photos among training photos, and among themselves."""
    queries, gallery = validation.embed(encoder), training.embed(encoder)
    among_training = precision_at_5(queries, validation.labels, gallery, training.labels)
    among_themselves = precision_at_5(queries, validation.labels, queries, validation.labels)
    return {
        "precision_at_5": round(among_training, 4),
        "precision_at_5_within_validation": round(among_themselves, 4),
    }


def draw(count: int, folder: Path) -> list[Path]:
    """Return ``count`` drawn products in ``folder``, drawing those that are not there yet."""
    paths = [folder / f"{number:05}.png" for number in range(count)]
    if all(path.exists() for path in paths):
        return paths
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from drawing import drawings

    folder.mkdir(parents=True, exist_ok=True)
    for path, drawing in zip(paths, drawings(count, seed=0), strict=True):
        drawing.image.save(path)
    return paths


def lineage(stage: str) -> list[str]:
    """Return the stages that lead to ``stage``, the first one first.

    >>> lineage("mixed")
    ['photos', 'mixed']
    """
    start = STAGES[stage].get("start_from")
    return ([] if start is None else lineage(start)) + [stage]


def install(stage: str, work: Path) -> None:
    """Make a stage's weights the compact ones, and put the curve of its lineage beside them."""
    MODELS.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(work / stage / "simclr.safetensors", COMPACT_PATH)
    rows = []
    for part in lineage(stage):
        with open(work / part / "curve.csv", newline="", encoding="utf-8") as file:
            rows += [{"stage": part} | row for row in csv.DictReader(file)]
    with open(CURVE, "w", newline="", encoding="utf-8") as file:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f'COMPACT_SHA256 = "{sha256_of(COMPACT_PATH)}"  # to be pinned in simclr.py')


def main() -> None:
    """Train one stage and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--photos", type=Path, required=True, help="holds train/ and validation/")
    parser.add_argument("--work", type=Path, required=True, help="takes the runs and the drawings")
    parser.add_argument("--every", type=int, default=10, help="epochs between two measurements")
    parser.add_argument("--precision", default="bf16", help="bf16, or 32 where that is faster")
    parser.add_argument("--install", action="store_true", help="make it the compact weights")
    arguments = parser.parse_args()

    training = Photos(arguments.photos / "train")
    validation = Photos(arguments.photos / "validation")
    settings = dict(STAGES[arguments.stage])
    start, count = settings.pop("start_from", None), settings.pop("drawings", 0)
    weights = train(
        training.paths + draw(count, arguments.work / "drawings"),
        arguments.work / arguments.stage,
        start_from=None if start is None else arguments.work / start / "last.ckpt",
        precision=arguments.precision,
        evaluate=lambda encoder: measure(encoder, training, validation),
        every=arguments.every,
        **settings,
    )
    print(arguments.stage, measure(SimclrEncoder(weights, device="cpu"), training, validation))
    if arguments.install:
        install(arguments.stage, arguments.work)


if __name__ == "__main__":
    main()
