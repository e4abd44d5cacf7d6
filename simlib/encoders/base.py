"""The one interface that every encoder has: pictures go in, embeddings come out."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from simlib.arguments import short_repr, to_float32

__all__ = ["Encoder", "TextEncoder"]

OF_THE_FRAME = ("img_path", "error")
"""Columns that :func:`simlib.embed` reads and writes itself."""


class Encoder(ABC):
    """Turns pictures into embeddings; the base class of all strategies.

    A subclass says how one picture is prepared (cheap, runs in several threads at once) and how a
    batch of prepared pictures becomes embeddings (expensive, runs in one place).

    Attributes
    ----------
    name : str
        The strategy: ``"pixels"``, ``"towhee"``, ``"simclr"`` or ``"clip"``.
    column : str
        The column of the frame that :func:`simlib.embed` fills.
    dim : int or None
        The number of values in one embedding; ``None`` while it depends on the first picture seen.
    recipe : str
        Names the weights (by their hash), the preprocessing and the arithmetic. Two encoders with
        the same recipe give the same embedding for the same picture, so it is part of the key
        under which :func:`simlib.embed` caches. Without one (``""``) nothing is cached.
    cacheable : bool
        Whether keeping the embeddings on disk is worth it.
    checks_cache : bool
        Whether :func:`simlib.embed` encodes some cached pictures anew and compares, since the code
        may have changed and the recipe not.
    backend : str
        What computes, and in which precision.

    Examples
    --------
    >>> class MeanColour(Encoder):
    ...     name, column, dim, recipe = "mean colour", "mean_colour", 3, "mean colour, version 1"
    ...
    ...     def prepare(self, image):
    ...         return np.asarray(image.resize((8, 8)), dtype=np.float32)  # (8, 8, 3)
    ...
    ...     def encode_prepared(self, batch):
    ...         return batch.mean(axis=(1, 2))  # (n, 3)
    >>> MeanColour().encode([Image.new("RGB", (40, 30), "red")])
    array([[255.,   0.,   0.]], dtype=float32)
    """

    name: str
    column: str
    dim: int | None = None
    recipe: str = ""
    cacheable: bool = True
    checks_cache: bool = True
    backend: str = "torch float32"

    @abstractmethod
    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return the array that the network reads for one RGB picture. Must be thread-safe."""

    @abstractmethod
    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)``, of a stack of prepared pictures."""

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """Return the size to which ``prepare`` resizes a picture, before it cuts anything away.

        Where it is known, :func:`simlib.embed`, :func:`simlib.embed_folder` and queries decode a
        JPEG no larger than needed: at the smallest of 1/8, 1/4 and 1/2 of its size that has at
        least twice these pixels, in width and in height. A photo of a phone then takes a fraction
        of the time; pictures that are too small for 1/2 are decoded in full, as all are where this
        returns None, which is the default.

        Parameters
        ----------
        size : (int, int)
            Width and height of the upright picture, in pixels.

        Returns
        -------
        (int, int) or None
            Width and height.
        """
        return None

    def encode(self, images: Iterable[Image.Image]) -> np.ndarray:
        """Return the embeddings of some pictures.

        Parameters
        ----------
        images : iterable of PIL.Image.Image
            RGB pictures, as :func:`simlib.load_image` returns them.

        Returns
        -------
        numpy.ndarray
            float32 ``(n, dim)``, row *i* for picture *i*.
        """
        prepared = [self.prepare(as_rgb(image)) for image in images]
        if not prepared:
            return np.empty((0, self.dim or 0), dtype=np.float32)
        return as_matrix(self.encode_prepared(self.stack(prepared)), len(prepared), self)

    def stack(self, prepared: list[np.ndarray], like: np.ndarray | None = None) -> np.ndarray:
        """Return one array ``(n, ...)`` of prepared pictures.

        Raise a ValueError unless all have the shape of ``like``, by default that of the first, and
        a TypeError where one is no array.
        """
        like = prepared[0] if like is None else like
        for other in prepared:
            if not hasattr(other, "shape"):
                raise TypeError(
                    f"prepare of the encoder {self.name!r} returned {type(other).__name__}; "
                    "expected is a numpy array, as from numpy.asarray(image)."
                )
            if other.shape != like.shape:
                raise ValueError(self.explain_unequal(like, other))
        return np.stack(prepared)

    def explain_unequal(self, first: np.ndarray, second: np.ndarray) -> str:
        """Return the error message for two prepared pictures that do not fit into one batch."""
        return f"Prepared pictures have unequal shapes, {first.shape} and {second.shape}."

    def __repr__(self) -> str:
        dim = "?" if self.dim is None else self.dim
        return f"{type(self).__name__}(column={self.column!r}, dim={dim})"


class TextEncoder(Encoder):
    """An encoder that also reads text: words and pictures come to lie in one space.

    Attributes
    ----------
    text_recipe : str
        Names what reads texts where ``recipe`` doesn't: two encoders may embed pictures alike and
        texts by different models.
    languages : tuple of str
        The codes of the languages it reads (``"en"``, ``"zh"``, …), by which the fit of a text is
        calibrated (:mod:`simlib.fit`).
    tells_certainty : bool
        Whether :meth:`encode_text_with_certainty` can tell how well it knows a text. Then a text is
        encoded once more for its fit.

    Examples
    --------
    >>> import simlib
    >>> isinstance(simlib.load_encoder("clip"), TextEncoder)
    True
    """

    text_recipe: str = ""
    languages: tuple[str, ...] = ("en",)
    tells_certainty: bool = False

    @abstractmethod
    def encode_text(self, texts: str | Iterable[str]) -> np.ndarray:
        """Return the embeddings of some texts, float32 ``(n, dim)``."""

    def encode_text_with_certainty(
        self, texts: str | Iterable[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the embeddings of some texts, and how well the encoder knows each.

        The fit of a text goes by that (:mod:`simlib.fit`). An encoder that can't tell, as most,
        knows all equally well.

        Returns
        -------
        embeddings : numpy.ndarray
            float32 ``(n, dim)``.
        certainty : numpy.ndarray
            float32 ``(n,)``, positive; about 1 for the words that it was trained with.

        Examples
        --------
        >>> import simlib
        >>> simlib.load_encoder("clip").encode_text_with_certainty(["a red dress"])[1]
        array([1.], dtype=float32)
        """
        embeddings = np.asarray(self.encode_text(texts), dtype=np.float32)
        return embeddings, np.ones(len(embeddings), dtype=np.float32)


class WeightedEncoder(Encoder):
    """An encoder that is pickled as the arguments it was made with: unpickling loads its weights.

    Nothing of the network travels, so that workers of joblib, Dask or multiprocessing load it for
    themselves. A copy shares the network with its original.
    """

    _made_with: tuple[tuple, dict] | None

    def __new__(cls, *args, **kwargs):
        encoder = super().__new__(cls)
        encoder._made_with = (args, kwargs)
        return encoder

    def __reduce__(self):
        if self._made_with is None:
            raise TypeError(
                f"{self!r} was made around a network in memory, so it can't be pickled: there are "
                "no weights to load it from again. Save the network, and load the encoder by path."
            )
        own = {name: vars(self)[name] for name in ("name", "column") if name in vars(self)}
        return _load_again, (type(self), *self._made_with, self.recipe), own

    def __copy__(self):
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        return other

    def __deepcopy__(self, memo):
        return copy.copy(self)


def _load_again(
    encoder_class: type[WeightedEncoder], args: tuple, kwargs: Mapping, recipe: str
) -> WeightedEncoder:
    encoder = encoder_class(*args, **kwargs)
    if encoder.recipe != recipe:
        warnings.warn(
            f"{encoder!r} gives other embeddings here than where it was pickled: it was "
            f"{recipe!r} and is {encoder.recipe!r}. Don't mix the two in one column.",
            stacklevel=2,
        )
    return encoder


def require_encoder(encoder: object) -> Encoder:
    """Return ``encoder``, or raise a TypeError that says how to get one or what it lacks.

    Examples
    --------
    >>> require_encoder("clip")
    Traceback (most recent call last):
    TypeError: 'clip' is not an encoder; make one with simlib.load_encoder(name), or of a ...
    """
    if not isinstance(encoder, Encoder):
        raise TypeError(
            f"{short_repr(encoder)} is not an encoder; make one with simlib.load_encoder(name), or "
            "of a function of your own with simlib.make_encoder(function, name=...)."
        )
    for attribute, example in (("name", '"mine"'), ("column", '"mine_embedding"')):
        if not hasattr(encoder, attribute):
            raise TypeError(
                f"The encoder {type(encoder).__name__} has no {attribute!r}. Set it as a class "
                f"attribute: {attribute} = {example}."
            )
        value = getattr(encoder, attribute)
        if not isinstance(value, str) or not value.strip():
            raise TypeError(
                f"The encoder {type(encoder).__name__} has {attribute}={short_repr(value)}; it "
                f"must be a str, such as {example}."
            )
    if encoder.column in OF_THE_FRAME:
        raise ValueError(
            f"The encoder {encoder.name!r} would fill the column {encoder.column!r}, which has "
            "another meaning in every frame. Give its column another name."
        )
    if not isinstance(encoder.recipe, str | None):
        raise TypeError(
            f"The encoder {encoder.name!r} has recipe={short_repr(encoder.recipe)}; it must be a "
            "str that names what it computes, or '' to cache nothing."
        )
    if encoder.dim is not None and not (isinstance(encoder.dim, int | np.integer) and encoder.dim):
        raise TypeError(
            f"The encoder {encoder.name!r} has dim={short_repr(encoder.dim)}; it must be the "
            "number of values in one embedding, or None where that depends on the pictures."
        )
    return encoder


def as_matrix(values: Any, rows: int, encoder: Encoder, what: str = "picture") -> np.ndarray:
    """Return what an encoder answered as a matrix, or raise if it is not one row a picture.

    Parameters
    ----------
    values : array, tensor or lists
        The answer.
    rows : int
        How many pictures (or texts) were asked for.
    encoder : Encoder
    what : str
        What was asked for, in the singular.

    Returns
    -------
    numpy.ndarray
        float32 ``(rows, dim)``.

    Raises
    ------
    ValueError
        If there are more or fewer rows, they have another length than ``encoder.dim`` or none, or
        not all values are finite.

    Examples
    --------
    >>> import simlib
    >>> as_matrix([[1, 2, 3]], 2, simlib.load_encoder("pixels"))
    Traceback (most recent call last):
    ValueError: The encoder 'pixels' returned an array of shape (1, 3) for 2 pictures; ...
    """
    dim = "dim" if encoder.dim is None else encoder.dim
    expected = f"expected one row of {dim} numbers for each {what}, ({rows}, {dim})"
    matrix = to_float32(values)
    if matrix is None:
        raise ValueError(
            f"The encoder {encoder.name!r} returned {type(values).__name__}, which is no matrix of "
            f"numbers; {expected}."
        )
    fits = matrix.ndim == 2 and len(matrix) == rows and matrix.shape[1] > 0
    if not fits or encoder.dim not in (None, matrix.shape[1]):
        raise ValueError(
            f"The encoder {encoder.name!r} returned an array of shape {matrix.shape} for {rows} "
            f"{what}s; {expected}."
        )
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"The encoder {encoder.name!r} returned numbers that are not finite (NaN or infinite) "
            f"for {np.count_nonzero(~finite)} of {rows} {what}s, the first of which is {what} "
            f"{int(finite.argmin())}, counted from 0; {expected}."
        )
    return matrix


def as_rgb(image: Image.Image) -> Image.Image:
    """Return ``image`` in mode RGB, or raise a TypeError that says what was given instead."""
    if not isinstance(image, Image.Image):
        raise TypeError(
            f"An encoder takes PIL pictures, but got {type(image).__name__}; "
            "open paths with simlib.load_image(path) first."
        )
    return image if image.mode == "RGB" else image.convert("RGB")
