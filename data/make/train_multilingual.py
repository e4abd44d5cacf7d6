"""Train the layers that lay texts in many languages where the compact model has English ones.

    python data/make/train_multilingual.py --photos PHOTOS --scratch SCRATCH

writes ``data/models/clip_multilingual.safetensors`` and ``clip_multilingual_results.json``. It
needs the extra ``multilingual``; PHOTOS is the clothing data set (``data/README.md``), on which the
layers are measured: no photo takes part in the training.

The teacher is the compact model's text tower. What it makes of an English caption is what the
student, multilingual-e5-small and the layers after it, is to make of that caption and of its
translations (Reimers and Gurevych, https://arxiv.org/abs/2004.09813). The student's network is
frozen, so that its vectors are computed once, and words can be held out in turn. The layers are of
two kinds, whose outputs are added:

* wide ones, the first of random signs, the second learned by least squares with a penalty on its
  weights, for which there is a closed solution ("extreme learning machine": Huang et al.,
  https://doi.org/10.1016/j.neucom.2005.12.126);
* narrow ones, both learned by gradient descent, with dropout, and a linear one beside them.

Both aim at a vector of length 1, and fall short of it where they know little of a word; where they
disagree the sum is shorter still. So its length tells how well the model knows a text
(:mod:`simlib.fit`). The texts:

* in English, what the compact model was trained with: names of clothes in phrases and colours, the
  names of ImageNet's classes (``clip_words.py``);
* in six languages, Chinese in both scripts, the captions of ``translations.py``;
* for the narrow layers, the names of emoji in all of them (``emoji_names.py``).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from clip_words import (
    COLOURED,
    COLOURS,
    MORE_WORDS_FOR_KIND,
    PLAIN,
    WORDNET,
    in_batches,
    synonyms,
)
from english_or_not import learn, measure_doubt
from measure_multilingual import Gallery, measure
from safetensors.numpy import save
from torch import nn
from torch.nn import functional
from translations import LANGUAGES, captions, same_script

import simlib
from simlib.networks import clip_compact, clip_multilingual, e5_small
from simlib.networks.assembled import write_settings
from simlib.storage.hashing import sha256_of

MODELS = Path(__file__).resolve().parents[1] / "models"
NAME = "clip_multilingual"
EMOJI_NAMES = Path(__file__).with_name("emoji_names.csv")
EVERY = 40  # of the texts one, for the mean length of what layers give


@dataclass
class Recipe:
    """The settings of a training."""

    random_units: int = 8192
    steepness: float = 1.0  # the standard deviation of what the random units read
    offsets: float = 0.5  # and that of their biases
    ridge: float = 1e-2  # the penalty, as a share of the mean variance of a random unit
    learned_units: int = 1024  # of each member
    members: int = 2  # independent trainings by gradient descent, whose outputs are averaged
    input_dropout: float = 0.1
    dropout: float = 0.2  # of learned units
    steps: int = 920
    batch: int = 1024
    learning_rate: float = 2e-3  # at its highest, after a tenth of the steps
    weight_decay: float = 0.01
    emoji: float = 0.5  # the weight of the names of emoji in a language, whose captions have 1
    english: float = 1.0  # the weight of all English captions together; each language has 1
    per_colour: int = 5  # a word in English is said in every fifth colour
    seed: int = 0


@dataclass
class Texts:
    """Texts in any language, and in English what they mean."""

    texts: list[str]
    english: list[str]
    source: list[str]  # the language, "zh", or "emoji in zh"


def english_captions(per_colour: int) -> list[str]:
    """Return the English texts: those of clothes in phrases and colours, those of all else bare."""
    found: list[str] = []
    shades = [shade for shades in COLOURS.values() for shade in shades]
    words = synonyms()
    words += [word for name in MORE_WORDS_FOR_KIND for word in MORE_WORDS_FOR_KIND[name]]
    for place, word in enumerate(dict.fromkeys(words)):
        found += [form.format(word) for form in (*PLAIN[:3], *PLAIN[3 + place % 3 :: 3])]
        for step, shade in enumerate(shades[place % per_colour :: per_colour]):
            found.append(COLOURED[(place + step) % len(COLOURED)].format(word, c=shade))
    found += [form.format("thing", c=shade) for shade in shades for form in COLOURED[:3]]
    for of_class in WORDNET["classes"].values():
        found += [form.format(word) for word in of_class for form in (PLAIN[0], PLAIN[2])]
    for one in WORDNET["imagenet"]:
        found += one["words"] + [hypernym[0] for hypernym in one["above"]]
    return list(dict.fromkeys(text for text in found if text))


def captions_in_all(per_colour: int) -> Texts:
    """Return the English captions and the translations."""
    rows = [(text, text, "en") for text in english_captions(per_colour)]
    for language in LANGUAGES:
        rows += [(one.text, one.english, language) for one in captions(language)]
    return Texts(*map(list, zip(*rows, strict=True)))


def with_emoji(texts: Texts) -> Texts:
    """Return the texts and the names of emoji."""
    with EMOJI_NAMES.open(encoding="utf-8", newline="") as file:
        names = list(csv.DictReader(file))
    rows = [
        (name[language], name["en"], f"emoji in {language}")
        for language in ("en", *LANGUAGES)
        for name in names
        if name[language]
    ]
    more = map(list, zip(*rows, strict=True))
    both = zip((texts.texts, texts.english, texts.source), more, strict=True)
    return Texts(*(some + others for some, others in both))


class Embedded:
    """The vectors of texts from one tower, computed once and kept in a file."""

    def __init__(self, path: Path, encode: Callable[[list[str]], np.ndarray]) -> None:
        self._path, self._encode = path, encode
        self._known: dict[str, np.ndarray] = {}
        if path.exists():
            kept = np.load(path)
            self._known = dict(zip(kept["texts"].tolist(), kept["vectors"], strict=True))

    def __call__(self, texts: Iterable[str]) -> np.ndarray:
        """Return the vectors, float32 ``(n, 384)``."""
        texts = list(texts)
        missing = in_batches({text for text in texts if text not in self._known})
        if missing:
            self._known.update(zip(missing, self._encode(missing), strict=True))
            names, vectors = list(self._known), np.stack(list(self._known.values()))
            np.savez(self._path, texts=np.array(names), vectors=vectors)
        return np.stack([self._known[text] for text in texts])


class Trained:
    """The layers as the file keeps them."""

    def __init__(self, random: dict[str, np.ndarray], learned: dict[str, np.ndarray]) -> None:
        self.tensors = clip_multilingual.pack(random | learned)
        self._first, self._second = clip_multilingual.dense_layers(self.tensors)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, 384)``, of what the student makes of texts."""
        hidden = np.maximum(vectors @ self._first[0].T + self._first[1], 0)
        given = hidden @ self._second[0].T + self._second[1]
        return given / np.linalg.norm(given, axis=1, keepdims=True)


class RandomLayers:
    """Solves for the layer after a random one, with or without some of the texts.

    The sums over all texts are computed once; what is left out is subtracted.
    """

    def __init__(self, texts: Texts, student: Embedded, teacher: Embedded, recipe: Recipe) -> None:
        self.recipe = recipe
        read, wanted = student(texts.texts), teacher(texts.english)
        self._share = shares(texts, recipe)[:, None]
        mean = (self._share * read).sum(0)
        rng = np.random.default_rng(recipe.seed)
        spread = np.sqrt((self._share * (read - mean) ** 2).sum())
        signs = rng.choice([-1.0, 1.0], (recipe.random_units, read.shape[1]))  # a bit each
        weight = signs * recipe.steepness / spread
        self._weight = np.float32(weight)
        offsets = rng.standard_normal(recipe.random_units) * recipe.offsets
        self._bias = np.float32(offsets - weight @ mean)
        hidden = np.maximum(read @ self._weight.T + self._bias, 0)
        self._hidden_mean = (self._share * hidden).sum(0)
        self._wanted_mean = (self._share * wanted).sum(0)
        self._hidden, self._wanted = hidden - self._hidden_mean, wanted - self._wanted_mean
        self._sums = self._sums_of(slice(None))

    def _sums_of(self, rows) -> tuple[np.ndarray, np.ndarray]:
        weighted = (self._hidden[rows] * self._share[rows]).T
        return np.float64(weighted @ self._hidden[rows]), np.float64(weighted @ self._wanted[rows])

    def solve(self, left_out: np.ndarray) -> dict[str, np.ndarray]:
        """Return both layers, trained without some of the texts, bool ``(n,)``."""
        covariance, product = self._sums
        penalty = self.recipe.ridge * np.trace(covariance) / len(covariance)
        if left_out.any():
            less = self._sums_of(left_out)
            covariance, product = covariance - less[0], product - less[1]
        weight = np.linalg.solve(covariance + penalty * np.eye(len(covariance)), product).T
        bias = self._wanted_mean - weight @ self._hidden_mean
        outputs = (self._hidden + self._hidden_mean)[::EVERY] @ np.float32(weight).T + bias
        half = 0.5 / np.linalg.norm(outputs, axis=1).mean()  # of the sum, for both to weigh alike
        return {
            "random.weight": self._weight,
            "random.bias": self._bias,
            "from_random.weight": weight * half,
            "from_random.bias": bias * half,
        }


class LearnedLayers(nn.Module):
    """A hidden layer, and a linear one beside it."""

    def __init__(self, read: torch.Tensor, share: np.ndarray, recipe: Recipe) -> None:
        super().__init__()
        dim, weights = read.shape[1], torch.from_numpy(np.float32(share))[:, None]
        self.recipe = recipe
        self.mean = (weights * read).sum(0)
        self.spread = ((weights * (read - self.mean) ** 2).sum() / dim).sqrt()
        self.hidden = nn.Linear(dim, recipe.learned_units)
        self.text = nn.Linear(recipe.learned_units, dim, bias=False)
        self.linear = nn.Linear(dim, dim)
        with torch.no_grad():
            self.text.weight.mul_(0.5)
            self.linear.weight.mul_(0.3)

    def forward(self, read: torch.Tensor) -> torch.Tensor:
        standard = (read - self.mean) / self.spread  # (n, 384)
        standard = functional.dropout(standard, self.recipe.input_dropout, self.training)
        hidden = functional.relu(self.hidden(standard))
        hidden = functional.dropout(hidden, self.recipe.dropout, self.training)
        return self.linear(standard) + self.text(hidden)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights for values that are neither shifted nor scaled."""
        hidden, linear = self.hidden.weight / self.spread, self.linear.weight / self.spread
        return {
            "learned.weight": hidden,
            "learned.bias": self.hidden.bias - hidden @ self.mean,
            "from_learned.weight": self.text.weight,
            "linear.weight": linear,
            "linear.bias": self.linear.bias - linear @ self.mean,
        }


def train_member(
    read: torch.Tensor, wanted: torch.Tensor, share: np.ndarray, recipe: Recipe, seed: int
) -> LearnedLayers:
    """Return the learned layers after one training; ``share`` is how often each text is drawn."""
    torch.manual_seed(seed)
    rng, sums = np.random.default_rng(seed), np.cumsum(share)
    layers = LearnedLayers(read, share, recipe)
    optimiser = torch.optim.AdamW(layers.parameters(), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1
    )
    for _ in range(recipe.steps):
        drawn = np.searchsorted(sums, rng.random(recipe.batch) * sums[-1], side="right")
        rows = torch.from_numpy(np.minimum(drawn, len(sums) - 1))
        with torch.autocast("cpu", torch.bfloat16):  # in half of the time
            given = layers(read[rows])
        loss = ((given.float() - wanted[rows]) ** 2).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return layers.eval()


def side_by_side(members: list[LearnedLayers], read: torch.Tensor) -> dict[str, np.ndarray]:
    """Return the members as one network: half of their mean, over its mean length."""
    with torch.no_grad():
        outputs = sum(member(read[::EVERY]) for member in members)
        half = 0.5 / outputs.norm(dim=1).mean()
        parts = [member.tensors() for member in members]
        joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        across = torch.cat([part["from_learned.weight"] for part in parts], dim=1)
        joined["from_learned.weight"] = half * across
        for name in ("linear.weight", "linear.bias"):
            joined[name] = half * sum(part[name] for part in parts)
    return {name: tensor.numpy() for name, tensor in joined.items()}


class Trainer:
    """Trains the layers of both kinds, with or without some of the texts."""

    def __init__(self, texts: Texts, student: Embedded, teacher: Embedded, recipe: Recipe) -> None:
        self.recipe, self._captions = recipe, len(texts.texts)
        self._random = RandomLayers(texts, student, teacher, recipe)
        every = with_emoji(texts)
        self._scripts = [same_script(text) for text in every.texts]
        self._share = shares(every, recipe)
        self._read = torch.from_numpy(student(every.texts))  # (n, 384)
        self._wanted = torch.from_numpy(teacher(every.english))

    def layers(self, without: Iterable[str] = ()) -> Trained:
        """Return layers that were trained without the texts that contain one of some words."""
        banned = [same_script(word) for word in without]
        left_out = np.array([any(word in text for word in banned) for text in self._scripts])
        share = np.where(left_out, 0, self._share)
        share /= share.sum()
        seeds = range(self.recipe.seed, self.recipe.seed + self.recipe.members)
        given = self._read, self._wanted, share, self.recipe
        learned = side_by_side([train_member(*given, seed) for seed in seeds], self._read)
        return Trained(self._random.solve(left_out[: self._captions]), learned)


def shares(texts: Texts, recipe: Recipe) -> np.ndarray:
    """Return the weight of each text, 1 in sum: the languages weigh the same, but for English."""
    source, share = np.array(texts.source), np.zeros(len(texts.texts), dtype=np.float32)
    weights = {"en": recipe.english}
    for one in dict.fromkeys(texts.source):
        mine = source == one
        share[mine] = weights.get(one, recipe.emoji if "emoji" in one else 1.0) / mine.sum()
    return share / share.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="with train/ and validation/")
    parser.add_argument("--scratch", type=Path, required=True, help="where vectors are kept")
    parser.add_argument(
        "--part", default="validation", help="the photos to measure on; train to choose settings"
    )
    arguments = parser.parse_args()
    scratch = arguments.scratch
    scratch.mkdir(parents=True, exist_ok=True)

    compact = simlib.load_encoder("clip", device="cpu")
    read = {
        "student": Reader(lambda: student_folder(scratch / "student")),
        "teacher": Reader(clip_compact.compact_folder),
    }
    # What is trained on is read in half the precision, in a fraction of the time.
    student, teacher = (
        Embedded(scratch / f"{name}.npz", partial(read[name], quick=True)) for name in read
    )
    exact_student, exact_teacher = (
        Embedded(scratch / f"{name}-exact.npz", read[name]) for name in read
    )
    recipe = Recipe()
    trainer = Trainer(captions_in_all(recipe.per_colour), student, teacher, recipe)
    layers = trainer.layers()
    plane, offset = learn(teacher)
    if arguments.part == "validation":
        path = MODELS / f"{NAME}.safetensors"
        shipped = layers.tensors | {
            "english.weight": plane,
            "english.offset": np.float32([offset]),
        }
        # Not save_file, whose files nobody else may read.
        path.write_bytes(save(shipped, metadata={"made_by": "data/make/train_multilingual.py"}))
        print(f"{sha256_of(path)}: python data/make/pin.py puts it into the source", flush=True)

    def without(words: set[str]) -> Callable[[list[str]], np.ndarray]:
        some = trainer.layers(words)
        return lambda queries: some(exact_student(queries))

    figures = measure(
        gallery_of(simlib.load_catalogue(arguments.photos / arguments.part), compact),
        gallery_of(simlib.load_catalogue("sample"), compact),
        compact=exact_teacher,
        multilingual=lambda queries: layers(exact_student(queries)),
        without=without,
    )
    figures["taken for not English"] = measure_doubt(exact_teacher, teacher, plane, offset)
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    if arguments.part == "validation":
        results = {"sha256": sha256_of(path), "recipe": asdict(recipe), "figures": figures}
        text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
        (MODELS / f"{NAME}_results.json").write_text(text, encoding="utf-8")


class Reader:
    """Embeds texts with a model in a folder, which is opened when it is first needed."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder, self._model = folder, None

    def __call__(self, texts: list[str], quick: bool = False) -> np.ndarray:
        if self._model is None:
            from sentence_transformers import SentenceTransformer

            folder = str(self._folder())
            self._model = SentenceTransformer(folder, device="cpu", local_files_only=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=quick):
            found = self._model.encode([{"text": text} for text in texts], batch_size=128)
        return np.float32(found)


def student_folder(folder: Path) -> Path:
    """Write the student without a layer as a sentence-transformers folder."""
    network = e5_small.read_weights(e5_small.weights_path())
    every = clip_multilingual.SETTINGS
    settings = {name: every[name] for name in every if name[0] not in "345"}  # what comes after it
    write_settings(folder, settings | {"modules.json": every["modules.json"][:3]})
    clip_multilingual.write_tower(folder, network)
    return folder


def gallery_of(image_df, encoder) -> Gallery:
    image_df = simlib.embed(image_df, encoder)
    images = simlib.embedding_matrix(image_df, encoder.column)
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    colour = image_df["colour"].to_numpy(str) if "colour" in image_df else None
    return Gallery(images, image_df["category"].to_numpy(str), colour)


if __name__ == "__main__":
    main()
