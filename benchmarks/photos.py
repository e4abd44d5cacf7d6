"""What the notebooks claim on drawings, measured on photos: benchmarks/results/photos.csv.

    python benchmarks/photos.py PHOTOS
    python benchmarks/photos.py PHOTOS --simclr RUNS     # trains SimCLR on the photos, too
    python benchmarks/photos.py PHOTOS --only adapt      # leaves the other rows as they are

PHOTOS is the clothing data set, with ``train/`` and ``validation/``; ``data/README.md`` says how to
get it. A row has what was measured, on which photos, the value, and its 95% interval (bootstrap
over queries; for words over labels). "gallery" says among which photos the queries, the 341
validation photos, look for others:

- ``new``: among each other. No network saw them in its training.
- ``tenths of train``: each tenth of the training photos among the other nine, which are learned
  from. (The settings of ``adapt`` were chosen on these photos, if by other splits.)
- ``seen``: among the 3,068 training photos. Our image-text network was trained on these *with*
  their classes, SimCLR on the same without; the classifier and pixels were not.

What :func:`simlib.adapt` learns from are training photos, so the queries are always new to it. The
settings of its default were chosen on training photos alone; its figures on the validation photos
were looked at three times, after a change each. Labels that were not seen: it learns
from eight classes, and photos of the other two are the queries, five pairs in turn.

The first line of the file names the settings and weights that made it; a test holds it to the code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

import simlib
from simlib.encoders.adapted import OFFSET
from simlib.encoders.simclr import SimclrEncoder
from simlib.measuring.comparison import text_precision_at_k
from simlib.measuring.evaluation import groups_of
from simlib.networks.simclr_resnet import COMPACT_PATH, build, third_stage
from simlib.training import adapting, train

RESULTS = Path(__file__).parent / "results" / "photos.csv"
K = 5
PIXELS = (64, 64)
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
LABELLED = (3, 10, 30, 100)  # pictures a label
DRAWS = 3  # of these pictures
HELD_OUT = (
    ("dress", "hat"), ("longsleeve", "skirt"), ("outwear", "shoes"), ("pants", "t-shirt"),
    ("shirt", "shorts"),
)  # fmt: skip
TRAINING = dict(
    learning_rate=3e-4, smallest_crop=0.25, colour_strength=0.7, averaging=0.98, precision="bf16",
)  # fmt: skip
RUNS = {"validation": 80, "train": 24}
"""SimCLR from our weights, without labels: on which photos, and for how many epochs.

On the validation photos themselves, as on a reader's own folder: new to the network, no label used.
And on the training photos, which our weights have seen already: are more epochs on them of use?
"""
CONSTANTS = (
    "WIDTH", "RIDGE", "SHARPNESS", "MOST_LANDMARKS", "HIDDEN", "LEARNED", "BATCH", "STEPS",
)  # fmt: skip
PARTS = {
    "networks": {"photos", "kind", "colour", "words", "change"},
    "adapt": {"adapt", "strength", "unseen"},
    "simclr": {"simclr"},
}
"""What can be measured by itself, and the topics of its rows."""
SETTINGS_OF = {"adapt": {"strengths", "labelled", "draws", "adapting"}, "simclr": {"training"}}
"""Which settings decide one part alone; the others decide all."""
ENCODERS = {
    "networks": ("towhee", "simclr", "clip"),
    "adapt": ("towhee", "simclr"),
    "simclr": ("simclr",),
}
"""Which networks a part reads; pixels are read in all of them."""
COLUMNS = ["topic", "what", "gallery", "measure", "value", "low", "high", "queries"]


def settings() -> dict:
    """Return what decides the figures: weights by their hash, settings by their value."""
    recipes = {
        "pixels": simlib.load_encoder("pixels", size=PIXELS).recipe,
        **{name: simlib.load_encoder(name).recipe for name in ("towhee", "simclr", "clip")},
    }
    return {
        "k": K,
        "strengths": list(STRENGTHS),
        "labelled": list(LABELLED),
        "draws": DRAWS,
        "training": TRAINING | {"epochs": RUNS},
        "adapting": {name: getattr(adapting, name) for name in CONSTANTS} | {"OFFSET": OFFSET},
        "recipes": {
            name: hashlib.sha256(recipe.encode()).hexdigest()[:16]
            for name, recipe in recipes.items()
        },
    }


def untrained() -> SimclrEncoder:
    """Return a ResNet-18 before any training, read in its third stage as SimCLR's compact one."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build("resnet18")
    encoder = SimclrEncoder.of_network(third_stage(network).eval(), 1024)
    encoder.name, encoder.column = "untrained", "untrained_embedding"
    return encoder


def whiten(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return rows whitened to 512 values by what is ``known``, as SimCLR's training does."""
    mean = known.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov((known - mean).T))
    scale = 1 / np.sqrt(variances.clip(0) + 0.3 * variances.mean())
    return (rows - mean) @ (directions * scale)[:, ::-1][:, :512]


class Table:
    """The rows of the result."""

    def __init__(self) -> None:
        self.rows: list[list] = []

    def add(self, topic: str, what: str, gallery: str, measure: str, values) -> None:
        values = np.asarray(values, dtype=np.float64)
        values = values[np.isfinite(values)]
        low, high = simlib.bootstrap_interval(values)
        figures = [round(float(figure), 4) for figure in (values.mean(), low, high)]
        self.rows.append([topic, what, gallery, measure, *figures, len(values)])
        print(*self.rows[-1], flush=True)


def precision(frame, gallery, matrix, other, label="category", k=K):
    """Return precision@5 of each query; vectors of queries and gallery are given as matrices."""
    frame = simlib.set_embeddings(frame, "measured", matrix)
    gallery = None if gallery is None else simlib.set_embeddings(gallery, "measured", other)
    return simlib.precision_at_k(frame, "measured", label, k, gallery, progress=False)


def strategies(table: Table, new_df, seen_df, encoders: dict) -> None:
    for name, encoder in encoders.items():
        for gallery, gallery_df in (("new", None), ("seen", seen_df)):
            found = simlib.evaluate(
                new_df, encoder.column, "category", K, gallery_df, progress=False
            ).set_index("measure")
            for measure in (f"precision@{K}", f"recall@{K}", "mAP@R"):
                row = found.loc[measure]
                figures = [round(float(row[part]), 4) for part in ("mean", "low", "high")]
                table.rows.append(["kind", name, gallery, measure, *figures, int(row["queries"])])
                print(*table.rows[-1], flush=True)


def colours(table: Table, new_df, encoders: dict) -> None:
    """Measure by the colour in the middle of a photo, as far as nobody has named it."""
    middles = []
    for path in new_df["img_path"]:
        picture = simlib.load_image(path)
        box = [side * share for share in (0.35, 0.65) for side in picture.size]
        middles.append(np.asarray(picture.crop(tuple(map(int, box)))).reshape(-1, 3).mean(axis=0))
    middles = np.array(middles)  # (n, 3), of 255
    for name, encoder in encoders.items():
        distances = []
        for place, label in enumerate(new_df.index):
            found = simlib.nearest(new_df, encoder.column, label, k=K)
            others = new_df.index.get_indexer(found["index"])
            distances.append(np.linalg.norm(middles[others] - middles[place], axis=1).mean())
        table.add("colour", name, "new", "difference in colour of the five nearest", distances)
    random = np.random.default_rng(0)
    pairs = np.linalg.norm(middles - middles[random.permutation(len(middles))], axis=1)
    table.add("colour", "chance", "new", "difference in colour of the five nearest", pairs)


def robustness(table: Table, new_df, encoders: dict) -> None:
    shaken = simlib.measure_robustness(new_df, encoders, pictures=96, k=K, progress=False)
    for row in shaken.itertuples():
        if row.pictures:
            figures = [round(float(row.kept), 4), None, None, int(row.pictures)]
            table.rows.append(["change", row.encoder, "new", f"kept, {row.change}", *figures])
            print(*table.rows[-1], flush=True)


def words(table: Table, new_df, encoder) -> None:
    for k in (K, 10):
        found = text_precision_at_k(new_df, encoder, "category", k)
        table.add("words", "clip", "new", f"text precision@{k}", found)


def draw(labels: np.ndarray, number: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    drawn = [
        random.permutation(np.flatnonzero(labels == one))[:number] for one in np.unique(labels)
    ]
    return np.sort(np.concatenate(drawn))


def adapting_to_labels(table: Table, new_df, seen_df, encoders: dict) -> None:
    labels = seen_df["category"].to_numpy(dtype=object)
    methods = [(name, "kernel") for name in ("pixels", "towhee", "simclr")]
    methods += [("towhee", method) for method in ("lda", "contrastive", "triplet")]
    matrices = {
        name: [simlib.embedding_matrix(df, encoders[name].column) for df in (new_df, seen_df)]
        for name in ("pixels", "towhee", "simclr")
    }

    def measure(adapted, name, gallery):
        new, seen = matrices[name]
        other = adapted.project(seen) if gallery == "seen" else None
        return precision(
            new_df, seen_df if gallery == "seen" else None, adapted.project(new), other
        )

    for name, method in methods:
        adapted = simlib.adapt(seen_df, encoders[name], method=method, progress=False)
        what = f"{name}, all labels" + ("" if method == "kernel" else f", {method}")
        for gallery in ("new", "seen"):
            table.add("adapt", what, gallery, f"precision@{K}", measure(adapted, name, gallery))
            if method != "kernel":
                alone = adapted.with_strength(1)
                table.add(
                    "adapt", f"{what} alone", gallery, f"precision@{K}",
                    measure(alone, name, gallery),
                )  # fmt: skip
        if (name, method) == ("towhee", "kernel"):
            for strength in STRENGTHS:
                other = adapted.with_strength(strength)
                for gallery in ("new", "seen"):
                    table.add(
                        "strength", f"{strength}", gallery, f"precision@{K}",
                        measure(other, name, gallery),
                    )  # fmt: skip
    for number in LABELLED:
        drawn = []
        for seed in range(DRAWS):
            some = seen_df.iloc[draw(labels, number, seed)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # few pictures a label: that is the question
                adapted = simlib.adapt(some, encoders["towhee"], progress=False)
            drawn.append({g: measure(adapted, "towhee", g) for g in ("new", "seen")})
        for gallery in ("new", "seen"):
            mean = np.mean([one[gallery] for one in drawn], axis=0)  # of each query, over the draws
            table.add("adapt", f"towhee, {number} a label", gallery, f"precision@{K}", mean)
    unseen(table, new_df, seen_df, encoders["towhee"], matrices["towhee"])


def among_training_photos(table: Table, seen_df, encoder) -> None:
    """Measure on each tenth of the training photos, learning from and searching in the rest."""
    matrix = simlib.embedding_matrix(seen_df, encoder.column)
    labels = seen_df["category"].to_numpy(dtype=object)
    duplicates = simlib.find_duplicates(seen_df, progress=False)
    groups = pd.factorize(groups_of(seen_df["img_path"], duplicates))[0]
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=0).split(matrix, labels, groups)
    scores: dict[str, list] = {}
    for known, new in folds:
        known_df, new_df = seen_df.iloc[known], seen_df.iloc[new]
        for method in ("kernel", "lda"):
            adapted = simlib.adapt(known_df, encoder, method=method, progress=False)
            for strength in (0.0, 0.5, 1.0):
                rows = [adapted.with_strength(strength).project(matrix[p]) for p in (new, known)]
                scored = precision(new_df, known_df, *rows)
                scores.setdefault(f"towhee, {method}, {strength}", []).append(scored)
    for what, parts in scores.items():
        table.add("adapt", what, "tenths of train", f"precision@{K}", np.concatenate(parts))


def unseen(table: Table, new_df, seen_df, encoder, matrices) -> None:
    new, seen = matrices
    before, after = {}, {strength: {} for strength in STRENGTHS}
    for pair in HELD_OUT:
        asked = new_df["category"].isin(pair).to_numpy()
        whole = simlib.adapt(seen_df[~seen_df["category"].isin(pair)], encoder, progress=False)
        old = precision(new_df[asked], seen_df, new[asked], seen)
        before[pair] = old
        for strength in STRENGTHS:
            adapted = whole.with_strength(strength)
            rows = adapted.project(new[asked]), adapted.project(seen)
            after[strength][pair] = precision(new_df[asked], seen_df, *rows)
    for strength in STRENGTHS:
        change = [after[strength][pair] - before[pair] for pair in HELD_OUT]
        table.add(
            "unseen", f"{strength}", "seen", f"change in precision@{K}", np.concatenate(change)
        )
        table.add(
            "unseen", f"{strength}, dress and hat", "seen", f"change in precision@{K}", change[0]
        )


def simclr_on_ones_own(table: Table, new_df, seen_df, runs: Path) -> None:
    """Measure our weights trained on: on the photos themselves, and on others like them."""
    for part, epochs in RUNS.items():
        weights = runs / f"simclr_{part}" / "simclr.safetensors"
        if not weights.exists():
            frame = new_df if part == "validation" else seen_df
            train(
                frame["img_path"], weights.parent, epochs=epochs, start_from=COMPACT_PATH,
                warmup_epochs=max(1, epochs // 10), every=max(1, epochs // 4), **TRAINING,
            )  # fmt: skip
        encoder = simlib.load_encoder("simclr", weights=weights)
        frame = simlib.embed(new_df[["img_path", "category"]], encoder, progress=False)
        values = simlib.precision_at_k(frame, encoder.column, progress=False)
        table.add("simclr", f"trained on, {part}, {epochs} epochs", "new", f"precision@{K}", values)


def kept(parts: set[str]) -> pd.DataFrame:
    """Return the rows of the table that these parts do not replace, if its settings still hold."""
    first = RESULTS.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    made_by, now = json.loads(first), json.loads(json.dumps(settings()))
    replaced = set().union(*(SETTINGS_OF.get(part, set()) for part in parts))
    of_others = {name for part in PARTS.keys() - parts for name in ENCODERS[part]}
    for one in (made_by, now):
        one["recipes"] = {n: one["recipes"].get(n) for n in ("pixels", *sorted(of_others))}
    changed = sorted(key for key in now.keys() - replaced if made_by.get(key) != now[key])
    if changed:
        raise SystemExit(f"{changed} changed since {RESULTS.name} was made: measure all parts.")
    table = pd.read_csv(RESULTS, comment="#")
    return table[~table["topic"].isin(set().union(*(PARTS[part] for part in parts)))]


def main(photos: Path, runs: Path | None, only: str | None) -> None:
    parts = {only} if only else set(PARTS) - ({"simclr"} if runs is None else set())
    others = kept(parts) if parts < set(PARTS) else None
    new_df = simlib.load_catalogue(photos / "validation")
    seen_df = simlib.load_catalogue(photos / "train")
    # No photo of the one part is in the other: near-duplicates are left out.
    both = pd.concat([new_df, seen_df], ignore_index=True)
    twice = simlib.find_duplicates(both, progress=False)
    known = set(new_df["img_path"])
    groups = twice[twice["img_path"].isin(known)]["group"]
    leave = set(twice[twice["group"].isin(groups) & ~twice["img_path"].isin(known)]["img_path"])
    seen_df = seen_df[~seen_df["img_path"].isin(leave)].reset_index(drop=True)

    read = {name for part in parts - {"simclr"} for name in ENCODERS[part]}  # which trains its own
    needed = [name for name in ENCODERS["networks"] if name in read]
    encoders = {
        "pixels": simlib.load_encoder("pixels", size=PIXELS),
        **{name: simlib.load_encoder(name) for name in needed},
    }
    for encoder in encoders.values():
        new_df = simlib.embed(new_df, encoder, progress=False)
        seen_df = simlib.embed(seen_df, encoder, progress=False)
    table = Table()
    if "networks" in parts:
        table.add("photos", "train, left out as copies of validation", "", "photos", [len(leave)])
        networks(table, new_df, seen_df, encoders)
    if "adapt" in parts:
        adapting_to_labels(table, new_df, seen_df, encoders)
        among_training_photos(table, seen_df, encoders["towhee"])
    if runs is not None:
        simclr_on_ones_own(table, new_df, seen_df, runs)
    frame = pd.DataFrame(table.rows, columns=COLUMNS)
    if others is not None:
        # Each topic where it was; one that is new comes last.
        order = {topic: at for at, topic in enumerate(pd.read_csv(RESULTS, comment="#")["topic"])}
        frame = pd.concat([frame, others], ignore_index=True)
        frame = frame.sort_values("topic", key=lambda topic: topic.map(order), kind="stable")
    with open(RESULTS, "w", encoding="utf-8", newline="\n") as file:
        file.write(f"# {json.dumps(settings())}\n")
        frame.to_csv(file, index=False, lineterminator="\n")


def networks(table: Table, new_df, seen_df, encoders: dict) -> None:
    """Measure the networks as they are, and an untrained one as the control."""
    control = untrained()
    new_df = simlib.embed(new_df, control, progress=False)
    seen_df = simlib.embed(seen_df, control, progress=False)
    seen, new = (simlib.embedding_matrix(frame, control.column) for frame in (seen_df, new_df))
    new_df = simlib.set_embeddings(new_df, control.column, whiten(new, seen))
    seen_df = simlib.set_embeddings(seen_df, control.column, whiten(seen, seen))
    five = encoders | {"untrained": control}
    shares = new_df["category"].map(new_df["category"].value_counts()) - 1
    table.add("kind", "chance", "new", f"precision@{K}", shares / (len(new_df) - 1))
    shares = new_df["category"].map(seen_df["category"].value_counts()) / len(seen_df)
    table.add("kind", "chance", "seen", f"precision@{K}", shares)
    strategies(table, new_df, seen_df, five)
    colours(table, new_df, five)
    words(table, new_df, encoders["clip"])
    robustness(table, new_df, encoders)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--simclr", type=Path, metavar="RUNS", help="where SimCLR's runs are kept")
    parser.add_argument("--only", choices=PARTS, help="measure one part, and keep the other rows")
    arguments = parser.parse_args()
    if arguments.only and (arguments.only == "simclr") != (arguments.simclr is not None):
        parser.error("--only simclr and --simclr RUNS belong together")
    main(arguments.photos, arguments.simclr, arguments.only)
