"""Strategy 2: the body of a CNN that was trained to classify, run through a Towhee pipeline.

Towhee (https://docs.towhee.io) looks a pipeline's operators up on its hub unless somebody has
registered them here. All of ours are: ``AutoPipes.pipeline("image-embedding")`` needs no network:

    picture's path → simlib/read_picture → simlib/cnn_features → embedding
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from simlib.encoders.base import WeightedEncoder
from simlib.images import ImageError, ResizesTo, load_image
from simlib.networks import efficientnet_lite0, inference
from simlib.networks.device import choose_device
from simlib.networks.timm_network import feature_maps, open_timm

if TYPE_CHECKING:
    import torch

__all__ = ["Classifier", "TowheeEncoder", "image_embedding_pipeline"]

PIPELINE, BATCH_PIPELINE = "image-embedding", "image-embedding-batch"
RESNET50 = "resnet50.a1_in1k"


class Network(NamedTuple):
    """A classifier's body: how a picture enters it and how a batch leaves it."""

    prepare: Callable[[Image.Image], np.ndarray]
    resizes_to: ResizesTo
    features: inference.Network
    dim: int
    recipe: str


class Classifier(NamedTuple):
    """A classifier with its last layer, which an encoder does without.

    Attributes
    ----------
    network : torch.nn.Module
        timm's, on the CPU, in evaluation mode: float32 ``(n, 3, height, width)`` to logits
        ``(n, 1000)``. ``forward_features`` and ``forward_head`` give what comes before.
    prepare : callable
        Returns the network's input for one RGB picture, float32 ``(3, height, width)``.
    class_names : list of str
        The 1,000 ImageNet classes in the order of the logits.
    """

    network: torch.nn.Module
    prepare: Callable[[Image.Image], np.ndarray]
    class_names: list[str]


@functools.lru_cache(maxsize=2)
def load_network(
    weights: str, device: str, precision: str = "float32", backend: str | None = None
) -> Network:
    """Return the network behind ``weights``, built once for all pipelines of this process."""
    if weights == "compact":
        return Network(
            efficientnet_lite0.crop,
            efficientnet_lite0.resized,
            efficientnet_lite0.load_features(device, precision, backend),
            efficientnet_lite0.DIM,
            f"{efficientnet_lite0.WEIGHTS_SHA256} {efficientnet_lite0.PREPROCESSING}",
        )
    if weights == "published":
        return _published_resnet50(device, precision, backend)
    raise ValueError(
        f"weights={weights!r} is unknown to the towhee encoder; use 'compact' (offline) or "
        "'published' (timm's ResNet-50, downloaded once)."
    )


def _published_resnet50(device: str, precision: str, backend: str | None) -> Network:
    resnet = open_timm(RESNET50)
    features = inference.load_network(
        "resnet50",
        resnet.recipe,
        lambda: resnet.network,
        resnet.prepare(Image.new("RGB", (8, 8))),
        device,
        precision,
        backend,
    )
    return Network(resnet.prepare, resnet.resizes_to, features, 2048, resnet.recipe)


@functools.cache
def _register_with_towhee() -> None:
    """Register our operators and pipelines with Towhee; done once, at the first use."""
    with warnings.catch_warnings():
        # Towhee 1.1.3 imports pkg_resources, which setuptools has announced to remove; the
        # environment pins a setuptools that still has it.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        # Its data classes are written for pydantic 1, which pydantic 2 still understands.
        warnings.filterwarnings("ignore", ".*[Pp]ydantic.*", DeprecationWarning)
        from towhee import AutoPipes, ops, pipe, register
        from towhee.operator import PyOperator, SharedType
        from towhee.runtime.auto_pipes import set_pipe_name

    class SharedOperator(PyOperator):
        @property
        def shared_type(self):
            return SharedType.Shareable  # one instance serves all of Towhee's threads

    @register(name="simlib/read_picture")
    class ReadPicture(SharedOperator):
        # An operator is told the weights by name: Towhee deep-copies what it is given.
        def __init__(self, weights, device, precision="float32", backend=None) -> None:
            self.network = load_network(weights, device, precision, backend)

        def __call__(self, img_path):
            try:
                picture = load_image(img_path, resizes_to=self.network.resizes_to)
                return self.network.prepare(picture)
            except ImageError:
                # An exception would abort the entire window of pictures that Towhee works on.
                return None

    @register(name="simlib/cnn_features")
    class CnnFeatures(SharedOperator):
        def __init__(self, weights, device, precision="float32", backend=None) -> None:
            self.network = load_network(weights, device, precision, backend)

        def __call__(self, tensor):
            if tensor.ndim == 3:
                return self.network.features(tensor[None])[0]  # (dim,)
            return self.network.features(tensor)  # (n, dim)

    with set_pipe_name(PIPELINE):

        @AutoPipes.register
        def image_embedding(
            weights: str = "compact",
            device: str | None = None,
            precision: str = "float32",
            backend: str | None = None,
        ):
            options = (weights, choose_device(device), precision, backend)
            return (
                pipe.input("img_path")
                .map("img_path", "tensor", ops.simlib.read_picture(*options))
                .filter(
                    ("img_path", "tensor"),
                    ("img_path", "tensor"),
                    "tensor",
                    lambda tensor: tensor is not None,
                )
                .map("tensor", "embedding", ops.simlib.cnn_features(*options))
                .output("img_path", "embedding")
            )

    with set_pipe_name(BATCH_PIPELINE):

        @AutoPipes.register
        def image_embedding_batch(*options):
            return (
                pipe.input("tensors")
                .map("tensors", "embeddings", ops.simlib.cnn_features(*options))
                .output("embeddings")
            )


def image_embedding_pipeline(
    weights: str = "compact",
    device: str | None = None,
    precision: str = "float32",
    backend: str | None = None,
):
    """Return the Towhee pipeline from a picture's path to its embedding.

    The same as ``AutoPipes.pipeline("image-embedding")`` once simlib has registered its operators,
    which this call does.

    Parameters
    ----------
    weights : str
        ``"compact"`` (EfficientNet-Lite0, 1,280 values) or ``"published"`` (timm's ResNet-50,
        2,048 values).
    device : str, optional
        By default CUDA where there is one, then MPS, then the CPU.
    precision, backend : str
        As :func:`simlib.networks.inference.load_network` takes them.

    Returns
    -------
    towhee.RuntimePipeline
        Called with a path it gives a queue whose ``.get()`` is ``[img_path, embedding]``, the
        embedding float32 ``(dim,)``; the queue is empty if the picture can't be opened.
        ``.batch(paths)`` gives a list of such queues.

    Examples
    --------
    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "white.png")
    >>> Image.new("RGB", (8, 8), "white").save(path)
    >>> pipeline = image_embedding_pipeline()
    >>> img_path, embedding = pipeline(path).get()
    >>> embedding.shape, img_path == path
    ((1280,), True)
    >>> pipeline("missing.png").size
    0
    """
    _register_with_towhee()
    from towhee import AutoPipes

    return AutoPipes.pipeline(PIPELINE, weights, device, precision, backend)


class TowheeEncoder(WeightedEncoder):
    """The features that a classifier computes just before it names a class.

    Compact weights are EfficientNet-Lite0 (Tan and Le, https://arxiv.org/abs/1905.11946), published
    ones timm's ResNet-50 (Wightman et al., https://arxiv.org/abs/2110.00476), both trained on
    ImageNet.

    Parameters
    ----------
    weights : str
        ``"compact"`` or ``"published"``.
    device : str, optional
        Where the network runs; by default CUDA where there is one, then MPS, then the CPU.
    precision : str
        ``"float32"``, or ``"bfloat16"``: about twice as fast on servers' processors that have it
        and on graphics cards, and less exact (the worst cosine to float32 is about 0.99).
        ``"float16"`` on GPUs.
    backend : str, optional
        ``"torch"`` to have torch run the network where OpenVINO would.

    Attributes
    ----------
    backend : str
        What runs the network: ``"openvino float32"`` on a CPU where the package openvino is
        installed, otherwise ``"torch float32"``.
    pipeline : towhee.RuntimePipeline
        From one path to one embedding, as :func:`image_embedding_pipeline` returns it.

    Examples
    --------
    >>> encoder = TowheeEncoder()
    >>> encoder.encode([Image.new("RGB", (300, 200), "white")]).shape
    (1, 1280)
    """

    name = "towhee"
    column = "towhee_img_embedding"
    checks_cache = False  # the recipe holds the hash of the weights

    def __init__(
        self,
        weights: str = "compact",
        device: str | None = None,
        precision: str = "float32",
        backend: str | None = None,
    ) -> None:
        self._options = (weights, choose_device(device), precision, backend)
        self._weights = weights
        self._network = load_network(*self._options)
        self.dim = self._network.dim
        self.backend = self._network.features.backend
        self.recipe = f"towhee {self._network.recipe}"
        if self._network.features.precision != "float32":
            self.recipe += f" {self._network.features.precision}"
        self._start_pipelines()

    def _start_pipelines(self) -> None:
        self._process = os.getpid()
        self._pipeline = image_embedding_pipeline(*self._options)

        from towhee import AutoPipes

        self._batch_pipeline = AutoPipes.pipeline(BATCH_PIPELINE, *self._options)

    @property
    def pipeline(self):
        if self._process != os.getpid():  # forked since: their threads stayed in the other process
            self._start_pipelines()
        return self._pipeline

    @property
    def batch_pipeline(self):
        """The pipeline from a batch of prepared pictures to their embeddings."""
        if self._process != os.getpid():
            self._start_pipelines()
        return self._batch_pipeline

    def resizes_to(self, size: tuple[int, int]) -> tuple[int, int] | None:
        return self._network.resizes_to(size)

    def prepare(self, image: Image.Image) -> np.ndarray:
        return self._network.prepare(image)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        answer = self.batch_pipeline(batch).get()
        if answer is None:  # an operator failed, and python -O lost its exception on the way
            raise RuntimeError(
                f"Towhee's pipeline gave no embeddings for a batch of shape {batch.shape}. "
                "Run Python without -O to see the reason."
            )
        return answer[0]  # (n, dim)

    def feature_maps(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return the last feature maps of pictures, float32 ``(n, channels, rows, columns)``.

        Their mean over all places is the embedding.
        """
        network, prepare, _ = self._cut_from
        return feature_maps(network, np.stack([prepare(image) for image in images]))

    @functools.cached_property
    def _cut_from(self) -> Classifier:
        return self.classifier()

    def classifier(self) -> Classifier:
        """Return the classifier that this encoder is cut from: its network and its class names.

        Examples
        --------
        >>> network, prepare, class_names = TowheeEncoder().classifier()
        >>> prepare(Image.new("RGB", (300, 200), "white")).shape, class_names[0]
        ((3, 224, 224), 'tench, Tinca tinca')
        """
        names = efficientnet_lite0.class_names()
        if self._weights == "compact":
            return Classifier(efficientnet_lite0.build(), efficientnet_lite0.prepare, names)
        resnet = open_timm(RESNET50, classifier=True)
        return Classifier(resnet.network, resnet.prepare, names)
