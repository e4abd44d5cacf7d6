"""The text tower in many languages that goes with the compact model's pictures.

multilingual-e5-small (:mod:`simlib.networks.e5_small`), and two layers from its 384 values to the
compact model's text space. Only those layers are ours
(``data/models/clip_multilingual.safetensors``, made by ``data/make/train_multilingual.py``). They
were trained as Reimers and Gurevych did, "Making Monolingual Sentence Embeddings Multilingual using
Knowledge Distillation" (https://arxiv.org/abs/2004.09813): a text and its translation are to lie
where the compact model has the English text. The pictures are those of
:mod:`simlib.networks.clip_compact`, unchanged.

The result is a plain sentence-transformers folder of stock modules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from simlib.data_files import data_folder, restore_hint
from simlib.networks import e5_small
from simlib.networks.assembled import (
    DENSE,
    NORMALIZE,
    NORMALIZED,
    POOLING,
    TRANSFORMER,
    assembled_folder,
    dense_settings,
    pooling_settings,
    require_hash,
    transformer_settings,
    write_safetensors,
    write_settings,
)

PROJECTION = data_folder() / "models" / "clip_multilingual.safetensors"
PROJECTION_SHA256 = "79ca95efb2b5858993c0f37c9c064a610d61f4eee3034176c9742238c0ba01bd"
ASSEMBLY = 2  # raised when the code below builds another folder from the same weights
UNITS = 8192 + 2048 + e5_small.DIM  # of the hidden layer: random, learned, and the values
TEXT_RECIPE = f"multilingual {PROJECTION_SHA256[:12]}"
LANGUAGES = ("en", "zh", "fa", "es", "fr", "de", "ja")  # those it was trained with
PREFIX = "query: "  # which the network expects before a text that is compared with others

SETTINGS: dict[str, object] = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": TRANSFORMER},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": POOLING},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": NORMALIZE},
        {"idx": 3, "name": "3", "path": "3_Dense", "type": DENSE},
        {"idx": 4, "name": "4", "path": "4_Dense", "type": DENSE},
    ],
    "config_sentence_transformers.json": {
        "__version__": {"sentence_transformers": "6.0.0"}, "default_prompt_name": None,
        "model_type": "SentenceTransformer", "prompts": {"document": "", "query": ""},
        "similarity_fn_name": "cosine",
    },
    "sentence_bert_config.json": transformer_settings(
        "text", "last_hidden_state", "token_embeddings"
    ),
    "config.json": {
        "add_cross_attention": False, "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1, "bos_token_id": None, "classifier_dropout": None,
        "dtype": "float32", "eos_token_id": None, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "hidden_size": e5_small.DIM, "initializer_range": 0.02,
        "intermediate_size": e5_small.INNER, "is_decoder": False, "layer_norm_eps": 1e-12,
        "max_position_embeddings": e5_small.TOKENS, "model_type": "bert",
        "num_attention_heads": e5_small.HEADS, "num_hidden_layers": e5_small.LAYERS,
        "pad_token_id": 1, "tie_word_embeddings": True, "type_vocab_size": 2, "use_cache": False,
        "vocab_size": e5_small.VOCABULARY,
    },
    "tokenizer_config.json": {
        "backend": "tokenizers", "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>",
        "mask_token": "<mask>", "model_max_length": e5_small.TOKENS, "pad_token": "<pad>",
        "padding_side": "right", "sep_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast",
        "truncation_side": "right", "unk_token": "<unk>",
    },
    "1_Pooling/config.json": pooling_settings(e5_small.DIM, "mean"),
    "2_Normalize/config.json": NORMALIZED,
    "3_Dense/config.json": dense_settings(e5_small.DIM, UNITS, "activation.ReLU"),
    "4_Dense/config.json": dense_settings(UNITS, e5_small.DIM, "linear.Identity"),
}  # fmt: skip
"""All settings in the folder, by file: no library decides what is written there."""

SHA256 = {
    "model.safetensors": "cda1fc089b4d4936ad8ef8138977332fad4ca4fb2984f8a454cab737b53e7559",
    "tokenizer.json": "d9208501fd4e32f339acafac900cd43efd6a89c26e514955c99bfac2cfafd5cf",
    "3_Dense/model.safetensors": "5f7a1d137b9ef3d673ff73b347914f50d949dc5c5e5434f5f8a3c29a39fb08dd",
    "4_Dense/model.safetensors": "eb8bd84c9a047394e444780562c0745972daa114595ce7e93a50ad4143154108",
}
"""Of the other files in the folder."""


def multilingual_folder() -> Path:
    """Return the folder of the text tower, putting it together if it is missing or changed.

    Raises
    ------
    ImportError
        If the package with the weights is missing.
    FileNotFoundError, ValueError
        If the learned layers or the weights are missing, or not the ones whose SHA-256 is pinned.
    OSError
        If the folder can't be written.
    """
    return assembled_folder(
        f"clip-multilingual-{PROJECTION_SHA256[:12]}-{ASSEMBLY}",
        "The text tower in many languages",
        SETTINGS,
        SHA256,
        _assemble,
    )


def are_foreign(embeddings: np.ndarray) -> np.ndarray:
    """Return which of the compact model's embeddings of texts seem not to be of English ones.

    That is on which side of a learned plane they lie (``data/make/english_or_not.py``;
    ``data/README.md`` has how often that is wrong).

    Parameters
    ----------
    embeddings : numpy.ndarray
        float32 ``(n, 384)``.

    Returns
    -------
    numpy.ndarray
        bool ``(n,)``.

    Raises
    ------
    FileNotFoundError, ValueError
        If the learned weights are missing or others.
    """
    learned = _learned(PROJECTION)
    return embeddings @ learned["english.weight"] + learned["english.offset"] > 0


@cache
def _learned(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    require_hash(path, PROJECTION_SHA256, restore_hint())
    return load_file(path)


def pack(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors as the file keeps them.

    The random weights are all as large and differ in sign only, so that a bit is enough for each;
    other matrices are whole numbers of 8 bits times a scale for each row.

    Parameters
    ----------
    tensors : mapping
        Weights and biases of the layers ``random`` (units, 384), ``from_random`` (384, units),
        ``learned`` (others, 384), ``linear`` (384, 384), and the weight of ``from_learned``
        (384, others).
    """
    packed = {}
    for name, tensor in tensors.items():
        if name == "random.weight":
            packed["random.signs"] = np.packbits(tensor > 0, axis=1)  # uint8 (units, 48)
            packed["random.scale"] = np.abs(tensor[:1, :1]).astype(np.float32)  # (1, 1)
        elif tensor.ndim == 2:
            scale = np.abs(tensor).max(axis=1, keepdims=True) / 127  # (rows, 1)
            packed[name] = np.round(tensor / scale).astype(np.int8)
            packed[name.replace("weight", "scale")] = scale.astype(np.float32)
        else:
            packed[name] = tensor.astype(np.float16)
    # What lies in memory column by column would be saved as if it lay row by row.
    return {name: np.ascontiguousarray(tensor) for name, tensor in packed.items()}


def dense_layers(
    packed: Mapping[str, np.ndarray],
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return weight and bias of two layers with a ReLU between, from what the file keeps.

    What the random and the learned units give is added, and so is what a linear layer makes of the
    values. The stock modules stand in a row, so the values pass through the ReLU as well: raised by
    1 they are not negative, since what the network gives has length 1.

    Returns
    -------
    tuple
        float32 ``((units, 384), (units,))`` and ``((384, units), (384,))``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shapes = {"random": (16, 8), "from_random": (8, 16), "learned": (4, 8), "linear": (8, 8)}
    >>> layers = {f"{name}.weight": rng.normal(size=shape) for name, shape in shapes.items()}
    >>> layers |= {f"{name}.bias": rng.normal(size=shape[0]) for name, shape in shapes.items()}
    >>> layers["from_learned.weight"] = rng.normal(size=(8, 4))
    >>> layers["random.weight"] = np.sign(layers["random.weight"])
    >>> (weight, bias), (last, end) = dense_layers(pack(layers))
    >>> values = np.full(8, -(8**-0.5))
    >>> def given(name, values):
    ...     return layers[f"{name}.weight"] @ values + layers.get(f"{name}.bias", 0)
    >>> wanted = given("from_random", np.maximum(given("random", values), 0))
    >>> wanted += given("from_learned", np.maximum(given("learned", values), 0))
    >>> wanted += given("linear", values)
    >>> found = last @ np.maximum(weight @ values + bias, 0) + end
    >>> bool(np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max())
    True
    """

    def weight(name: str) -> np.ndarray:
        return packed[f"{name}.weight"].astype(np.float32) * packed[f"{name}.scale"]

    def bias(name: str) -> np.ndarray:
        return packed[f"{name}.bias"].astype(np.float32)

    linear = weight("linear")
    # What 1 adds, as a sum of whole numbers: one of floats depends on the processor.
    scale = packed["linear.scale"][:, 0].astype(np.float64)
    raised = packed["linear.weight"].sum(axis=1, dtype=np.int64) * scale  # (384,)
    dim = len(linear)
    signs = np.unpackbits(packed["random.signs"], axis=1)[:, :dim].astype(np.float32) * 2 - 1
    random = signs * packed["random.scale"]
    first = (
        np.concatenate([random, weight("learned"), np.eye(dim, dtype=np.float32)]),
        np.concatenate([bias("random"), bias("learned"), np.ones(dim, dtype=np.float32)]),
    )
    second = (
        np.concatenate([weight("from_random"), weight("from_learned"), linear], axis=1),
        (bias("from_random") + bias("linear") - raised).astype(np.float32),
    )
    return first, second


def _assemble(folder: Path) -> None:
    write_settings(folder, SETTINGS)
    write_tower(folder, e5_small.read_weights(e5_small.weights_path()))
    for place, (weight, bias) in enumerate(dense_layers(_learned(PROJECTION)), start=3):
        tensors = {"linear.weight": weight, "linear.bias": bias}
        write_safetensors(folder / f"{place}_Dense" / "model.safetensors", tensors)


def write_tower(folder: Path, network: e5_small.E5Small) -> None:
    """Write the network and its tokenizer, without the layers after it."""
    tensors = dict(network.tensors)
    # BERT has a layer for pairs of sentences, which nothing reads and the file leaves out.
    tensors["pooler.dense.weight"] = np.zeros((e5_small.DIM, e5_small.DIM), dtype=np.float16)
    tensors["pooler.dense.bias"] = np.zeros(e5_small.DIM, dtype=np.float16)
    write_safetensors(folder / "model.safetensors", tensors)
    text = json.dumps(tokenizer(network.pieces), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_bytes(text.encode("utf-8"))


def tokenizer(pieces: list[tuple[str, float]]) -> dict[str, object]:
    """Return XLM-RoBERTa's tokenizer in the format of the library tokenizers.

    The prefix is part of it: whoever opens the folder can't forget it. Characters are normalized
    by Nmt and NFKC, which do what the file's own map does, but for "～" and one other
    (``tests/test_multilingual.py``), and join accents to their letters as well.
    """
    special = {name: place for place, (name, _) in enumerate(pieces[:4])}
    special["<mask>"] = len(pieces) - 1
    added = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    words = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    marks = {"<s>": 0, "</s>": 2}

    def mark(token: str) -> dict[str, object]:
        return {"SpecialToken": {"id": token, "type_id": 0}}

    def text(name: str) -> dict[str, object]:
        return {"Sequence": {"id": name, "type_id": 0}}

    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": place, "content": name, "special": True, **added}
            for name, place in special.items()
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": PREFIX},
                {"type": "Nmt"},
                {"type": "NFKC"},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, words],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [mark("<s>"), text("A"), mark("</s>")],
            "pair": [mark("<s>"), text("A"), mark("</s>"), mark("</s>"), text("B"), mark("</s>")],
            "special_tokens": {
                name: {"id": name, "ids": [place], "tokens": [name]}
                for name, place in marks.items()
            },
        },
        "decoder": words,
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": False, "vocab": pieces},
    }
