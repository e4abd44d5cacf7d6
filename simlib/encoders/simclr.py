"""Strategy 3: a network that learned, without labels, to bring two views of a picture together.

Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations"
(https://arxiv.org/abs/2002.05709), as lightning-bolts implements it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from simlib.encoders.base import Encoder, choose_device, sha256_of
from simlib.encoders.inference import load_network

SIDE = 64
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of ImageNet, channels R, G, B
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
PREPROCESSING = "resize 64 × 64 bilinear, (x - mean) / std of ImageNet"
COMPACT_PATH = Path(__file__).resolve().parents[2] / "data/models/simclr_resnet18_64.safetensors"
COMPACT_SHA256 = "58f0cc21d2ea37ac189724dacbd19b56d7a85f2cb6bc4356881b5d58259ac9d0"


class SimclrEncoder(Encoder):
    """Embeds pictures with a network trained by SimCLR.

    What the tutorial does with a Dataset and a DataLoader: a picture is resized to 64 × 64 whatever
    its shape, normalised, and read in batches by the ResNet behind SimCLR, without its projection.
    Of the published network the embedding is, as in the paper, what its last stage gives, averaged
    over the picture. Of the networks that :func:`train` made, the compact one among them, it is
    what the third stage gives in the picture's four quarters, whitened, and averaged over the
    picture and its mirror image; that finds better neighbours (the card has the figures), and needs
    no labels either.

    Parameters
    ----------
    weights : str or os.PathLike
        ``"compact"``: a ResNet-18 of our own, 512 values, in this repository (its card is in
        ``data/README.md``). ``"published"``: the ResNet-50 that bolts trained on ImageNet, 2,048
        values, downloaded once. Or the path of what :func:`train` made.
    device : str, optional
        Where the network runs; by default CUDA where there is one, then MPS, then the CPU.
    precision : str
        ``"float32"``, or ``"bfloat16"``: faster where the processor has it, and less exact.
    backend : str, optional
        ``"torch"`` to have torch run the network where OpenVINO would: on a CPU, where the package
        openvino is installed.

    Raises
    ------
    FileNotFoundError
        If there is no such file of weights.
    ValueError
        If the file is not what it should be; nothing in it is run.
    ConnectionError
        If the published weights are neither here nor to be had.

    Examples
    --------
    >>> encoder = SimclrEncoder(device="cpu")
    >>> encoder.encode([Image.new("RGB", (30, 40), "red"), Image.new("RGB", (64, 64))]).shape
    (2, 512)
    """

    name = "simclr"
    column = "simclr_img_embeddings"

    def __init__(
        self,
        weights: str | os.PathLike[str] = "compact",
        device: str | None = None,
        precision: str = "float32",
        backend: str | None = None,
    ) -> None:
        self._device = choose_device(device)
        self._both_ways = weights != "published"
        if weights == "published":
            network, sha256 = _published_network()
            self.dim = dim_of("resnet50")
        else:
            path = COMPACT_PATH if weights == "compact" else Path(weights)
            network, arch, sha256 = _own_network(path)
            self.dim = dim_of(arch)
        self._take(network, f"weights {sha256}", precision, backend)

    @classmethod
    def of_network(cls, network, dim: int, device: str = "cpu") -> SimclrEncoder:
        """Return an encoder around a network in memory, such as one that is being trained."""
        encoder = cls.__new__(cls)
        encoder._device, encoder.dim, encoder._both_ways = device, dim, False
        digest = hashlib.sha256()
        for name, tensor in network.state_dict().items():
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
        encoder._take(network, f"network {digest.hexdigest()}", backend="torch")
        return encoder

    def _take(
        self, network, origin: str, precision: str = "float32", backend: str | None = None
    ) -> None:
        ways = " mean with the mirror image" if self._both_ways else ""
        self.recipe = f"simclr {origin} {PREPROCESSING}{ways}"
        self._network = load_network(
            "simclr",
            self.recipe,
            lambda: _both_ways(network) if self._both_ways else network,
            np.zeros((3, SIDE, SIDE), dtype=np.float32),
            self._device,
            precision,
            backend,
        )
        self.backend = self._network.backend
        self.recipe += f" {self._network.precision}"

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Return a picture as the network reads it, float32 ``(3, 64, 64)``."""
        return resize_and_normalise(image)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Return the embeddings, float32 ``(n, dim)``, of prepared pictures ``(n, 3, 64, 64)``."""
        return self._network(np.ascontiguousarray(batch, dtype=np.float32))


def _both_ways(network):
    """Return a network that averages what another one gives for a picture and its mirror image."""
    import torch

    class BothWays(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return (self.network(pictures) + self.network(pictures.flip(3))) / 2  # (n, dim)

    return BothWays()


def resize_and_normalise(image: Image.Image) -> np.ndarray:
    """Return an RGB picture as SimCLR's networks read it.

    Returns
    -------
    numpy.ndarray
        float32 ``(3, 64, 64)``; 0 is ImageNet's mean colour, 1 one standard deviation above it.

    Examples
    --------
    >>> resize_and_normalise(Image.new("RGB", (30, 40), (124, 116, 104)))[:, 0, 0].round(1) + 0.0
    array([0., 0., 0.], dtype=float32)
    """
    resized = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized, dtype=np.float32) / 255  # (64, 64, 3)
    return np.ascontiguousarray(((pixels - MEAN) / STD).transpose(2, 0, 1))


def build(arch: str):
    """Return an untrained network of SimCLR's in evaluation mode, for embeddings.

    It is torchvision's, which is what lightning-bolts' own was copied from: the tensors have the
    same names, the results are the same, and it loads in a fraction of the time.

    Parameters
    ----------
    arch : str
        ``"resnet18"`` (embeddings of 512 values) or ``"resnet50"`` (2,048).

    Examples
    --------
    >>> build("resnet18").fc
    Identity()
    """
    import torch
    import torchvision

    dim_of(arch)  # refuses what SimCLR was not trained with here
    network = torchvision.models.get_model(arch, weights=None)
    network.fc = torch.nn.Identity()  # SimCLR takes what lies before the classifier
    return network.eval()


def dim_of(arch: str) -> int:
    """Return the number of values in an embedding of a network.

    Examples
    --------
    >>> dim_of("resnet18")
    512
    """
    dims = {"resnet18": 512, "resnet50": 2048}
    if arch not in dims:
        raise ValueError(f"There is no network {arch!r} for SimCLR; choose one of {list(dims)}.")
    return dims[arch]


def _own_network(path: Path):
    """Return the network in a file that `train` made, its architecture, and the file's SHA-256."""
    import torch

    if not path.is_file():
        raise FileNotFoundError(
            f"There are no SimCLR weights at {path}. "
            + (
                "They lie in simlib's repository: install it from a clone (pip install -e .)."
                if path == COMPACT_PATH
                else "Expected is 'compact', 'published', or the path that train() returned."
            )
        )
    sha256 = sha256_of(path)
    if path == COMPACT_PATH and sha256 != COMPACT_SHA256:
        raise ValueError(
            f"The SimCLR weights {path} are damaged or were changed: their SHA-256 is {sha256}, "
            f"expected {COMPACT_SHA256}. Restore them with: git checkout -- {path}"
        )
    parts, settings = _read_parts(path)
    network = build(settings["arch"])
    _load_all(network, parts["encoder"], path)
    whitening = torch.nn.Linear(_cells(network), dim_of(settings["arch"]))
    _load_all(whitening, parts["whitening"], path)
    return torch.nn.Sequential(_third_stage(network), whitening), settings["arch"], sha256


def _third_stage(network):
    """Return what reads a ResNet's third stage, ``layer3``, on a grid of 2 × 2 cells.

    Before the last stage the features serve the contrastive task less and other tasks better, and
    cells keep where in the picture something is. Source: Bordes et al., "Guillotine
    Regularization" (https://arxiv.org/abs/2206.13378).
    """
    import torch

    stages = list(network.children())[:7]  # conv1, bn1, relu, maxpool, layer1, layer2, layer3
    return torch.nn.Sequential(*stages, torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())


def _cells(network) -> int:
    """Return how many values `_third_stage` gives for a picture."""
    return 4 * network.layer4[0].conv1.in_channels


def _read_parts(path: Path) -> tuple[dict[str, dict], dict]:
    """Return the tensors of a file by `train`, float32, by their part; and the run's settings."""
    from safetensors import SafetensorError, safe_open

    parts: dict[str, dict] = {"encoder": {}, "whitening": {}}
    try:
        with safe_open(path, framework="pt") as file:
            settings = json.loads((file.metadata() or {}).get("simclr", "null"))
            for full_name in file.keys():  # noqa: SIM118 (it is no dict)
                part, _, name = full_name.partition(".")
                tensor = file.get_tensor(full_name)
                is_float = tensor.is_floating_point()
                parts.setdefault(part, {})[name] = tensor.float() if is_float else tensor
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"The file {path} holds no safetensors weights ({error}).") from None
    if settings is None or len(parts) > 2:
        raise ValueError(f"The file {path} was not made by simlib's train().")
    return parts, settings


def _published_network():
    from simlib.encoders.simclr_published import fetch_checkpoint, read_encoder_weights

    path = fetch_checkpoint()
    network = build("resnet50")
    names = {*network.state_dict(), "fc.weight", "fc.bias"}  # which nothing calls in bolts either
    weights, sha256 = read_encoder_weights(path, names)
    _load_all(network, {n: t for n, t in weights.items() if not n.startswith("fc.")}, path)
    return network, sha256


def _load_all(network, weights: dict, path: Path) -> None:
    try:
        network.load_state_dict(weights, strict=True)  # missing and foreign names are errors
    except RuntimeError as error:
        raise ValueError(f"The weights in {path} do not fit their network: {error}") from None


def train(
    image_paths: Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    epochs: int = 100,
    batch_size: int = 128,
    temperature: float = 0.2,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-6,
    warmup_epochs: int = 5,
    view_side: int = 48,
    smallest_crop: float = 0.2,
    colour_strength: float = 0.5,
    grey_probability: float = 0.2,
    averaging: float = 0.99,
    seed: int = 0,
    start_from: str | os.PathLike[str] | None = None,
    device: str | None = None,
    precision: str | int = 32,
    evaluate: Callable[[SimclrEncoder], dict[str, float]] | None = None,
    every: int = 5,
    progress: bool = True,
) -> Path:
    """Train a ResNet-18 by SimCLR on pictures without labels, on bolts' module and Lightning.

    At last the mean and covariance over the pictures decide how the embeddings are whitened.

    Every picture is decoded once and kept in memory (about 16 kB each). A run that was killed goes
    on where its last checkpoint was written when called again with the same arguments, and ends
    with the same weights as one that was not (on the same machine with as many threads).

    Parameters
    ----------
    image_paths : iterable of path
        The pictures. One that can't be read is named in a warning, left out and counted.
    folder : path
        Takes the weights (``simclr.safetensors``), the curve (``curve.csv``) and the checkpoint.
    epochs : int
        How often each picture is seen, in two views each time.
    batch_size : int
        Pictures in a step; each has the others' views as its negatives.
    temperature : float
        Divides the cosine similarities in the loss; smaller looks harder at the nearest negatives.
    learning_rate, weight_decay : float
        Of Adam; the rate rises for ``warmup_epochs`` and falls along a cosine to 0.
    warmup_epochs : int
        See ``learning_rate``.
    view_side : int
        Height and width of a view, pixels; at least 32, which the ResNet makes a single cell of.
    smallest_crop, colour_strength, grey_probability : float
        See :func:`simlib.encoders.simclr_training.draw_views`.
    averaging : float
        The weights that are kept are a running average: this share of the old at each step. 0 keeps
        the last weights.
    seed : int
        Decides the first weights, the order of the pictures and the views.
    start_from : path, optional
        What to begin with instead of random weights: those that an earlier call returned (or the
        compact ones, ``COMPACT_PATH``), or its ``last.ckpt``, which has the projection too.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"mps"``; by default the best there is.
    precision : 32 or "bf16"
        ``"bf16"`` computes the network in bfloat16: 2 to 5 times faster on GPUs and CPUs that have
        it, far slower on CPUs that do not.
    evaluate : callable, optional
        Called after every ``every`` epochs with an encoder of the current weights, whose embedding
        is that of the paper (the last stage, not whitened); what it returns goes into the curve.
    every : int
        Epochs between two checkpoints (and evaluations).
    progress : bool
        Whether to show a bar.

    Returns
    -------
    pathlib.Path
        The weights, in half precision, for ``load_encoder("simclr", weights=path)``.

    Raises
    ------
    ValueError
        If fewer pictures than a batch can be read, if ``view_side`` is less than 32, or if
        ``folder`` holds another run.
    FloatingPointError
        If the loss is no longer a number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [f"{folder}/{i}.png" for i in range(4)]
    ...     for i, path in enumerate(paths):
    ...         Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(path)
    ...     weights = train(
    ...         paths, folder, epochs=1, batch_size=4, view_side=32, device="cpu", progress=False
    ...     )
    ...     SimclrEncoder(weights, device="cpu").dim
    512
    """
    import torch
    from torch.utils.data import DataLoader

    from simlib.encoders import simclr_training as training
    from simlib.encoders.simclr_bolts import known_warnings_silenced

    if view_side < 32:  # oneDNN's bfloat16 convolution gives NaN where a 1 × 1 map is halved
        raise ValueError(f"view_side is {view_side}; the ResNet needs views of 32 pixels or more.")
    pixels = _decode(image_paths, side=view_side * 3 // 2, progress=progress)
    if len(pixels) < batch_size:
        raise ValueError(
            f"{len(pixels)} pictures can be read, which is less than one batch ({batch_size}). "
            "Give more pictures or a smaller batch_size."
        )
    settings = {
        "arch": "resnet18", "epochs": epochs, "batch_size": batch_size, "temperature": temperature,
        "learning_rate": learning_rate, "weight_decay": weight_decay,
        "warmup_epochs": warmup_epochs, "view_side": view_side, "smallest_crop": smallest_crop,
        "colour_strength": colour_strength, "grey_probability": grey_probability,
        "averaging": averaging, "seed": seed, "precision": str(precision), "pictures": len(pixels),
        "start_from": None if start_from is None else sha256_of(start_from),
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(settings).encode() + pixels.numpy().tobytes()).hexdigest()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / training.CHECKPOINT
    if checkpoint.exists():
        _refuse_other_run(checkpoint, digest, training.Bookkeeper.__qualname__)

    device = choose_device(device)
    with torch.random.fork_rng(), known_warnings_silenced():
        torch.manual_seed(seed)
        module = training.ContrastiveSimCLR(
            seed=seed,
            views={
                "side": view_side,
                "smallest_crop": smallest_crop,
                "colour_strength": colour_strength,
                "grey_probability": grey_probability,
            },
            averaging=averaging,
            num_samples=len(pixels),
            batch_size=batch_size,
            arch="resnet18",
            hidden_mlp=dim_of("resnet18"),
            temperature=temperature,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            warmup_epochs=warmup_epochs,
            max_epochs=epochs,
        ).to(memory_format=torch.channels_last)
    if start_from is not None:
        _start_from(module, Path(start_from))

    def evaluate_average(module) -> dict[str, float]:
        network = build(module.arch)
        network.load_state_dict(module.averaged.module.state_dict())
        return evaluate(SimclrEncoder.of_network(network, module.hidden_mlp, device))

    keeper = training.Bookkeeper(folder, every, digest, evaluate and evaluate_average)
    loader = DataLoader(
        training.DecodedPictures(pixels),
        sampler=training.ShuffledBatches(len(pixels), batch_size, seed),
        batch_size=None,  # the sampler's items are batches already
    )
    # Lightning reports which kinds of processors it did not find; that is no news to a reader.
    lightning_log = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    level = lightning_log.level
    with warnings.catch_warnings():
        # The pictures lie in memory already: worker processes would only copy them.
        warnings.filterwarnings("ignore", r"The dataloader, train_dataloader, does not have many w")
        # bolts' module can validate; what is worth knowing here is not its loss on other pictures.
        warnings.filterwarnings("ignore", r"You defined a `validation_step` but have no `val_data")
        # A batch is a step here, whatever Lightning's idea of how often to log one.
        warnings.filterwarnings("ignore", r"The number of training batches \(\d+\) is smaller than")
        lightning_log.setLevel(logging.WARNING)
        trainer = training.Trainer(
            accelerator={"cuda": "gpu"}.get(torch.device(device).type, torch.device(device).type),
            devices=1,
            precision=precision,
            max_epochs=epochs,
            callbacks=[keeper],
            deterministic="warn",
            logger=False,
            enable_checkpointing=False,  # the bookkeeper does it, so that a kill can't harm it
            enable_model_summary=False,
            enable_progress_bar=progress,
        )
        try:
            trainer.fit(module, loader, ckpt_path=str(checkpoint) if checkpoint.exists() else None)
        finally:
            module.on_train_end()  # which Lightning leaves out after an error
            lightning_log.setLevel(level)
    if trainer.interrupted:  # Lightning swallows Ctrl-C, and would let a half-trained network pass
        raise KeyboardInterrupt

    weights = folder / "simclr.safetensors"
    whitening = _whitening(module.averaged.module, pixels)
    training.save_whole(weights, lambda path: _save(module, whitening, settings, path))
    return weights


def _decode(image_paths: Iterable, side: int, progress: bool):
    """Return the pictures that can be read as one uint8 tensor ``(n, 3, side, side)``."""
    import torch
    from tqdm.auto import tqdm

    from simlib.images import ImageError, load_image

    decoded, failures = [], []
    for path in tqdm(list(image_paths), desc="decoding", disable=not progress):
        try:
            picture = load_image(path).resize((side, side), Image.Resampling.BILINEAR)
        except ImageError as error:
            failures.append(str(error))
            continue
        decoded.append(np.asarray(picture).transpose(2, 0, 1))
    if failures:
        warnings.warn(
            f"{len(failures)} of {len(decoded) + len(failures)} pictures were left out: "
            + " ".join(failures[:5])
            + (" …" if len(failures) > 5 else ""),
            stacklevel=3,
        )
    if not decoded:
        return torch.empty((0, 3, side, side), dtype=torch.uint8)
    return torch.from_numpy(np.stack(decoded))


def _start_from(module, path: Path) -> None:
    import torch

    if path.suffix == ".safetensors":
        _load_all(module.encoder, _read_parts(path)[0]["encoder"], path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        for network, prefix in (
            (module.encoder, "averaged.module."), (module.projection, "projection.")
        ):  # fmt: skip
            named = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            _load_all(network, named, path)


def _refuse_other_run(checkpoint: Path, digest: str, keeper: str) -> None:
    import torch

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["callbacks"][keeper]["fingerprint"] != digest:
        raise ValueError(
            f"The folder {checkpoint.parent} holds a run with other pictures or settings. Choose "
            f"another folder, or delete {checkpoint.name} in it to start anew."
        )


def _whitening(network, pixels) -> dict:
    """Return the weight and bias that turn what `_third_stage` reads into embeddings.

    The embeddings of the pictures then have mean 0, and along their principal components equal
    variances, but for those so faint that they are mostly noise. A cosine of what was read would be
    ruled by the few directions in which all pictures vary most. Source: Jégou and Chum, "Negative
    evidences and co-occurences in image retrieval: the benefit of PCA and whitening" (ECCV
    2012).
    """
    import torch
    from torch.nn import functional

    from simlib.encoders.simclr_training import normalise

    device = next(network.parameters()).device
    read, dim = _third_stage(network), dim_of("resnet18")
    parts = []
    with torch.inference_mode():
        for batch in pixels.split(128):
            batch = functional.interpolate(
                batch.to(device).float() / 255, (SIDE, SIDE), mode="bilinear", antialias=True
            )
            parts.append(read(normalise(batch)).double().cpu())
    values = torch.cat(parts)  # (n, 1024)
    mean = values.mean(0)
    variances, directions = torch.linalg.eigh(torch.cov((values - mean).T))
    scale = (variances.clamp(min=0) + 0.3 * variances.mean() + 1e-9).rsqrt()
    weight = (directions * scale).T.flip(0)[:dim]  # the direction of most variance first
    return {"weight": weight.float().contiguous(), "bias": -(weight @ mean).float()}


def _save(module, whitening: dict, settings: dict, path: Path) -> None:
    """Write the averaged network and the whitening; matrices in half precision."""
    from safetensors.torch import save_file

    state = {f"encoder.{k}": v for k, v in module.averaged.module.state_dict().items()}
    state |= {f"whitening.{k}": v for k, v in whitening.items()}
    compact = {  # what has one axis (biases, batch statistics) is small, and keeps its precision
        name: (tensor.half() if tensor.ndim > 1 else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }
    save_file(compact, path, metadata={"simclr": json.dumps(settings)})
