"""Does anything fit? How sure it is that a catalogue holds what a query asks for.

The k most similar pictures are always found, also for a query that no picture fits. Whether one
does is told by the mean cosine similarity of the five nearest, held against the same figure of
queries of which the answer is known:

- Words: general words (``data/general_words.csv``), nearly all of which a catalogue does not show;
  in the languages that the encoder reads and that the text, by its script, may be in.
- Pictures: the catalogue's own, each without itself.

Some pictures are near to texts of any kind ("hubs": Radovanović, Nanopoulos and Ivanović,
https://jmlr.org/papers/v11/radovanovic10a.html), the more so the less a text tower knows the words.
So a picture's mean similarity to the general words is taken off each of its similarities to a
text, much as Conneau et al. do between languages (CSLS, https://arxiv.org/abs/1710.04087).

An encoder may say how well it knows a text, as the multilingual one does by the length of its
vector: the similarities of a text are multiplied by that, so that a word that it hardly knows fits
nothing well.

The threshold is that of conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic Learning in
a Random World"): it is a rank among the known queries, so that it makes no assumption about how
similarities are distributed. Of queries like the general words at most ``WRONG_WORDS`` get a fit of
0.5 or more (``WRONG_KNOWN`` if the encoder says how well it knows them); of pictures like the
catalogue's at most ``WRONG`` get less.
"""

from __future__ import annotations

import csv
import re
import unicodedata
import warnings
import weakref
from typing import NamedTuple

import numpy as np
import pandas as pd

from simlib.columns import Embeddings
from simlib.data_files import data_folder
from simlib.encoders.base import TextEncoder
from simlib.exact import Among, float32_similarities, similarity_blocks
from simlib.storage.cache import EmbeddingCache
from simlib.storage.hashing import digest_of

__all__ = ["Calibration", "add_fit", "calibrate_pictures", "calibrate_words", "nearness"]

WRONG = 0.05
"""The share of known pictures on the wrong side of the threshold."""

WRONG_WORDS = 0.08
"""And that of general words: more are missed where the threshold is high than where it is low."""

WRONG_KNOWN = 0.04
"""The same for an encoder that says how well it knows a text: with that, few are missed."""

STANDS_OUT = 1.5
"""Groups of words whose median is so many standard deviations above that of all are shown."""

NEAREST = 5
"""The similarities of so many neighbours are averaged."""

FEWEST_PICTURES = 20
"""Among fewer pictures a twentieth is not even one."""

MOST_PICTURES = 300
"""So many pictures of a catalogue are asked for their neighbours at most, chosen at random."""

MOST_PAIRS = 30_000_000
"""From so many pairs of a known query and a picture on, fewer queries are asked; some 0.3 s."""

FORMS = {
    "en": ("{}", "a {}", "a photo of a {}", "a {colour} {}"),
    "zh": ("{}", "一个{}", "一张{}的照片", "{colour}{}"),
    "fa": ("{}", "یک {}", "عکس {}", "{} {colour}"),
    "es": ("{}", "{a}", "foto de {a}", "{} de color {colour}"),
    "fr": ("{}", "{a}", "photo : {a}", "{} de couleur {colour}"),
    "de": ("{}", "{a}", "Foto: {a}", "{} in {colour}"),
    "ja": ("{}", "{}", "{}の写真", "{colour}{}"),
}
"""What people type around a word, in each language; {a} is the word with its article.

Each general word is asked in one of the four, in turn."""

COLOURS = {
    "en": ("red", "black", "blue", "white", "green"),
    "zh": ("红色的", "黑色的", "蓝色的", "白色的", "绿色的"),
    "fa": ("قرمز", "مشکی", "آبی", "سفید", "سبز"),
    "es": ("rojo", "negro", "azul", "blanco", "verde"),
    "fr": ("rouge", "noire", "bleue", "blanche", "verte"),
    "de": ("Rot", "Schwarz", "Blau", "Weiß", "Grün"),
    "ja": ("赤い", "黒い", "青い", "白い", "緑の"),
}

ARTICLE = re.compile(r"^(?:un|una|unos|une|des|du|la|le|ein|eine) ")

SCRIPTS = {
    "CJK": ("zh", "ja"), "HIRAGANA": ("ja",), "KATAKANA": ("ja",),
    "ARABIC": ("fa",), "LATIN": ("en", "es", "fr", "de"),
}  # fmt: skip
"""The languages that are written in a script, as the names of its letters begin."""


class Calibration(NamedTuple):
    """What turns a similarity into a fit.

    Attributes
    ----------
    threshold : float
        The mean similarity of the five nearest at which it is as likely as not that one fits.
    scale : float
        The change in that similarity from a fit of 0.5 to one of 0.73.
    popularity : numpy.ndarray or None
        For words, float32 ``(n,)``: the mean similarity of each picture of the catalogue to the
        general words, which is taken off its similarity first.
    """

    threshold: float
    scale: float
    popularity: np.ndarray | None = None

    def fit(self, similarity: np.ndarray | float) -> np.ndarray:
        """Return the fit, float64 in [0, 1], of some mean similarities.

        Examples
        --------
        >>> Calibration(threshold=0.5, scale=0.1).fit([0.2, 0.5, 0.8]).round(2)
        array([0.05, 0.5 , 0.95])
        """
        away = (np.asarray(similarity, dtype=np.float64) - self.threshold) / self.scale
        return 1 / (1 + np.exp(-np.clip(away, -30, 30)))


def languages_of(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return in which languages of those that an encoder reads a text may be, by its script.

    All of them, if it is in none of their scripts or in several.

    Parameters
    ----------
    text : str
    known : tuple of str
        The codes of the languages.

    Examples
    --------
    >>> known = ("en", "zh", "fa", "es", "ja")
    >>> languages_of("ein Kleid", known), languages_of("赤いドレス", known)
    (('en', 'es'), ('ja',))
    """
    letters = {letter for letter in text[:1000] if letter.isalpha()}
    scripts = {re.split("[ -]", unicodedata.name(letter, "?"))[0] for letter in letters}
    scripts = scripts - {"LATIN"} or scripts  # "T恤" is Chinese
    written = [set(SCRIPTS.get(script, ())) for script in scripts] or [set(known)]
    found = set.intersection(*written) & set(known) or set(known)
    return tuple(language for language in known if language in found)


def calibrate_words(
    embeddings: Embeddings, encoder: TextEncoder, languages: tuple[str, ...] = ("en",)
) -> Calibration:
    """Return what tells a text that a catalogue shows from one that it doesn't.

    A catalogue of clothes does show some of the general words. They are in groups of one kind
    (animals, food, clothes, …), and a group whose median stands out is left out.

    Parameters
    ----------
    embeddings : Embeddings
        The catalogue's, of ``encoder``.
    encoder : TextEncoder
    languages : tuple of str
        In which the general words are asked, of those in ``FORMS``.

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
    >>> queries, embeddings = Embeddings.of_matrix(texts), Embeddings.of(image_df, clip.column)
    >>> calibration.fit(nearness(queries, embeddings, popularity=calibration.popularity)) > 0.5
    array([ True, False])
    """
    asked = {language: general_texts(language) for language in languages}
    step = _step(sum(len(texts) for _, texts in asked.values()), embeddings)
    matrix = np.concatenate(
        [_encoded(encoder, language, texts)[::step] for language, (_, texts) in asked.items()]
    )
    queries = Embeddings.of_matrix(matrix)
    popularity = _mean_similarity(queries, embeddings)
    similarities = nearness(queries, embeddings, None, popularity, queries.norms())  # (texts,)
    groups = np.concatenate([np.array(names)[::step] for names, _ in asked.values()])
    middle = np.median(similarities)
    spread = middle - np.percentile(similarities, 16)  # of the lower half, which shows nothing
    shown = [
        group
        for group in np.unique(groups)
        if np.median(similarities[groups == group]) > middle + STANDS_OUT * spread
    ]
    absent = np.sort(similarities[~np.isin(groups, shown)])
    wrong = WRONG_KNOWN if encoder.tells_certainty else WRONG_WORDS
    place = int(np.ceil((len(absent) + 1) * (1 - wrong))) - 1
    found = _calibration(absent[min(place, len(absent) - 1)], float(np.median(absent)))
    return found._replace(popularity=popularity)


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
    among: Among,
    encoder: object | None = None,
    text: str = "",
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
    among : Among
        Which of them were searched.
    encoder : TextEncoder, optional
        For a text: what encoded it. Nothing is added for an encoder of another kind, for one that
        can't read general words, and for pictures where there are fewer than ``FEWEST_PICTURES``.
    text : str
        The text, whose script says in which languages it may be.
    """
    if encoder is not None and not isinstance(encoder, TextEncoder):
        return
    if found.empty:
        found.attrs["fit"] = 0.0
        return
    languages = () if encoder is None else languages_of(text, _known_languages(encoder))
    key = encoder, languages
    if key not in embeddings.calibrations:
        embeddings.calibrations[key] = _calibrated(embeddings, encoder, languages)
    calibration = embeddings.calibrations[key]
    if calibration is None:
        return
    if encoder is not None and calibration.popularity is not None:
        if encoder.tells_certainty:
            similarities = _of_text(encoder, [text])[1] * similarities
        similarities = similarities - among.of_those(calibration.popularity)
    number = min(NEAREST, int((similarities > -np.inf).sum()))
    nearest = np.partition(similarities, len(similarities) - number)[-number:]
    found.attrs["fit"] = float(calibration.fit(nearest.mean()))
    if encoder is not None:
        found["fit"] = calibration.fit(similarities[places])


def _known_languages(encoder: TextEncoder) -> tuple[str, ...]:
    """Return the languages of an encoder in which there are general words; else English."""
    return tuple(language for language in encoder.languages if language in FORMS) or ("en",)


def _calibrated(
    embeddings: Embeddings, encoder: TextEncoder | None, languages: tuple[str, ...]
) -> Calibration | None:
    if encoder is None:
        enough = embeddings.have_direction().sum() >= FEWEST_PICTURES
        return calibrate_pictures(embeddings) if enough else None
    try:
        calibration = calibrate_words(embeddings, encoder, languages)
    except Exception:  # of a user's encoder, which may read nothing but the words of its shop
        return None
    return calibration if np.isfinite([calibration.threshold, calibration.scale]).all() else None


def _step(queries: int, embeddings: Embeddings) -> int:
    """Return 1, or in a large catalogue that only each so many-th query is asked: 2 or 3."""
    return max(1, min(3, -(-queries * len(embeddings) // MOST_PAIRS)))


def nearness(
    queries: Embeddings,
    gallery: Embeddings,
    own: np.ndarray | None = None,
    popularity: np.ndarray | None = None,
    certainty: np.ndarray | None = None,
) -> np.ndarray:
    """Return the mean cosine similarity of the five nearest, float32 ``(q,)``.

    Parameters
    ----------
    queries, gallery : Embeddings
        ``(q, dim)`` and ``(n, dim)``.
    own : numpy.ndarray, optional
        int64 ``(q,)``: the place in the gallery that each query must not find.
    popularity : numpy.ndarray, optional
        float32 ``(n,)``: what is taken off the similarities to each picture first.
    certainty : numpy.ndarray, optional
        float ``(q,)``: by what the similarities of each query are multiplied before that.

    Examples
    --------
    >>> gallery = Embeddings.of_matrix(np.eye(3, dtype=np.float32))
    >>> nearness(Embeddings.of_matrix(np.array([[1, 0, 0]], dtype=np.float32)), gallery).round(2)
    array([0.33], dtype=float32)
    """
    available = int(gallery.have_direction().sum()) - (own is not None)
    number = min(NEAREST, available)
    found = np.empty(len(queries), dtype=np.float32)
    for rows, scores in similarity_blocks(queries, gallery, own):
        if certainty is not None:
            scores *= certainty[rows, None].astype(np.float32)
        if popularity is not None:
            scores -= popularity
        found[rows] = np.partition(scores, -number, axis=1)[:, -number:].mean(axis=1)
    return found


def _mean_similarity(queries: Embeddings, gallery: Embeddings) -> np.ndarray:
    """Return the mean similarity of each of a gallery to all queries, float32 ``(n,)``.

    The cosine similarity times the length of the query; 0 for what has no direction.
    """
    mean = queries.whole()[queries.have_direction()].mean(axis=0)  # (dim,)
    length = np.linalg.norm(mean)
    if not length > 0:
        return np.zeros(len(gallery), dtype=np.float32)
    found = length * float32_similarities(gallery, mean.astype(np.float32))
    return np.where(gallery.have_direction(), found, 0).astype(np.float32)


def general_texts(language: str = "en") -> tuple[list[str], list[str]]:
    """Return the general words as people type them, and the group of each.

    There are half as many in other languages as in English.

    Examples
    --------
    >>> groups, texts = general_texts()
    >>> groups[3], texts[3]
    ('animals', 'a red elephant')
    >>> general_texts("de")[1][:4]
    ['Hund', 'ein Pferd', 'Foto: ein Goldfisch', 'Schlange in Rot']
    """
    forms, colours = FORMS[language], COLOURS[language]
    column = "word" if language == "en" else language
    with open(data_folder() / "general_words.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[column]]
    texts = [
        forms[place % len(forms)].format(
            ARTICLE.sub("", row[column]) if language in ("es", "fr", "de") else row[column],
            a=row[column],
            colour=colours[place // len(forms) % len(colours)],
        )
        for place, row in enumerate(rows)
    ]
    return [row["group"] for row in rows], texts


def _encoded(encoder: TextEncoder, language: str, texts: list[str]) -> np.ndarray:
    """Return the embeddings of the general texts, float32 ``(q, dim)``, from the cache if there.

    Each is as long as the encoder is certain of it.
    """
    matrices = _of_encoder.setdefault(encoder, {})
    if language not in matrices:
        digests = [digest_of(text.encode()) for text in texts]
        read_by = " ".join(filter(None, (encoder.recipe, encoder.text_recipe)))
        cache = EmbeddingCache(f"{read_by}, texts by certainty") if encoder.recipe else None
        known = cache.get(digests) if cache else {}
        if len(known) == len(digests):
            matrix = np.stack([known[digest] for digest in digests])
        else:
            embeddings, certainty = _of_text(encoder, texts)
            norms = np.linalg.norm(embeddings, axis=1)
            matrix = embeddings * (certainty / np.where(norms > 0, norms, 1))[:, None]
            if cache:
                cache.put(digests, matrix)
        if cache:
            cache.close()
        matrices[language] = matrix
    return matrices[language]


def _of_text(encoder: TextEncoder, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings and certainty, without a warning: none is new, or of the user's words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return encoder.encode_text_with_certainty(texts)


_of_encoder: weakref.WeakKeyDictionary[TextEncoder, dict[str, np.ndarray]] = (
    weakref.WeakKeyDictionary()
)
