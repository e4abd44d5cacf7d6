"""An encoder of one's own, from a function: pictures in, vectors out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image

from simlib.arguments import require_size
from simlib.encoders.base import Encoder, TextEncoder, as_matrix, require_encoder
from simlib.images import ResizesTo


def make_encoder(
    encode: Callable[[list[Image.Image]], object],
    name: str,
    encode_text: Callable[[list[str]], object] | None = None,
    recipe: str | None = None,
    column: str | None = None,
    resizes_to: tuple[int, int] | ResizesTo | None = None,
) -> Encoder:
    """Return an encoder like any other, made from a function.

    Parameters
    ----------
    encode : callable
        From a list of RGB pictures to their embeddings, ``(n, dim)``: an array, a tensor or lists.
        It is called with a batch at a time, in one thread.
    name : str
        What the encoder is called; the column is ``f"{name}_embedding"`` unless ``column`` says
        otherwise.
    encode_text : callable, optional
        From a list of texts to embeddings in the same space, ``(n, dim)``; with it the encoder is a
        :class:`simlib.TextEncoder`, and words find pictures.
    recipe : str, optional
        Names exactly what ``encode`` computes, such as ``"my network, weights 2026-11, 224 px"``;
        change it whenever ``encode`` gives other values. Embeddings are cached on disk under it.
        Without a recipe nothing is cached.
    column : str, optional
        The column that :func:`simlib.embed` fills.
    resizes_to : (int, int) or callable, optional
        The width and height to which ``encode`` itself resizes a picture, or a function to them
        from the picture's own. Large JPEGs are then decoded at a fraction of their size
        (:meth:`Encoder.resizes_to`), and ``encode`` gets these. Without it pictures come in full.

    Returns
    -------
    Encoder
        A :class:`simlib.TextEncoder` if ``encode_text`` is given.

    Raises
    ------
    TypeError
        If ``encode`` or ``encode_text`` can't be called, or ``name`` or ``recipe`` is not a str.
    ValueError
        If ``name``, ``column`` or ``recipe`` is empty, or ``resizes_to`` is no width and height.
        Later, from :func:`simlib.embed`: if ``encode`` does not return one row of finite ``dim``
        numbers a picture, or not what the cache holds under its recipe.

    Examples
    --------
    >>> def mean_colour(pictures):
    ...     return [np.asarray(picture).mean(axis=(0, 1)) for picture in pictures]
    >>> encoder = make_encoder(mean_colour, name="mean_colour")
    >>> encoder.encode([Image.new("RGB", (40, 30), "red"), Image.new("RGB", (5, 5), "blue")])
    array([[255.,   0.,   0.],
           [  0.,   0., 255.]], dtype=float32)
    >>> encoder.column, encoder.dim
    ('mean_colour_embedding', 3)
    """
    for argument, function in (("encode", encode), ("encode_text", encode_text)):
        if not callable(function) and not (argument == "encode_text" and function is None):
            raise TypeError(
                f"{argument}={function!r} can't be called; give a function from a list of "
                f"{'texts' if function is encode_text else 'PIL pictures'} to an array (n, dim)."
            )
    for argument, text in (("name", name), ("recipe", recipe), ("column", column)):
        if not isinstance(text, str) and (argument == "name" or text is not None):
            raise TypeError(f"{argument}={text!r} must be a str.")
    if not name.strip():
        raise ValueError("The name of an encoder can't be empty; it names its column.")
    for argument, text in (("column", column), ("recipe", recipe)):
        if text is not None and not text.strip():
            raise ValueError(f"{argument}={text!r} is empty; give it a name, or leave it out.")
    column = column or re.sub(r"\W+", "_", name.strip()) + "_embedding"
    if resizes_to is not None and not callable(resizes_to):
        resizes_to = require_size("resizes_to", resizes_to)
    if encode_text is None:
        return require_encoder(_OwnEncoder(encode, name, column, recipe, resizes_to))
    own = _OwnTextEncoder(encode, name, column, recipe, resizes_to, encode_text)
    return require_encoder(own)


class _OwnEncoder(Encoder):
    def __init__(
        self,
        encode: Callable[[list[Image.Image]], object],
        name: str,
        column: str,
        recipe: str | None,
        resizes_to: tuple[int, int] | ResizesTo | None,
    ) -> None:
        self._encode, self._resizes_to = encode, resizes_to
        self.name, self.column, self.dim = name, column, None
        self.recipe = "" if recipe is None else f"{name} {recipe}"
        self.cacheable = recipe is not None
        self.backend = getattr(encode, "__qualname__", type(encode).__name__)

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int] | None:
        return self._resizes_to(size) if callable(self._resizes_to) else self._resizes_to

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return the picture itself, uint8 ``(height, width, 3)``."""
        return np.asarray(image)

    def stack(self, prepared: Sequence[np.ndarray], like: np.ndarray | None = None) -> np.ndarray:
        """Return the pictures side by side, object ``(n,)``: their sizes may differ."""
        batch = np.empty(len(prepared), dtype=object)
        for place, picture in enumerate(prepared):  # a slice would spread equal shapes out
            batch[place] = picture
        return batch

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)``."""
        pictures = [Image.fromarray(picture) for picture in batch]
        embeddings = as_matrix(self._encode(pictures), len(pictures), self)
        self.dim = embeddings.shape[1]
        return embeddings


class _OwnTextEncoder(_OwnEncoder, TextEncoder):
    def __init__(
        self,
        encode: Callable[[list[Image.Image]], object],
        name: str,
        column: str,
        recipe: str | None,
        resizes_to: tuple[int, int] | ResizesTo | None,
        encode_text: Callable[[list[str]], object],
    ) -> None:
        super().__init__(encode, name, column, recipe, resizes_to)
        self._encode_text = encode_text

    def encode_text(self, texts: str | Iterable[str]) -> np.ndarray:
        """Return the embeddings of some texts, float32 ``(n, dim)``."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        return as_matrix(self._encode_text(texts), len(texts), self, "text")
