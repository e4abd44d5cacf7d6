"""Train a network by SimCLR, on pictures without labels.

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
from typing import Literal

import numpy as np
from PIL import Image

from simlib.encoders.simclr import SimclrEncoder
from simlib.extras import needs_extra
from simlib.networks.device import choose_device
from simlib.networks.simclr_resnet import (
    SIDE,
    build,
    dim_of,
    load_all,
    read_parts,
    third_stage,
)
from simlib.progress import progress_bar
from simlib.storage.atomic import atomic_write
from simlib.storage.hashing import sha256_of


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
    precision: Literal[32, "bf16"] = 32,
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
        See :func:`simlib.training.views.draw_views`.
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
        Whether to show bars: of the pictures while they are decoded, then of the training's steps,
        with the epoch and its loss.

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
    with needs_extra("simclr", "SimCLR's training"):
        import torch
        from torch.utils.data import DataLoader

        from simlib.training import module as training
    from simlib.training.bolts import known_warnings_silenced

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

    evaluate_module = None
    if evaluate is not None:

        def evaluate_module(module) -> dict[str, float]:
            network = build(module.arch)
            network.load_state_dict(module.averaged.module.state_dict())
            return evaluate(SimclrEncoder.of_network(network, module.hidden_mlp, device))

    keeper = training.Bookkeeper(folder, every, digest, evaluate_module)
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
            callbacks=[keeper, training.ShownProgress(keeper, progress)],
            deterministic="warn",
            logger=False,
            enable_checkpointing=False,  # the bookkeeper does it, so that a kill can't harm it
            enable_model_summary=False,
            enable_progress_bar=False,  # Lightning's does not look at TQDM_DISABLE
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
    with atomic_write(folder, weights.name) as file:
        file.write(_as_safetensors(module, whitening, settings))
    return weights


def _decode(image_paths: Iterable, side: int, progress: bool):
    """Return the pictures that can be read as one uint8 tensor ``(n, 3, side, side)``."""
    import torch

    from simlib.images import ImageError, load_image

    decoded, failures = [], []
    image_paths = list(image_paths)
    bar = progress_bar("decoding", " pictures", len(image_paths), progress)
    for path in image_paths:
        bar.update()
        try:
            picture = load_image(path).resize((side, side), Image.Resampling.BILINEAR)
        except ImageError as error:
            failures.append(str(error))
            continue
        decoded.append(np.asarray(picture).transpose(2, 0, 1))
    bar.close()
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
        load_all(module.encoder, read_parts(path)[0]["encoder"], path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        for network, prefix in (
            (module.encoder, "averaged.module."), (module.projection, "projection.")
        ):  # fmt: skip
            named = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            load_all(network, named, path)


def _refuse_other_run(checkpoint: Path, digest: str, keeper: str) -> None:
    import torch

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["callbacks"][keeper]["fingerprint"] != digest:
        raise ValueError(
            f"The folder {checkpoint.parent} holds a run with other pictures or settings. Choose "
            f"another folder, or delete {checkpoint.name} in it to start again."
        )


def _whitening(network, pixels) -> dict:
    """Return the weight and bias that turn what ``third_stage`` reads into embeddings.

    The embeddings of the pictures then have mean 0, and along their principal components equal
    variances, but for those so faint that they are mostly noise. A cosine of what was read would be
    ruled by the few directions in which all pictures vary most. Source: Jégou and Chum, "Negative
    evidences and co-occurences in image retrieval: the benefit of PCA and whitening" (ECCV
    2012).
    """
    import torch
    from torch.nn import functional

    from simlib.training.views import normalise

    device = next(network.parameters()).device
    read, dim = third_stage(network), dim_of("resnet18")
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


def _as_safetensors(module, whitening: dict, settings: dict) -> bytes:
    """Return a file of the averaged network and the whitening; matrices in half precision."""
    from safetensors.torch import save

    state = {f"encoder.{k}": v for k, v in module.averaged.module.state_dict().items()}
    state |= {f"whitening.{k}": v for k, v in whitening.items()}
    compact = {  # what has one axis (biases, batch statistics) is small, and keeps its precision
        name: (tensor.half() if tensor.ndim > 1 else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }
    return save(compact, metadata={"simclr": json.dumps(settings)})
