"""Train the projections of the compact image-text model, and measure it on what it never saw.

    python data/make/train_clip.py --photos PHOTOS --scratch SCRATCH

writes ``data/models/clip.safetensors`` and ``data/models/clip_results.json``. PHOTOS is the
clothing data set, with ``train/`` and ``validation/`` (``data/README.md`` says how to get it); it
needs ``data/make/requirements.txt``. Both towers are frozen: their features are computed once, in
half an hour, and kept in SCRATCH; a training then takes about five minutes.

The loss is CLIP's (https://arxiv.org/abs/2103.00020), with every pair of a batch that is known to
match as a positive, and pairs of which nothing is known masked out. The pictures, none of them in
``data/sample`` or in ``validation/``:

* photos of ten classes of clothes, and of their kinds where they can be told (``photo_kinds.csv``:
  sandals, boots, …); captions from templates, synonyms and WordNet, with a colour where the middle
  of the picture has one;
* drawings (``data/make/drawing``) with their titles, in twelve colours;
* ImageNet's 1,000 classes: the classifier's own weight vector stands for a picture of each, and its
  names, hypernyms and gloss in WordNet are the captions.

Two members, trained from different seeds, become one network whose output is the mean of theirs. In
the end one vector is learned that is added to every picture: see :func:`settle`.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from clip_model import PATCHES_A_SIDE, Pictures, Projections, Recipe, Towers
from clip_views import AS_IT_IS, OF_DRAWINGS, OF_PHOTOS
from clip_words import CLASSES, COLOUR_NAMES, Captions, Concept, Labels, concepts
from measure_clip import measure
from safetensors.numpy import save
from torch import nn
from torch.nn import functional

from simlib.images import load_image
from simlib.storage.hashing import sha256_of

KINDS_OF_PHOTOS = Path(__file__).with_name("photo_kinds.csv")
MODELS = Path(__file__).resolve().parents[1] / "models"


def kinds_of(folder: Path) -> list[str]:
    """Return what kind each photo of :func:`photos_of` shows, "" where it could not be told."""
    with KINDS_OF_PHOTOS.open(encoding="utf-8", newline="") as file:
        told = {row["img_path"]: row["kind"] for row in csv.DictReader(file)}
    paths = [path.relative_to(folder.parent).as_posix() for path in photos_in(folder)]
    return [told.get(path, "") for path in paths]


def photos_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.jpg"))


def photos_of(folder: Path):
    """Yield each photo with ``(class, colour of the middle or "")``."""
    for path in photos_in(folder):
        picture = load_image(path)
        yield picture, (path.parent.name, colour_of_middle(picture))


def colour_of_middle(picture) -> str:
    """Return the colour of most pixels in the middle of a picture, or "" without a majority."""
    width, height = picture.size
    middle = picture.crop((width * 3 // 10, height * 3 // 10, width * 7 // 10, height * 7 // 10))
    hue, saturation, value = np.moveaxis(
        np.asarray(middle.resize((48, 48)).convert("HSV"), dtype=np.float32) / 255, 2, 0
    )
    hue = hue * 360
    edges = [(15, "red"), (42, "orange"), (68, "yellow"), (170, "green"), (255, "blue")]
    edges += [(290, "purple"), (345, "pink"), (361, "red")]
    names = np.select([hue < top for top, _ in edges], [name for _, name in edges], "red")
    names[(hue < 45) & (hue >= 10) & (value < 0.6)] = "brown"
    names[((hue < 15) | (hue > 330)) & (saturation < 0.5) & (value > 0.7)] = "pink"
    names[(hue < 50) & (hue >= 20) & (saturation < 0.4) & (value >= 0.6)] = "beige"
    names[saturation < 0.2] = "grey"
    names[(saturation < 0.18) & (value > 0.78)] = "white"
    names[(value < 0.25) | ((saturation < 0.3) & (value < 0.33))] = "black"
    found, counts = np.unique(names, return_counts=True)
    return str(found[counts.argmax()]) if counts.max() > 0.55 * names.size else ""


def drawings_of(count: int, seed: int):
    import drawing

    for one in drawing.drawings(count, seed=seed):
        yield one.image.convert("RGB"), (one.category, one.colour, one.title)


def class_pictures(towers: Towers, photos: Pictures, model: Projections, recipe: Recipe):
    """Return a feature vector for each ImageNet class, and how photos of one class differ.

    A linear classifier's weights are the inverse covariance times the class's mean (as in linear
    discriminant analysis); multiplied by the covariance, they are the mean again.
    """
    own_mean = np.stack([photos.features[photos.label == one].mean(0) for one in photos.label])
    residuals = photos.features - own_mean
    spread = model.spread.numpy()
    covariance = np.cov((residuals / spread).T)
    ridge = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
    covariance = (1 - recipe.shrinkage) * covariance + recipe.shrinkage * ridge
    means = ((towers.weight - towers.weight.mean(0)) * spread) @ covariance
    means *= recipe.class_scale * np.sqrt(means.shape[1]) / np.linalg.norm(means, axis=1)[:, None]
    return np.float32(model.mean.numpy() + means * spread), residuals


def train(
    towers: Towers,
    photos: Pictures,
    drawn: Pictures,
    labels: Labels,
    all_concepts: list[Concept],
    recipe: Recipe,
    banned: frozenset[str] = frozenset(),
) -> Projections:
    """Return the projections trained on these pictures and captions."""
    material = Material.of(towers, photos, drawn, labels, all_concepts, banned)
    members = [
        train_member(material, replace(recipe, seed=recipe.seed + place))
        for place in range(recipe.members)
    ]
    model = side_by_side(members, photos)
    settle(model, material)
    return model


@dataclass
class Material:
    """Pictures and captions, and what is computed from them once for all members."""

    towers: Towers
    photos: Pictures
    drawn: Pictures
    labels: Labels
    captions: Captions
    embedded: torch.Tensor  # float32 (captions, 384)
    class_texts: torch.Tensor  # float32 (1000, 384)
    photos_by_name: np.ndarray  # float32 (views, n, 384)
    drawn_by_name: np.ndarray

    @classmethod
    def of(
        cls,
        towers: Towers,
        photos: Pictures,
        drawn: Pictures,
        labels: Labels,
        all_concepts: list[Concept],
        banned: frozenset[str],
    ) -> Material:
        captions = Captions.of(all_concepts, labels)
        embedded = torch.from_numpy(towers.embed_texts(captions.texts))
        class_texts = towers.class_texts(banned)
        by_name = [
            np.stack([towers.by_name(view, class_texts) for view in some.views])
            for some in (photos, drawn)
        ]
        return cls(towers, photos, drawn, labels, captions, embedded, class_texts, *by_name)


def mostly_first(rng: np.random.Generator, views: np.ndarray, count: int) -> np.ndarray:
    """Return which view to take of each picture: mostly the first, as the model reads them."""
    view = rng.integers(2 * len(views), size=count)
    view[view >= len(views)] = 0
    return view


def side_by_side(members: list[Projections], photos: Pictures) -> Projections:
    """Return one network whose output, before it is scaled to length 1, is the members' mean."""
    one, n = members[0], len(members)
    units = {
        "hidden_units": n * one.recipe.hidden_units,
        "colour_units": n * one.recipe.colour_units,
    }
    model = Projections(one.towers, photos, one.class_texts, replace(one.recipe, **units))
    states = [member.state_dict() for member in members]
    joined = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        if name.startswith(("hidden.", "colour.")):
            joined[name] = torch.cat(tensors)
        elif name in ("image.weight", "from_colour.weight"):
            joined[name] = torch.cat(tensors, dim=1) / n
        else:
            joined[name] = sum(tensors) / n
    model.load_state_dict(joined)
    return model.eval()


def settle(model: Projections, material: Material) -> None:
    """Learn one vector that is added to every picture, by classifying the photos.

    For a given text it adds nearly the same to all scores, so that the ranking of pictures hardly
    changes, even for unknown texts; but among several texts the right one is nearest more often. A
    class is represented by one of the captions that fit no other class.
    """
    recipe, photos, captions = model.recipe, material.photos, material.captions
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    fits = captions.truth[captions.concept] == 1  # (captions, labels)
    classes = np.unique(photos.label)
    alone = fits[:, classes].sum(1) == 1
    chances = {}
    for label in classes:
        weight = captions.weight * (fits[:, label] & alone & (captions.colour < 0))
        chances[label] = weight / weight.sum()
    read = photos.views, material.photos_by_name
    added = nn.Parameter(torch.zeros_like(model.image.bias))
    optimiser = torch.optim.Adam([added], lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0.05, recipe.settling_steps)
    model.train()
    for _ in range(recipe.settling_steps):
        picked = rng.integers(len(photos.label), size=256)
        view = mostly_first(rng, photos.views, 256)
        said = [rng.choice(len(chances[label]), p=chances[label]) for label in classes]
        with torch.no_grad():
            tokens = model.towers.tokens(torch.from_numpy(photos.patches[view, picked]))
            seen = [torch.from_numpy(one[view, picked]) for one in read]
            pictures = sum(model.parts(*seen, tokens, recipe.dropout))  # (256, 384)
            texts = model.texts(material.embedded[said])  # (classes, 384)
        scores = model.log_scale.exp().detach() * functional.normalize(pictures + added) @ texts.T
        wanted = torch.from_numpy(np.searchsorted(classes, photos.label[picked]))
        optimiser.zero_grad()
        functional.cross_entropy(scores, wanted).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        model.image.bias += added
    model.eval()


def train_member(material: Material, recipe: Recipe) -> Projections:
    """Return the projections after one training."""
    towers, photos, drawn = material.towers, material.photos, material.drawn
    labels, captions, embedded = material.labels, material.captions, material.embedded
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    model = Projections(towers, photos, material.class_texts, recipe)
    class_means, residuals = class_pictures(towers, photos, model, recipe)
    by_name = material.photos_by_name, material.drawn_by_name
    names = material.class_texts.numpy()
    truth, sibling = torch.from_numpy(captions.truth), torch.from_numpy(captions.sibling)

    # The captions of each label without a colour, and of each label and colour.
    fits = captions.truth[captions.concept] == 1  # (captions, labels)
    plain, coloured = {}, {}
    for label in range(len(labels.names)):
        rows = np.flatnonzero(fits[:, label] & (captions.weight > 0) & (captions.colour < 0))
        if len(rows):
            sums = np.cumsum(captions.weight[rows])
            plain[label] = rows, sums / sums[-1]
        if label < labels.imagenet_start:
            for place in range(len(COLOUR_NAMES)):
                rows = np.flatnonzero(fits[:, label] & (captions.colour == place))
                sums = np.cumsum(captions.weight[rows] + 0.002)
                coloured[label, place] = rows, sums / sums[-1]
    rows_of = [
        {label: np.flatnonzero(some.label == label) for label in set(some.label) & set(plain)}
        for some in (photos, drawn)
    ]
    imagenet = np.array([label for label in plain if label >= labels.imagenet_start])
    close = labels.is_product[imagenet - labels.imagenet_start]
    often = np.where(close, recipe.clothing_share / close.sum(), 0)
    often += (1 - recipe.clothing_share) / len(close)
    counts = [round(recipe.batch * share) for share in recipe.shares]

    decayed = [model.hidden.weight, model.image.weight]
    colours = [*model.colour.parameters(), *model.from_colour.parameters()]
    taken = {id(one) for one in decayed + colours}
    others = [one for one in model.parameters() if id(one) not in taken]
    optimiser = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": colours},
            {"params": others},
        ],
        weight_decay=0.0,
    )
    rate = recipe.learning_rate
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [rate, 3 * rate, rate], total_steps=recipe.steps, pct_start=0.1
    )
    identity = torch.eye(len(model.text.weight))

    def choose(table, key):
        rows, sums = table[key]
        return rows[min(np.searchsorted(sums, rng.random()), len(rows) - 1)]

    for _ in range(recipe.steps):
        batch = []
        for some, named, rows, count in zip(
            (photos, drawn), by_name, rows_of, counts, strict=False
        ):
            sizes = np.array([len(own) for own in rows.values()]) ** (1 - recipe.evenness)
            shown = rng.choice(list(rows), count, p=sizes / sizes.sum())
            picked = [rng.choice(rows[label]) for label in shown]
            view = mostly_first(rng, some.views, count)
            tint = np.where(some.in_colour[view], some.colour[picked], -1)
            batch.append(
                (
                    *(some.views[view, picked], named[view, picked]),
                    *(some.patches[view, picked], some.kind[picked], tint),
                )
            )
        chosen = rng.choice(imagenet, counts[2], p=often) - labels.imagenet_start
        noise = recipe.noise * residuals[rng.integers(len(residuals), size=counts[2])]
        borrowed = photos.patches[0, rng.integers(len(photos.label), size=counts[2])]
        label, colour = chosen + labels.imagenet_start, np.full(counts[2], -1)
        batch.append((class_means[chosen] + noise, names[chosen], borrowed, label, colour))
        features, named, patches, label, colour = (
            np.concatenate(part) for part in zip(*batch, strict=True)
        )
        texts = np.array(
            [
                choose(coloured, (one, tint))
                if tint >= 0 and rng.random() < recipe.coloured
                else choose(plain, one)
                for one, tint in zip(label, colour, strict=True)
            ]
        )
        fit = truth[captions.concept[texts]][:, label].T  # (pictures, captions)
        tint, said = torch.from_numpy(colour)[:, None], torch.from_numpy(captions.colour[texts])
        same = (said < 0) | (said == tint)
        positive = (fit == 1) & same
        told = (said >= 0) & (tint >= 0)
        unknown = (fit == -1) & ~(told & ~same) | (fit == 1) & (said >= 0) & (tint < 0)
        spared = torch.from_numpy(rng.random(unknown.shape) >= recipe.kinds_apart)
        unknown |= sibling[captions.concept[texts]][:, label].T & spared
        own = torch.eye(len(label), dtype=torch.bool)
        positive, unknown = positive | own, unknown & ~own
        some_patches = rng.choice(PATCHES_A_SIDE**2, 36, replace=False)
        tokens = towers.tokens(torch.from_numpy(patches), some_patches)
        by, learned, from_colour = model.parts(
            torch.from_numpy(features), torch.from_numpy(named), tokens, recipe.dropout
        )
        images = functional.normalize(by + learned + from_colour, dim=1)
        scores = model.log_scale.exp().clamp(max=30) * images @ model.texts(embedded[texts]).T
        scores = scores.masked_fill(unknown, -1e4)
        wanted = positive.float()
        loss = 0.0
        for axis in (0, 1):
            log_share = functional.log_softmax(scores, axis)
            loss = loss - ((wanted * log_share).sum(axis) / wanted.sum(axis)).mean() / 2
        identity_gap = ((model.text.weight - identity) ** 2).sum() / len(identity)
        optimiser.zero_grad()
        (loss + recipe.pull_to_identity * identity_gap).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="with train/ and validation/")
    parser.add_argument("--scratch", type=Path, required=True, help="where features are kept")
    parser.add_argument("--turns", type=int, default=3, help="drawings of each kind and colour")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    import drawing

    kinds = {name: set(kind.fitting_labels) for name, kind in drawing.KINDS.items()}
    labels = Labels(kinds)
    towers = Towers(arguments.scratch, labels)

    def read_photos(part: str) -> Pictures:
        views = OF_PHOTOS if part == "train" else AS_IT_IS
        found = towers.read(part, lambda: photos_of(arguments.photos / part), views)
        colour = [COLOUR_NAMES.index(one) if one else -1 for one in found["facts"][:, 1]]
        label = [CLASSES.index(name) for name in found["facts"][:, 0]]
        kinds = kinds_of(arguments.photos / part)
        kind = [
            labels.names.index(kind) if kind else one
            for kind, one in zip(kinds, label, strict=True)
        ]
        return Pictures.of(found, label, colour, kind)

    def drawings_in(name: str, turns: int, seed: int, views: list) -> Pictures:
        count = turns * len(kinds) * len(drawing.COLOURS)
        found = towers.read(name, lambda: drawings_of(count, seed), views)
        label = [labels.kind_start + labels.kinds.index(kind) for kind in found["facts"][:, 0]]
        colour = [COLOUR_NAMES.index(tint) for tint in found["facts"][:, 1]]
        return Pictures.of(found, label, colour)

    photos, validation = read_photos("train"), read_photos("validation")
    drawn = drawings_in("drawings", arguments.turns, 1, OF_DRAWINGS)
    test_drawn = drawings_in("test-drawings", 1, 901, AS_IT_IS)
    recipe = Recipe()
    model = train(towers, photos, drawn, labels, concepts(labels), recipe)
    MODELS.mkdir(exist_ok=True)
    path = MODELS / "clip.safetensors"
    # Not save_file, whose files nobody else may read.
    path.write_bytes(save(model.shipped(), metadata={"made_by": "data/make/train_clip.py"}))
    print(f"{sha256_of(path)}: python data/make/pin.py puts it into the source", flush=True)
    figures = measure(
        *(towers, photos, drawn, validation, test_drawn, labels, model),
        train=lambda some, drawings, texts, banned=frozenset(): train(
            towers, some, drawings, labels, texts, recipe, banned
        ),
    )
    results = {"sha256": sha256_of(path), "recipe": recipe.__dict__, "figures": figures}
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (MODELS / "clip_results.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
