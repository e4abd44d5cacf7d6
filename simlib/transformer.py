"""An encoder as a step of a scikit-learn pipeline: pictures in, a matrix of embeddings out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin

from simlib.columns import Embeddings
from simlib.embedding import embed
from simlib.encoders import load_encoder
from simlib.encoders.base import Encoder


class EmbeddingTransformer(TransformerMixin, BaseEstimator):
    """Turn pictures into embeddings within scikit-learn.

    Source: the developer's guide of scikit-learn
    (https://scikit-learn.org/stable/developers/develop.html).

    Parameters
    ----------
    encoder : Encoder or str
        An encoder, or the name that :func:`simlib.load_encoder` takes; a name is loaded at the
        first use. It is not trained: ``fit`` learns nothing.
    batch_size : int
        How many pictures enter the network together.
    cache : bool
        Whether embeddings of files are cached on disk, as :func:`simlib.embed` does.

    Attributes
    ----------
    n_features_out_ : int
        The number of values in one embedding; there after the first ``transform``.

    Examples
    --------
    >>> import simlib
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> image_df = simlib.load_catalogue("sample").iloc[::100]
    >>> pixels = simlib.load_encoder("pixels", size=(8, 8))
    >>> model = make_pipeline(EmbeddingTransformer(pixels), LogisticRegression(max_iter=1000))
    >>> model.fit(image_df["img_path"], image_df["colour"]).predict(image_df["img_path"]).shape
    (12,)
    """

    def __init__(
        self, encoder: Encoder | str = "towhee", batch_size: int = 32, cache: bool = True
    ) -> None:
        self.encoder = encoder
        self.batch_size = batch_size
        self.cache = cache

    def fit(self, X: Iterable, y: object = None) -> EmbeddingTransformer:
        """Return the transformer itself; there is nothing to learn."""
        if issparse(X):
            raise TypeError(
                "Pictures can't be a sparse matrix; expected are paths or PIL pictures."
            )
        return self

    def transform(self, X: Iterable) -> np.ndarray:
        """Return the embeddings of some pictures.

        Parameters
        ----------
        X : sequence of paths or of PIL.Image.Image, or pandas.DataFrame
            The pictures; of a frame its column ``img_path``.

        Returns
        -------
        numpy.ndarray
            float32 ``(n, dim)``, row *i* for picture *i*.

        Raises
        ------
        TypeError
            If something is neither a path nor a picture.
        ValueError
            If a picture can't be read, by name: a matrix has no holes.
        KeyError
            If a frame has no column ``img_path``.
        """
        encoder = self._loaded()
        pictures = X["img_path"].tolist() if isinstance(X, pd.DataFrame) else list(X)
        for place, picture in enumerate(pictures):
            if not isinstance(picture, (str, os.PathLike, Image.Image)):
                raise TypeError(
                    f"Item {place} is {type(picture).__name__}; expected are paths of pictures or "
                    "PIL pictures."
                )
        if not pictures or isinstance(pictures[0], Image.Image):
            matrix = encoder.encode(pictures)
        else:
            matrix = self._of_files(encoder, [os.fspath(path) for path in pictures])
        self.n_features_out_ = matrix.shape[1]
        return matrix

    def _of_files(self, encoder: Encoder, paths: list[str]) -> np.ndarray:
        frame = embed(
            pd.DataFrame({"img_path": pd.Series(paths, dtype=object)}),
            encoder,
            self.batch_size,
            cache=self.cache,
            progress=False,
        )
        if "error" in frame:
            failed = frame["error"].dropna()
            raise ValueError(
                f"{len(failed)} of {len(frame)} pictures could not be read. {failed.iloc[0]} Leave "
                "them out first; simlib.embed says in its column 'error' which they are."
            )
        return Embeddings.of(frame, encoder.column).whole()

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the columns, ``towhee_img_embedding_0`` and so on."""
        encoder = self._loaded()
        dim = getattr(self, "n_features_out_", encoder.dim)
        return np.array([f"{encoder.column}_{place}" for place in range(dim or 0)], dtype=object)

    def _loaded(self) -> Encoder:
        if isinstance(self.encoder, str):
            if getattr(self, "_name", None) != self.encoder:
                self._name, self._encoder = self.encoder, load_encoder(self.encoder)
            return self._encoder
        if not isinstance(self.encoder, Encoder):
            raise TypeError(f"encoder={self.encoder!r} is neither an encoder nor the name of one.")
        return self.encoder

    def __getstate__(self) -> dict[str, Any]:
        # A name is loaded again where it is used.
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_name", "_encoder")}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags
