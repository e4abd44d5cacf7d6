"""Embedding a folder of pictures: simlib, its peers, and the limits of the machine.

Each contestant reads the same files, runs the same network (EfficientNet-Lite0, ImageNet) after the
same preprocessing, and returns float32 ``(n, 1280)``; settings that a peer leaves open are those of
its documentation. Loading the network is not timed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import need
from PIL import Image

BATCH = 32
Work = Callable[[], np.ndarray]


def simlib_embed(paths: list[str], name: str = "towhee", **options) -> Work:
    import simlib

    image_df = pd.DataFrame({"img_path": paths})
    encoder = simlib.load_encoder(name, device="cpu", **options)

    def work() -> np.ndarray:
        embedded = simlib.embed(image_df, encoder, cache=False, progress=False)
        return simlib.embedding_matrix(embedded, encoder.column)

    simlib.embed(image_df.head(BATCH), encoder, cache=False, progress=False)
    return work


def simlib_timm(paths: list[str]) -> Work:
    """The same network by its name at timm, with timm's preprocessing, on torch."""
    import tempfile
    from pathlib import Path

    from safetensors.torch import save_model

    from simlib.networks import efficientnet_lite0

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "model.safetensors")
        save_model(efficientnet_lite0.build(), weights)
        return simlib_embed(paths, "timm:tf_efficientnet_lite0.in1k", weights=weights)


def network_alone(paths: list[str], precision: str = "float32") -> Work:
    """The limit: the network of ``simlib_embed`` alone, on prepared input."""
    import simlib

    encoder = simlib.load_encoder("towhee", device="cpu", precision=precision)
    prepared = np.stack([encoder.prepare(simlib.load_image(path)) for path in paths])
    encoder.encode_prepared(prepared[:BATCH])
    return lambda: encoder.encode_prepared(prepared)


def decoding_alone(paths: list[str]) -> Work:
    """The limit: reading and preparing, on all cores."""
    from joblib import cpu_count

    import simlib
    from simlib.networks.efficientnet_lite0 import crop

    executor = ThreadPoolExecutor(cpu_count())

    def prepare(path: str) -> np.ndarray:
        return crop(simlib.load_image(path))

    return lambda: np.stack(list(executor.map(prepare, paths, chunksize=1)))


def _timm_network():
    """The network and its transform, as timm's documentation has them."""
    from timm.data import create_transform
    from torch import contiguous_format

    from simlib.networks import efficientnet_lite0

    network = efficientnet_lite0.build().to(memory_format=contiguous_format)
    network.reset_classifier(0)
    half = (0.5, 0.5, 0.5)
    transform = create_transform(224, interpolation="bicubic", mean=half, std=half, crop_pct=0.875)
    return network.eval(), transform


def _towhee_pipeline():
    """Towhee's image-embedding pipeline: decode an image, then its timm operator's work."""
    import torch
    from towhee import ops, pipe, register
    from towhee.operator import PyOperator, SharedType

    network, transform = _timm_network()

    class Shared(PyOperator):
        @property
        def shared_type(self):
            return SharedType.Shareable

    @register(name="benchmark/image_decode")
    class ImageDecode(Shared):
        def __call__(self, path):
            return Image.open(path).convert("RGB")

    @register(name="benchmark/timm")
    class Timm(Shared):
        def __call__(self, image):
            with torch.no_grad():
                return network(transform(image)[None])[0].numpy()

    return (
        pipe.input("path")
        .map("path", "image", ops.benchmark.image_decode())
        .map("image", "embedding", ops.benchmark.timm())
        .output("embedding")
    )


def tutorial(paths: list[str]) -> Work:
    """The 2022 tutorial: Towhee's pipeline, applied to one path at a time."""
    need("towhee")
    pipeline = _towhee_pipeline()
    image_df = pd.DataFrame({"img_path": paths})

    def work() -> np.ndarray:
        column = image_df["img_path"].apply(lambda path: pipeline(path).get()[0])
        return np.stack(column.tolist())

    return work


def towhee_batch(paths: list[str]) -> Work:
    """The same pipeline, given all paths at once."""
    need("towhee")
    pipeline = _towhee_pipeline()
    return lambda: np.stack([queue.get()[0] for queue in pipeline.batch(paths)])


def torch_dataloader(paths: list[str]) -> Work:
    import torch
    from joblib import cpu_count

    network, transform = _timm_network()

    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, place):
            return transform(Image.open(paths[place]).convert("RGB"))

    loader = torch.utils.data.DataLoader(Pictures(), batch_size=BATCH, num_workers=cpu_count())

    def work() -> np.ndarray:
        with torch.inference_mode():
            return np.concatenate([network(batch).numpy() for batch in loader])

    return work


def sentence_transformers(paths: list[str]) -> Work:
    """``SentenceTransformer.encode`` on the folder of simlib's image-text model, network and all.

    Beside EfficientNet-Lite0 it has a few small layers, which take no time to speak of.
    """
    need("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    from simlib.networks.clip_compact import compact_folder

    model = SentenceTransformer(str(compact_folder()), device="cpu")

    def work() -> np.ndarray:
        pictures = [Image.open(path).convert("RGB") for path in paths]
        return model.encode(pictures, batch_size=BATCH, show_progress_bar=False)

    return work


def imagededup(paths: list[str]) -> Work:
    need("imagededup")
    from imagededup.methods import CNN
    from imagededup.utils import CustomModel

    network, transform = _timm_network()
    encoder = CNN(
        verbose=False,
        model_config=CustomModel(name="lite0", model=network, transform=transform),
    )
    folder = tempfile.TemporaryDirectory()
    for place, path in enumerate(paths):
        os.symlink(os.path.abspath(path), Path(folder.name, f"{place:06}{Path(path).suffix}"))

    def work() -> np.ndarray:
        found = encoder.encode_images(image_dir=folder.name)
        return np.stack([found[name] for name in sorted(found)])

    return work


# Flattened pixels


def simlib_pixels(paths: list[str]) -> Work:
    return simlib_embed(paths, "pixels", size=(224, 224))


def tutorial_pixels(paths: list[str]) -> Work:
    """The 2022 tutorial: a list of Python's numbers for each picture, through a loop."""

    def flatten_pixels(path: str) -> list[float]:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
        return [value / 255 for pixel in pixels.reshape(-1, 3).tolist() for value in pixel]

    column: list = []

    def work() -> np.ndarray:
        column[:] = [flatten_pixels(path) for path in paths]
        return np.array(column[:64], dtype=np.float32)  # enough for the comparison

    return work
