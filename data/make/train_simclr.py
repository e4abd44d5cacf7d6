"""Train the compact SimCLR weights in stages, and measure each.

    python -m pip install -r data/make/requirements.txt
    python data/make/train_simclr.py photos --photos PHOTOS --work runs
    python data/make/train_simclr.py mixed --photos PHOTOS --work runs --install

PHOTOS is the clothing data set, with ``train/`` and ``validation/`` (``data/README.md`` says how to
get it). Each stage is one call of :func:`simlib.training.train`; a stage that was killed resumes
when the same command is given again. ``--install`` copies the stage's weights, and the curve of all
stages that led to them, to ``data/models``. Labels (the names of the folders) are used only to
measure, and the validation photos are never trained on. The drawings come from the training stream,
which shares no random numbers with the sample.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
from pathlib import Path

# OpenMP threads sleep while they wait instead of spinning, which on a busy machine saves much time.
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
    """Photos, decoded and prepared once, with the names of their folders as labels."""

    def __init__(self, folder: Path) -> None:
        self.paths = find_pictures(folder)
        self.labels = np.array([path.parent.name for path in self.paths])
        self.prepared = np.stack([resize_and_normalise(load_image(path)) for path in self.paths])

    def embed(self, encoder: SimclrEncoder) -> np.ndarray:
        """Return the embeddings, scaled to length 1, float32 ``(n, 512)``."""
        parts = np.array_split(self.prepared, -(-len(self.prepared) // 128))
        embeddings = np.concatenate([encoder.encode_prepared(part) for part in parts])
        return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def precision_at_5(
    queries: np.ndarray, labels: np.ndarray, gallery: np.ndarray, gallery_labels: np.ndarray
) -> float:
    """Return the share of each query's 5 nearest that have its label, averaged over the queries.

    Where ``queries`` is ``gallery``, a picture is not its own neighbour.
    """
    similarity = queries @ gallery.T
    if queries is gallery:
        np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :5]
    return float((gallery_labels[nearest] == labels[:, None]).mean())


def measure(encoder: SimclrEncoder, training: Photos, validation: Photos) -> dict[str, float]:
    """Return precision@5 of the validation photos among training photos and among themselves."""
    queries, gallery = validation.embed(encoder), training.embed(encoder)
    among_training = precision_at_5(queries, validation.labels, gallery, training.labels)
    among_themselves = precision_at_5(queries, validation.labels, queries, validation.labels)
    return {
        "precision_at_5": round(among_training, 4),
        "precision_at_5_within_validation": round(among_themselves, 4),
    }


def draw(count: int, folder: Path) -> list[Path]:
    """Return the paths of ``count`` drawings in ``folder``; they are drawn if any is missing."""
    paths = [folder / f"{number:05}.png" for number in range(count)]
    if all(path.exists() for path in paths):
        return paths
    from drawing import drawings

    folder.mkdir(parents=True, exist_ok=True)
    for path, drawing in zip(paths, drawings(count, seed=0), strict=True):
        drawing.image.save(path)
    return paths


def lineage(stage: str) -> list[str]:
    """Return the stages that lead to ``stage``, the earliest first.

    >>> lineage("mixed")
    ['photos', 'mixed']
    """
    start = STAGES[stage].get("start_from")
    return ([] if start is None else lineage(start)) + [stage]


def install(stage: str, work: Path) -> None:
    """Make a stage's weights the compact ones, and save the curve of its lineage beside them."""
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
    print(f'COMPACT_SHA256 = "{sha256_of(COMPACT_PATH)}"  # for simlib/networks/simclr_resnet.py')


def main() -> None:
    """Train one stage and print its precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--photos", type=Path, required=True, help="holds train/ and validation/")
    parser.add_argument("--work", type=Path, required=True, help="folder for runs and drawings")
    parser.add_argument("--every", type=int, default=10, help="epochs between measurements")
    parser.add_argument("--precision", default="bf16", help="bf16, or 32 where it is faster")
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
