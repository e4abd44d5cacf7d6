"""Train the layers that lay texts in many languages where the compact model has English ones.

    python data/make/train_multilingual.py --photos PHOTOS --scratch SCRATCH

writes ``data/models/clip_multilingual.safetensors`` and ``clip_multilingual_results.json``. It
needs the extra ``multilingual``; PHOTOS is the clothing data set (``data/README.md``), on which the
layers are measured: no photo takes part in the training.

The teacher is the compact model's text tower. What it makes of an English caption is what the
student, multilingual-e5-small and two layers, is to make of that caption and of its translations
(Reimers and Gurevych, https://arxiv.org/abs/2004.09813). The first layer is wide and of random
signs, the second learned by least squares with a penalty on its weights, for which there is a
closed solution ("extreme learning machine": Huang et al.,
https://doi.org/10.1016/j.neucom.2005.12.126): a training takes seconds, so that words can be held
out in turn. The texts:

* in English, what the compact model was trained with: names of clothes in phrases and colours, the
  names of ImageNet's classes (``clip_words.py``);
* in six languages, Chinese in both scripts, the captions of ``translations.py``.
"""

from __future__ import annotations

import argparse
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
from translations import LANGUAGES, captions, same_script

import simlib
from simlib.networks import clip_compact, clip_multilingual, e5_small
from simlib.networks.assembled import write_settings
from simlib.storage.hashing import sha256_of

MODELS = Path(__file__).resolve().parents[1] / "models"
NAME = "clip_multilingual"


@dataclass
class Recipe:
    """The settings of a training."""

    units: int = 8192  # of the hidden layer
    steepness: float = 1.0  # the standard deviation of what the hidden units read
    offsets: float = 0.5  # and that of their biases
    ridge: float = 1e-2  # the penalty, as a share of the mean variance of a hidden unit
    english: float = 1.0  # the weight of all English texts together; each language has 1
    per_colour: int = 5  # a word in English is said in every fifth colour
    seed: int = 0


@dataclass
class Texts:
    """Texts in any language, and in English what they mean."""

    texts: list[str]
    english: list[str]
    language: list[str]


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


def all_texts(per_colour: int) -> Texts:
    """Return the English texts and the translations."""
    rows = [(text, text, "en") for text in english_captions(per_colour)]
    for language in LANGUAGES:
        rows += [(one.text, one.english, language) for one in captions(language)]
    return Texts(*map(list, zip(*rows, strict=True)))


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


@dataclass
class Layers:
    """Two layers from the student's values to the text space: random, then learned."""

    hidden_weight: np.ndarray  # (units, 384)
    hidden_bias: np.ndarray  # (units,)
    text_weight: np.ndarray  # (384, units)
    text_bias: np.ndarray  # (384,)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        hidden = np.maximum(vectors @ self.hidden_weight.T + self.hidden_bias, 0)
        given = hidden @ self.text_weight.T + self.text_bias
        return given / np.linalg.norm(given, axis=1, keepdims=True)

    def shipped(self) -> dict[str, np.ndarray]:
        """Return the tensors of the file: bits, and whole numbers."""
        return clip_multilingual.pack(
            self.hidden_weight, self.hidden_bias, self.text_weight, self.text_bias
        )

    def as_shipped(self) -> Layers:
        return Layers(*clip_multilingual.unpack(self.shipped()).values())


class Trainer:
    """Solves for the second layer, with or without some of the texts.

    The sums over all texts are computed once; what is left out is subtracted.
    """

    def __init__(self, texts: Texts, student: Embedded, teacher: Embedded, recipe: Recipe) -> None:
        self.texts, self.recipe = texts, recipe
        read, wanted = student(texts.texts), teacher(texts.english)
        self._share = shares(texts, recipe)[:, None]
        mean = (self._share * read).sum(0)
        rng = np.random.default_rng(recipe.seed)
        spread = np.sqrt((self._share * (read - mean) ** 2).sum())
        signs = rng.choice([-1.0, 1.0], (recipe.units, read.shape[1]))  # a bit each in the file
        weight = signs * recipe.steepness / spread
        self._weight = np.float32(weight)
        self._bias = np.float32(rng.standard_normal(recipe.units) * recipe.offsets - weight @ mean)
        hidden = np.maximum(read @ self._weight.T + self._bias, 0)
        self._hidden_mean = (self._share * hidden).sum(0)
        self._wanted_mean = (self._share * wanted).sum(0)
        self._hidden, self._wanted = hidden - self._hidden_mean, wanted - self._wanted_mean
        self._sums = self._sums_of(slice(None))

    def _sums_of(self, rows) -> tuple[np.ndarray, np.ndarray]:
        weighted = (self._hidden[rows] * self._share[rows]).T
        return np.float64(weighted @ self._hidden[rows]), np.float64(weighted @ self._wanted[rows])

    def layers(self, without: Callable[[str, str], bool] | None = None) -> Layers:
        """Return both layers, trained without the texts of which ``without(text, english)``."""
        covariance, product = self._sums
        penalty = self.recipe.ridge * np.trace(covariance) / len(covariance)
        if without is not None:
            pairs = zip(self.texts.texts, self.texts.english, strict=True)
            left_out = np.array([without(*pair) for pair in pairs])
            less = self._sums_of(left_out)
            covariance, product = covariance - less[0], product - less[1]
        weight = np.linalg.solve(covariance + penalty * np.eye(len(covariance)), product).T
        bias = self._wanted_mean - weight @ self._hidden_mean
        return Layers(self._weight, self._bias, np.float32(weight), np.float32(bias))


def shares(texts: Texts, recipe: Recipe) -> np.ndarray:
    """Return the weight of each text, 1 in sum: the languages weigh the same, but for English."""
    language, share = np.array(texts.language), np.zeros(len(texts.texts), dtype=np.float32)
    for one in set(texts.language):
        mine = language == one
        share[mine] = (recipe.english if one == "en" else 1.0) / mine.sum()
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
    trainer = Trainer(all_texts(recipe.per_colour), student, teacher, recipe)
    layers = trainer.layers().as_shipped()
    plane, offset = learn(teacher)
    if arguments.part == "validation":
        path = MODELS / f"{NAME}.safetensors"
        shipped = layers.shipped() | {
            "english.weight": plane,
            "english.offset": np.float32([offset]),
        }
        # Not save_file, whose files nobody else may read.
        path.write_bytes(save(shipped, metadata={"made_by": "data/make/train_multilingual.py"}))
        print(f"{sha256_of(path)}: python data/make/pin.py puts it into the source", flush=True)

    def without(banned: Callable[[str, str], bool]) -> Callable[[list[str]], np.ndarray]:
        some = trainer.layers(banned).as_shipped()
        return lambda queries: some(exact_student(queries))

    figures = measure(
        gallery_of(simlib.load_catalogue(arguments.photos / arguments.part), compact),
        gallery_of(simlib.load_catalogue("sample"), compact),
        compact=exact_teacher,
        multilingual=lambda queries: layers(exact_student(queries)),
        without=lambda words: without(
            lambda text, _: any(same_script(word) in same_script(text) for word in words)
        ),
        without_terms=lambda terms: without(
            lambda text, english: text != english and any(term in english for term in terms)
        ),
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
