"""Does anything fit? How sure it is that a catalogue holds what a query asks for.

The k most similar pictures are always found, also for a query that no picture fits. Whether one
does is told by the mean cosine similarity of the five nearest, held against the same figure of
queries of which the answer is known:

- Words: general words (``data/general_words.csv``), nearly all of which a catalogue does not show.
- Pictures: the catalogue's own, each without itself.

The threshold is that of conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic Learning in
a Random World"): it is a rank among the known queries, so that it makes no assumption about how
similarities are distributed. Of queries like the general words at most ``WRONG`` get a fit of 0.5
or more; of pictures like the catalogue's at most ``WRONG`` get less.
"""

from __future__ import annotations

import csv
import warnings
import weakref
from typing import NamedTuple

import numpy as np
import pandas as pd

from simlib.columns import Embeddings
from simlib.data_files import data_folder
from simlib.encoders.base import TextEncoder
from simlib.exact import top_k
from simlib.storage.cache import EmbeddingCache
from simlib.storage.hashing import digest_of

__all__ = ["Calibration", "add_fit", "calibrate_pictures", "calibrate_words", "nearness"]

WRONG = 0.05
"""The share of known queries on the wrong side of the threshold."""

NEAREST = 5
"""The similarities of so many neighbours are averaged."""

FEWEST_PICTURES = 20
"""Among fewer pictures a twentieth is not even one."""

MOST_PICTURES = 300
"""So many pictures of a catalogue are asked for their neighbours at most, chosen at random."""

MOST_PAIRS = 30_000_000
"""From so many pairs of a known query and a picture on, fewer queries are asked; some 0.3 s."""

FORMS = ("{}", "a {}", "a photo of a {}", "a {colour} {}")
"""What people type around a word; each general word is asked in one of them, in turn."""

COLOURS = ("red", "black", "blue", "white", "green")


class Calibration(NamedTuple):
    """What turns a similarity into a fit.

    Attributes
    ----------
    threshold : float
        The mean similarity of the five nearest at which it is as likely as not that one fits.
    scale : float
        The change in that similarity from a fit of 0.5 to one of 0.73.
    """

    threshold: float
    scale: float

    def fit(self, similarity: np.ndarray | float) -> np.ndarray:
        """Return the fit, float64 in [0, 1], of some mean similarities.

        Examples
        --------
        >>> Calibration(threshold=0.5, scale=0.1).fit([0.2, 0.5, 0.8]).round(2)
        array([0.05, 0.5 , 0.95])
        """
        away = (np.asarray(similarity, dtype=np.float64) - self.threshold) / self.scale
        return 1 / (1 + np.exp(-np.clip(away, -30, 30)))


def calibrate_words(embeddings: Embeddings, encoder: TextEncoder) -> Calibration:
    """Return what tells a text that a catalogue shows from one that it doesn't.

    A catalogue of clothes does show some of the general words. They are in groups of one kind
    (animals, food, clothes, …), and a group whose median stands out is left out.

    Parameters
    ----------
    embeddings : Embeddings
        The catalogue's, of ``encoder``.
    encoder : TextEncoder

    Returns
    -------
    Calibration

    Examples
    --------
    >>> import simlib
    >>> clip = simlib.load_encoder("clip")
    >>> image_df = simlib.load_catalogue("sample").groupby("category").head(5)
    >>> image_df = simlib.embed(image_df, clip, progress=False)
    >>> calibration = calibrate_words(Embeddings.of(image_df, clip.column), clip)
    >>> texts = clip.encode_text(["an umbrella", "a trombone"])
    >>> nearest = nearness(Embeddings.of_matrix(texts), Embeddings.of(image_df, clip.column))
    >>> calibration.fit(nearest) > 0.5
    array([ True, False])
    """
    names, texts = general_texts()
    step = _step(len(texts), embeddings)
    some = Embeddings.of_matrix(_encoded(encoder, texts)[::step])
    similarities, groups = nearness(some, embeddings), np.array(names)[::step]  # (texts,)
    middle = np.median(similarities)
    spread = middle - np.percentile(similarities, 16)  # of the lower half, which shows nothing
    shown = [
        group
        for group in np.unique(groups)
        if np.median(similarities[groups == group]) > middle + 2 * spread
    ]
    absent = np.sort(similarities[~np.isin(groups, shown)])
    place = int(np.ceil((len(absent) + 1) * (1 - WRONG))) - 1
    return _calibration(absent[min(place, len(absent) - 1)], float(np.median(absent)))


def calibrate_pictures(embeddings: Embeddings) -> Calibration:
    """Return what tells a picture of a catalogue's kind from one of another.

    Parameters
    ----------
    embeddings : Embeddings
        The catalogue's.

    Returns
    -------
    Calibration

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> matrix = rng.normal(size=(50, 8)).astype(np.float32) + 3
    >>> float(calibrate_pictures(Embeddings.of_matrix(matrix)).fit(0.2)) < 0.5
    True
    """
    places = np.flatnonzero(embeddings.have_direction())
    number = MOST_PICTURES // _step(MOST_PICTURES, embeddings)
    if len(places) > number:
        places = np.sort(np.random.default_rng(0).choice(places, number, replace=False))
    own = np.sort(nearness(embeddings.some(places), embeddings, places))
    place = max(0, int(np.floor((len(own) + 1) * WRONG)) - 1)
    return _calibration(own[place], float(np.median(own)))


def _calibration(threshold: float, typical: float) -> Calibration:
    """Return a calibration by which what is typical of the known queries is 0.05 or 0.95."""
    return Calibration(float(threshold), max(abs(threshold - typical) / np.log(19), 1e-6))


def add_fit(
    found: pd.DataFrame,
    similarities: np.ndarray,
    places: np.ndarray,
    embeddings: Embeddings,
    encoder: object | None = None,
) -> None:
    """Add to what :func:`simlib.nearest` found how well it fits.

    Parameters
    ----------
    found : pandas.DataFrame
        Gets ``.attrs["fit"]`` and, for a text, the column ``fit``.
    similarities : numpy.ndarray
        float ``(n,)``: those of the query to all that was searched; minus infinity for what must
        not be found.
    places : numpy.ndarray
        int64 ``(k,)``: which of these are the rows of ``found``.
    embeddings : Embeddings
        The column's. What they were calibrated to is kept with them.
    encoder : TextEncoder, optional
        For a text: what encoded it. Nothing is added for an encoder of another kind, for one that
        can't read general words, and for pictures where there are fewer than ``FEWEST_PICTURES``.
    """
    if encoder is not None and not isinstance(encoder, TextEncoder):
        return
    if found.empty:
        found.attrs["fit"] = 0.0
        return
    if encoder not in embeddings.calibrations:
        embeddings.calibrations[encoder] = _calibrated(embeddings, encoder)
    calibration = embeddings.calibrations[encoder]
    if calibration is None:
        return
    number = min(NEAREST, int((similarities > -np.inf).sum()))
    nearest = np.partition(similarities, len(similarities) - number)[-number:]
    found.attrs["fit"] = float(calibration.fit(nearest.mean()))
    if encoder is not None:
        found["fit"] = calibration.fit(similarities[places])


def _calibrated(embeddings: Embeddings, encoder: TextEncoder | None) -> Calibration | None:
    if encoder is None:
        enough = embeddings.have_direction().sum() >= FEWEST_PICTURES
        return calibrate_pictures(embeddings) if enough else None
    try:
        calibration = calibrate_words(embeddings, encoder)
    except Exception:  # of a user's encoder, which may read nothing but the words of its shop
        return None
    return calibration if np.isfinite(calibration).all() else None


def _step(queries: int, embeddings: Embeddings) -> int:
    """Return 1, or in a large catalogue that only each so many-th query is asked: 2 or 3."""
    return max(1, min(3, -(-queries * len(embeddings) // MOST_PAIRS)))


def nearness(queries: Embeddings, gallery: Embeddings, own: np.ndarray | None = None) -> np.ndarray:
    """Return the mean cosine similarity of the five nearest, float32 ``(q,)``.

    Parameters
    ----------
    queries, gallery : Embeddings
        ``(q, dim)`` and ``(n, dim)``.
    own : numpy.ndarray, optional
        int64 ``(q,)``: the place in the gallery that each query must not find.

    Examples
    --------
    >>> gallery = Embeddings.of_matrix(np.eye(3, dtype=np.float32))
    >>> nearness(Embeddings.of_matrix(np.array([[1, 0, 0]], dtype=np.float32)), gallery).round(2)
    array([0.33], dtype=float32)
    """
    available = int(gallery.have_direction().sum()) - (own is not None)
    return top_k(queries, gallery, min(NEAREST, available), own)[1].mean(axis=1)


def general_texts() -> tuple[list[str], list[str]]:
    """Return the general words as people type them, and the group of each.

    Examples
    --------
    >>> groups, texts = general_texts()
    >>> groups[3], texts[3]
    ('animals', 'a red elephant')
    """
    with open(data_folder() / "general_words.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [
        FORMS[place % len(FORMS)]
        .replace("{colour}", COLOURS[place // len(FORMS) % len(COLOURS)])
        .format(row["word"])
        for place, row in enumerate(rows)
    ]
    return [row["group"] for row in rows], texts


def _encoded(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    """Return the embeddings of the general texts, float32 ``(q, dim)``, from the cache if there."""
    if encoder not in _of_encoder:
        digests = [digest_of(text.encode()) for text in texts]
        cache = EmbeddingCache(f"{encoder.recipe}, texts") if encoder.recipe else None
        known = cache.get(digests) if cache else {}
        if len(known) == len(digests):
            matrix = np.stack([known[digest] for digest in digests])
        else:
            with warnings.catch_warnings():  # they are not the user's words
                warnings.simplefilter("ignore")
                matrix = np.asarray(encoder.encode_text(texts), dtype=np.float32)
            if cache:
                cache.put(digests, matrix)
        if cache:
            cache.close()
        _of_encoder[encoder] = matrix
    return _of_encoder[encoder]


_of_encoder: weakref.WeakKeyDictionary[TextEncoder, np.ndarray] = weakref.WeakKeyDictionary()
