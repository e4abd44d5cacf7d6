"""An encoder that labels have improved: another's embedding, and beside it what they taught.

:func:`simlib.adapt` learns one; :mod:`simlib.training.adapting` has the methods. Here is what they
have in common: how it is applied, saved and loaded. Applying it needs numpy alone.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from simlib.arguments import short_repr
from simlib.encoders.base import Encoder, TextEncoder, as_matrix, require_encoder
from simlib.extras import needs_extra
from simlib.storage.atomic import atomic_write

__all__ = ["AdaptedEncoder"]

FORMAT = "simlib adapted 2"
ACTIVATIONS = ("none", "exp", "relu")
TENSORS = ("mean", "hidden", "hidden_bias", "output", "output_bias")
MOST_BYTES = 2 * 2**30
CHUNK = 2048
"""So many embeddings are projected at once."""

OFFSET = 0.8
"""What the kernel method takes from the exponentials of its scores, each 1 where a score is 0.

So a picture that looks like no label has a short vector, the same in all places, before it is
scaled: such pictures stay close to each other. Without, they would lie wherever noise points.
"""


class Learned(NamedTuple):
    """What the labels taught.

    Attributes
    ----------
    tensors : mapping of str to numpy.ndarray
        Those of ``TENSORS``, float32.
    activation : str
        Of the hidden layer, one of ``ACTIVATIONS``; with ``"none"`` there is no such layer. With
        ``"exp"`` what it gives out are scores of the labels, of which the exponential is taken.
    root : bool
        Whether the signed square root of each value is taken first (:func:`rooted`).
    spreads : tuple of float
        The standard deviations of the old cosine similarities and of the learned ones.
    """

    tensors: Mapping[str, np.ndarray]
    activation: str
    root: bool
    spreads: tuple[float, float]


class AdaptedEncoder(Encoder):
    """Another encoder's embedding beside a projection of it that was learned from labels.

    With x the old embedding and t(x) the learned one, both scaled to length 1, the new embedding is
    ``[√(1 - share) x, √share t(x)]``. So the cosine similarity of two pictures is the weighted mean
    of the old one and the learned one, and pictures of labels that were never seen are still
    compared by the old. Made by :func:`simlib.adapt`, or by ``load_encoder("adapted",
    weights=path)``.

    If the other encoder reads text, this one does, too, unless ``strength`` is 1: a text is as
    similar to a picture as before, times √(1 - share), so that words find the same pictures in the
    same order.

    Attributes
    ----------
    base : Encoder
        The other encoder.
    strength : float
        From 0 (the old order) to 1 (only what the labels taught).
    share : float
        The weight of the learned similarity.
    notes : dict
        What it was learned from: ``label_col``, ``method``, ``labels`` (the number of pictures by
        label), ``pictures``, ``without_label`` and ``without_embedding`` (those left out).

    Examples
    --------
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").iloc[::8]
    >>> pixels = simlib.load_encoder("pixels", size=(8, 8))
    >>> encoder = simlib.adapt(image_df, pixels, "colour", progress=False)
    >>> encoder
    AdaptedEncoder(column='adapted_flattened_pixels', dim=204)
    >>> encoder.with_strength(0.9).strength
    0.9
    """

    strength: float
    share: float

    def __init__(
        self,
        base: Encoder,
        learned: Learned,
        strength: float,
        notes: dict[str, Any],
    ) -> None:
        self.base = require_encoder(base)
        self.name, self.column = f"adapted {base.name}", f"adapted_{base.column}"
        self.notes = notes
        self.backend = base.backend
        self.cacheable, self.checks_cache = base.cacheable, base.checks_cache
        given = learned.tensors
        self._tensors = {name: np.ascontiguousarray(given[name], np.float32) for name in TENSORS}
        self._activation, self._root = learned.activation, learned.root
        self._spreads = learned.spreads
        self.dim = len(self._tensors["mean"]) + len(self._tensors["output_bias"])
        self._set_strength(strength)

    def _set_strength(self, strength: float) -> None:
        self.strength = require_strength(strength)
        old, learned = self._spreads  # standard deviations of the two similarities
        if min(old, learned) <= 1e-6:
            old = learned = 1.0
        self.share = strength * old / (strength * old + (1 - strength) * learned)
        digest = hashlib.sha256(f"{self._activation} {self._root} {self.share!r}".encode())
        for name in TENSORS:
            digest.update(self._tensors[name].tobytes())
        known = f"adapted by {digest.hexdigest()}: {self.base.recipe}"
        self.recipe = known if self.base.recipe else ""

    def with_strength(self, strength: float) -> AdaptedEncoder:
        """Return the same with another ``strength``; nothing has to be learned again."""
        notes = copy.deepcopy(self.notes)
        learned = Learned(self._tensors, self._activation, self._root, self._spreads)
        return adapted(self.base, learned, strength, notes)

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the adapted embeddings of some that the base made.

        Parameters
        ----------
        embeddings : numpy.ndarray
            ``(n, base.dim)``.

        Returns
        -------
        numpy.ndarray
            float32 ``(n, dim)``; each row has length 1, or is 0 where the base's has no direction.

        Raises
        ------
        ValueError
            If they have another length than those it was learned from.
        """
        rows = np.asarray(embeddings, dtype=np.float32)
        length = len(self._tensors["mean"])
        if rows.ndim != 2 or rows.shape[1] != length:
            raise ValueError(
                f"The encoder {self.name!r} was learned from embeddings of {length} values; got an "
                f"array of shape {rows.shape}. Pass those of its base, {self.base!r}."
            )
        learned = len(self._tensors["output_bias"])
        projected = np.empty((len(rows), length + learned), dtype=np.float32)
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            old = unit(rows[part])
            projected[part, :length] = np.sqrt(1 - self.share) * old
            projected[part, length:] = np.sqrt(self.share) * unit(self._learned(old))
            projected[part][~old.any(axis=1)] = 0
        return projected

    def _learned(self, old: np.ndarray) -> np.ndarray:
        values = self._tensors
        rows = centred(rooted(old) if self._root else old, values["mean"])
        if self._activation != "none":
            rows = rows @ values["hidden"].T + values["hidden_bias"]
            rows = np.exp(rows) if self._activation == "exp" else np.maximum(rows, 0)
        rows = rows @ values["output"] + values["output_bias"]
        return np.exp(rows) - np.float32(OFFSET) if self._activation == "exp" else rows

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int] | None:
        return self.base.resizes_to(size)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return what the base makes of a picture."""
        return self.base.prepare(image)

    def stack(self, prepared: list[np.ndarray], like: np.ndarray | None = None) -> np.ndarray:
        return self.base.stack(prepared, like)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)``, of pictures that the base prepared."""
        return self.project(as_matrix(self.base.encode_prepared(batch), len(batch), self.base))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was learned to one safetensors file, without the base's weights.

        ``simlib.load_encoder("adapted", weights=path)`` reads it, with ``base=encoder`` where the
        base is not one of the compact encoders. The default method keeps the embeddings of the
        pictures it learned from, so share the file only with whom you would show these.

        Parameters
        ----------
        path : path
            The file; one of that name is replaced in one step.

        Raises
        ------
        OSError
            If it can't be written; what was there before is unchanged.
        """
        with needs_extra("simclr", "Saving an adapted encoder"):
            from safetensors.numpy import save
        base = self.base
        said = {
            "activation": self._activation, "root": self._root, "spreads": list(self._spreads),
            "strength": self.strength, "notes": self.notes,
            "base": {"name": base.name, "column": base.column, "recipe": base.recipe},
        }  # fmt: skip
        path = Path(path)
        metadata = {"format": FORMAT, "adapted": json.dumps(said, default=str)}
        with atomic_write(path.parent, path.name) as file:
            file.write(save(self._tensors, metadata))


class AdaptedTextEncoder(AdaptedEncoder, TextEncoder):
    """The same of an encoder that reads text; words find what they found with it."""

    base: TextEncoder

    def __init__(
        self, base: TextEncoder, learned: Learned, strength: float, notes: dict[str, Any]
    ) -> None:
        super().__init__(base, learned, strength, notes)
        self.text_recipe, self.languages = base.text_recipe, base.languages
        self.tells_certainty = base.tells_certainty

    def encode_text(self, texts: str | Iterable[str]) -> np.ndarray:
        """Return the embeddings of some texts, float32 ``(n, dim)``: the base's, and zeros."""
        return self.encode_text_with_certainty(texts)[0]

    def encode_text_with_certainty(
        self, texts: str | Iterable[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the embeddings of some texts, and how well the base knows each."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        embeddings, certainty = self.base.encode_text_with_certainty(texts)
        old = unit(as_matrix(embeddings, len(texts), self.base, "text"))
        return np.pad(old, ((0, 0), (0, len(self._tensors["output_bias"])))), certainty


def adapted(
    base: Encoder, learned: Learned, strength: float, notes: dict[str, Any]
) -> AdaptedEncoder:
    """Return the encoder; one that reads text where the base does and keeps a share of it."""
    if isinstance(base, TextEncoder) and strength < 1:
        return AdaptedTextEncoder(base, learned, strength, notes)
    return AdaptedEncoder(base, learned, strength, notes)


def load_adapted(
    weights: str | os.PathLike[str], device: str | None = None, base: Encoder | None = None
) -> AdaptedEncoder:
    """Return what :meth:`AdaptedEncoder.save` wrote.

    Parameters
    ----------
    weights : path
        The file.
    device : str, optional
        Where the base runs.
    base : Encoder, optional
        The encoder that it was learned on; by default the compact one of that name.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file, something in it does not fit together or is not finite, or the base
        is another encoder than the one that it was learned on.
    """
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no adapted encoder at {short_repr(str(weights))}. Pass the path of what its "
            'method save wrote: load_encoder("adapted", weights=path).'
        )
    tensors, said = _read(path)
    theirs = said["base"]
    if base is None:
        base = _compact(theirs, device)
    require_encoder(base)
    if base.recipe != theirs["recipe"] or base.dim not in (None, len(tensors["mean"])):
        raise ValueError(
            f"{path.name!r} was learned on the encoder {short_repr(theirs['name'])} with the "
            f"recipe {theirs['recipe']!r}, but the base {base!r} has {base.recipe!r}, so its "
            "embeddings don't fit. Pass that encoder as base=, or adapt this one anew."
        )
    learned = Learned(tensors, said["activation"], said["root"], tuple(said["spreads"]))
    return adapted(base, learned, said["strength"], said["notes"])


def _compact(theirs: dict, device: str | None) -> Encoder:
    from simlib.encoders import load_encoder

    if theirs["name"] not in ("towhee", "simclr", "clip"):  # nothing is fetched because of a file
        raise ValueError(
            f"This was learned on the encoder {short_repr(theirs['name'])} (recipe: "
            f'{short_repr(theirs["recipe"])}). Pass it: load_encoder("adapted", weights=path, '
            "base=encoder)."
        )
    return load_encoder(theirs["name"], device=device)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the tensors and what else a file says, or raise a ValueError that says what is off."""
    with needs_extra("simclr", "Loading an adapted encoder"):
        from safetensors import SafetensorError, safe_open
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path.name!r} is larger than {MOST_BYTES:,} bytes; no save wrote it.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            found = {name: file.get_tensor(name) for name in file.keys()}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {short_repr(metadata.get('format'))}, not {FORMAT!r}")
        said = json.loads(metadata["adapted"])
        _require_fit(found, said)
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path.name!r} is not what an adapted encoder's save wrote ({error}). Save it again, "
            "or adapt anew."
        ) from error
    return found, said


def _require_fit(found: dict[str, np.ndarray], said: dict[str, Any]) -> None:
    if set(found) != set(TENSORS):
        raise ValueError(f"it holds {sorted(found)} in place of {sorted(TENSORS)}")
    (dim,), (hidden,), (learned,) = (
        found[name].shape for name in ("mean", "hidden_bias", "output_bias")
    )
    if said["activation"] not in ACTIVATIONS:
        raise ValueError(f"the activation is {short_repr(said['activation'])}")
    if not isinstance(said["root"], bool):
        raise ValueError(f"the root is {short_repr(said['root'])}, not true or false")
    enters = dim if said["activation"] == "none" else hidden
    sizes = {"hidden": (hidden, dim), "output": (enters, learned)}
    for name, size in sizes.items():
        if found[name].shape != size:
            raise ValueError(f"{name} has the shape {found[name].shape}, not {size}")
    for name, tensor in found.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise ValueError(f"not all numbers of {name} are finite and float32")
    if min(dim, enters, learned) < 1:
        raise ValueError("it is empty")
    require_strength(said["strength"])
    spreads = said["spreads"]
    if len(spreads) != 2 or not all(isinstance(s, float) and 0 <= s < 10 for s in spreads):
        raise ValueError(f"the spreads are {short_repr(spreads)}")
    texts = [said["base"][name] for name in ("name", "column", "recipe")]
    if not all(isinstance(text, str) for text in texts) or not isinstance(said["notes"], dict):
        raise ValueError("it does not say what it was learned on")


def require_strength(strength: object) -> float:
    """Return ``strength``, or raise a ValueError unless it is a number from 0 to 1."""
    is_number = isinstance(strength, (int, float, np.integer, np.floating))
    if isinstance(strength, bool) or not is_number or not 0 <= strength <= 1:  # type: ignore[operator]
        raise ValueError(
            f"strength={short_repr(strength)} must lie between 0 (the old embedding alone) and 1 "
            "(only what the labels taught)."
        )
    return float(strength)  # type: ignore[arg-type]


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows scaled to length 1, float32; 0 for those that have no direction."""
    rows = np.asarray(rows, dtype=np.float32)
    with np.errstate(all="ignore"):
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
        scaled = rows / largest  # no square overflows, or vanishes
        scaled /= np.sqrt(np.vecdot(scaled, scaled))[:, None]
    return np.where(np.isfinite(largest) & (largest > 0), scaled, np.float32(0))


def centred(old: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return unit rows without their common mean, scaled to length 1 again."""
    return unit(old - mean)


def rooted(old: np.ndarray) -> np.ndarray:
    """Return unit rows with the signed square root of each value, which have length 1 again.

    The mean activations of a network are mostly small, and a few large ones would rule a distance.
    Source: Perronnin et al., "Improving the Fisher Kernel for Large-Scale Image Classification"
    (ECCV 2010); of rows without negative values it is the Hellinger kernel.
    """
    return unit(np.sign(old) * np.sqrt(np.abs(old)))
