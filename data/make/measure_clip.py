"""Measure the compact image-text model on what no training saw; ``train_clip.py`` calls this."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from clip_model import Pictures, Projections, Towers
from clip_words import (
    CLASSES,
    COLOUR_NAMES,
    EVERYDAY,
    HARDER,
    KINDS,
    PAIRS,
    QUERY_NAMES,
    QUERY_TEMPLATES,
    SYNONYMS_OF_KINDS,
    Labels,
    banned_words,
    concepts,
)
from sklearn.metrics import average_precision_score
from torch.nn import functional


@dataclass
class Ranking:
    """The scores of all pictures for some queries, and which pictures are correct for each."""

    scores: np.ndarray  # float32 (queries, pictures)
    right: np.ndarray  # bool (queries, pictures)

    def precision(self, k: int = 10, rows=None) -> np.ndarray:
        rows = np.arange(self.scores.shape[1]) if rows is None else rows
        scores, right = self.scores[:, rows], self.right[:, rows]
        top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(right, top, axis=1).mean(1)  # (queries,)


def joined(rankings: list[Ranking]) -> Ranking:
    return Ranking(
        np.concatenate([one.scores for one in rankings]),
        np.concatenate([one.right for one in rankings]),
    )


def with_interval(statistic, n: int, resamples: int = 500) -> dict[str, float]:
    """Return a statistic and its 95% bootstrap interval over ``n`` pictures."""
    rng = np.random.default_rng(0)
    values = [statistic(rng.integers(n, size=n)) for _ in range(resamples)]
    low, high = np.percentile(values, [2.5, 97.5])
    value = statistic(np.arange(n))
    return {"value": round(float(value), 3), "low": round(low, 3), "high": round(high, 3)}


def query_name(name: str) -> str:
    return QUERY_NAMES.get(name, name)


class Examiner:
    """Scores pictures that no training saw."""

    def __init__(self, towers: Towers, photos: Pictures) -> None:
        self.towers, self.photos = towers, photos

    def images(self, model: Projections | None) -> np.ndarray:
        if model is None:  # plain ConSE: class names as they are, in MiniLM's own space
            logits = self.photos.features @ self.towers.weight.T + self.towers.bias
            found = torch.softmax(torch.from_numpy(logits), 1) @ self.towers.names
            return functional.normalize(found, dim=1).numpy()
        with torch.no_grad():
            by_name = self.towers.by_name(self.photos.features, model.class_texts)
            given = (self.photos.features, by_name, self.photos.patches[0])
            return model.images(*(torch.from_numpy(one) for one in given)).numpy()

    def texts(self, model: Projections | None, texts: list[str]) -> np.ndarray:
        embedded = self.towers.embed_texts(texts)
        if model is None:
            return embedded
        with torch.no_grad():
            return model.texts(torch.from_numpy(embedded)).numpy()

    def classes(self, model: Projections | None, names=CLASSES) -> Ranking:
        images, scores, right = self.images(model), [], []
        for name in names:
            for form in QUERY_TEMPLATES:
                scores.append(self.texts(model, [form.format(query_name(name))])[0] @ images.T)
                right.append(self.photos.label == CLASSES.index(name))
        return Ranking(np.array(scores), np.array(right))

    def top1(self, model: Projections | None) -> np.ndarray:
        texts = self.texts(model, [f"a photo of a {query_name(name)}" for name in CLASSES])
        return (self.images(model) @ texts.T).argmax(1) == self.photos.label  # (n,)

    def words(self, model: Projections | None, words: dict[str, str]) -> Ranking:
        """Rank the photos for each word, bare and in a phrase; correct are those of its class."""
        images, scores, right = self.images(model), [], []
        for word, name in words.items():
            for form in ("{}", "a photo of {}"):
                scores.append(self.texts(model, [form.format(word)])[0] @ images.T)
                right.append(self.photos.label == CLASSES.index(name))
        return Ranking(np.array(scores), np.array(right))


def colour_figures(model: Projections, examiner: Examiner, labels: Labels) -> dict:
    """Return how well unseen drawings are found by colour, and by colour and kind."""
    drawn = examiner.photos
    images = examiner.images(model)
    things = examiner.texts(model, [f"a {name} thing" for name in COLOUR_NAMES]) @ images.T
    by_colour = Ranking(things, drawn.colour == np.arange(len(COLOUR_NAMES))[:, None])
    queries = [(tint, kind) for tint in range(len(COLOUR_NAMES)) for kind in labels.kinds]
    texts = [f"a {COLOUR_NAMES[tint]} {kind}" for tint, kind in queries]
    scores = examiner.texts(model, texts) @ images.T
    tint = np.array([tint for tint, _ in queries])[:, None]
    kind = np.array([labels.kind_start + labels.kinds.index(kind) for _, kind in queries])[:, None]
    figures = {
        "colour alone, precision@10": with_interval(
            lambda rows: by_colour.precision(10, rows).mean(), len(images)
        )
    }
    first_hits = {  # resampled over queries: a drawing left out would have no substitute
        "colour": drawn.colour == tint,
        "kind": drawn.label == kind,
        "colour and kind": (drawn.colour == tint) & (drawn.label == kind),
    }
    for name, right in first_hits.items():
        hits = Ranking(scores, right).precision(1)
        figures[f"colour and kind asked for, first hit has the {name}"] = with_interval(
            lambda rows, hits=hits: hits[rows].mean(), len(hits)
        )
    return figures


def photo_colour_figure(model: Projections, examiner: Examiner) -> dict:
    """Return the precision@5 of "red clothes" for colours that at least five photos have."""
    photos = examiner.photos
    tints = [t for t in range(len(COLOUR_NAMES)) if (photos.colour == t).sum() >= 5]
    texts = examiner.texts(model, [f"{COLOUR_NAMES[t]} clothes" for t in tints])
    told = photos.colour >= 0
    ranking = Ranking(
        texts @ examiner.images(model)[told].T, photos.colour[told] == np.array(tints)[:, None]
    )
    return with_interval(lambda rows: ranking.precision(5, rows).mean(), int(told.sum()))


def kind_figures(model: Projections, examiner: Examiner, labels: Labels) -> dict:
    """Return how well the kinds of a class are told apart: "sandals" among shoes of known kinds.

    For each kind that has a word of its own and at least five photos: the average precision of that
    word, and the share of the kind, which is what chance gives.
    """
    photos, images = examiner.photos, examiner.images(model)
    told = photos.kind != photos.label
    each = {}
    for kind, name in KINDS.items():
        right = photos.kind == labels.names.index(kind)
        words = SYNONYMS_OF_KINDS[name].get(kind)
        if words is None or right.sum() < 5:
            continue
        rows = told & (photos.label == CLASSES.index(name))
        scores = images[rows] @ examiner.texts(model, [f"a photo of {words[0]}"])[0]
        value = average_precision_score(right[rows], scores)
        each[kind] = {
            "value": round(float(value), 2),
            "chance": round(float(right[rows].mean()), 2),
        }
    means = {
        key: round(float(np.mean([one[key] for one in each.values()])), 2)
        for key in ("value", "chance")
    }
    return means | {"each kind": each}


def measure(
    towers: Towers,
    photos: Pictures,
    drawn: Pictures,
    validation: Pictures,
    test_drawn: Pictures,
    labels: Labels,
    model: Projections,
    train: Callable[..., Projections],
) -> dict:
    """Measure the model, and trainings without some classes or words, on unseen pictures.

    ``train(photos, drawn, concepts, banned)`` trains with the shipped recipe.
    """
    examiner = Examiner(towers, validation)
    n = len(validation.label)

    def precision(one: Ranking) -> dict:
        return with_interval(lambda rows: one.precision(10, rows).mean(), n)

    def top1(hits: np.ndarray) -> dict:
        return with_interval(lambda rows: hits[rows].mean(), n)

    def basics(of: Projections | None) -> dict:
        return {
            "class names, precision@10": precision(examiner.classes(of)),
            "zero-shot top-1 of 10 classes": top1(examiner.top1(of)),
            "everyday words, precision@10": precision(examiner.words(of, EVERYDAY)),
            "harder words, precision@10": precision(examiner.words(of, HARDER)),
        }

    def without(words) -> Projections:
        banned = banned_words(words)
        return train(photos, drawn, concepts(labels, banned=banned), banned)

    def word_figures(ranking: Ranking, words) -> dict:
        each = ranking.precision().reshape(-1, 2).mean(1)
        return {
            "precision@10": precision(ranking),
            "each word": dict(zip(words, np.round(each, 2).tolist(), strict=True)),
        }

    figures: dict = {
        "all classes and words trained": basics(model)
        | {
            "photos by colour, precision@5": photo_colour_figure(model, examiner),
            "kinds of a class, average precision": kind_figures(model, examiner, labels),
            "drawings": colour_figures(model, Examiner(towers, test_drawn), labels),
        },
        "ConSE": basics(None),
    }
    print(json.dumps(figures, indent=1), flush=True)
    for name, words in {"an everyday": EVERYDAY, "a harder": HARDER}.items():
        figures[f"no caption holds {name} word"] = word_figures(
            examiner.words(without(words), words), words
        )
        print(name, figures[f"no caption holds {name} word"], flush=True)

    words = EVERYDAY | HARDER
    in_turn = {}
    for third in range(3):
        some = dict(list(words.items())[third::3])
        rest = without(some)
        in_turn |= {word: examiner.words(rest, {word: name}) for word, name in some.items()}
    for name, own in {"everyday": EVERYDAY, "harder": HARDER}.items():
        figures[f"{name} words, each in no caption, a third of all held out in turn"] = (
            word_figures(joined([in_turn[word] for word in own]), own)
        )
        print(name, list(figures.values())[-1], flush=True)

    rankings, conse_classes = {}, examiner.classes(None)
    conse_each = conse_classes.precision().reshape(-1, len(QUERY_TEMPLATES)).mean(1)
    for pair in PAIRS:
        gone = [CLASSES.index(name) for name in pair]
        seen = photos[~np.isin(photos.label, gone)]
        seen_drawn = drawn[~np.isin(labels.group[drawn.label], pair)]
        partial = train(seen, seen_drawn, concepts(labels, unseen=pair))
        for name in pair:
            rankings[name] = examiner.classes(partial, [name])
        print(pair, [rankings[name].precision().mean().round(3) for name in pair], flush=True)
    rankings = {name: rankings[name] for name in CLASSES}
    both = joined(list(rankings.values()))
    figures["classes held out, two at a time"] = {
        "class names, precision@10": precision(both),
        "better than ConSE by": with_interval(
            lambda rows: both.precision(10, rows).mean() - conse_classes.precision(10, rows).mean(),
            n,
        ),
        "each class": {
            name: {"model": round(float(one.precision().mean()), 2), "ConSE": round(float(old), 2)}
            for (name, one), old in zip(rankings.items(), conse_each, strict=True)
        },
    }
    return figures
