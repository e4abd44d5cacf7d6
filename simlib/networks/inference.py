"""Run a network over batches of pictures: with OpenVINO on CPUs, with torch everywhere else.

Why OpenVINO (https://docs.openvino.ai) and not ONNX Runtime: it reads the torch network itself, in
two seconds, where the other needs an export of seven and four more packages for that; and it has
bfloat16 for the processors that do, which doubles its speed. Pictures go in one at a time, one to
each thread, so that what passes between the layers stays in the processor's cache: for
EfficientNet-Lite0 that is twice as fast as batches of 32, twice ONNX Runtime at its best, and seven
times torch (all in float32, on two cores; ``benchmarks/`` has the figures). A picture's result does
not depend on its batch, either.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import sys
import tempfile
import threading
import warnings
import weakref
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simlib.home import home_folder
from simlib.storage.atomic import atomic_write

if TYPE_CHECKING:
    import torch

PRECISIONS = ("float32", "bfloat16", "float16")
CONVERSION = 1  # raised when the code below converts the same network to something else
_one_at_a_time = threading.Lock()  # torch can't trace two networks at once
_compiled: weakref.WeakSet[_OpenvinoNetwork] = weakref.WeakSet()


class Network(ABC):
    """A network that is ready to run.

    Attributes
    ----------
    backend : str
        What runs it and in which precision, such as ``"openvino float32"``.
    precision : str
        ``"float32"`` or ``"bfloat16"``.
    """

    library: str
    precision: str

    @property
    def backend(self) -> str:
        return f"{self.library} {self.precision}"

    @abstractmethod
    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Return float32 ``(n, dim)`` for a batch of prepared pictures. Threads may share it."""


def load_network(
    name: str,
    origin: str,
    build: Callable[[], torch.nn.Module],
    picture: np.ndarray,
    device: str = "cpu",
    precision: str = "float32",
    backend: str | None = None,
) -> Network:
    """Return a network of torch's, ready to run in the fastest way this machine has.

    Parameters
    ----------
    name : str
        Begins the name of the file in which the converted network is kept.
    origin : str
        Says which weights in which network, such as by a SHA-256: whatever has the same origin is
        the same function.
    build : callable
        Returns the ``torch.nn.Module``. It is called only where it is needed: not where the
        converted network is found in :func:`simlib.home.home_folder`.
    picture : numpy.ndarray
        A prepared picture; all others must have its shape and dtype.
    device : str
        As torch names it.
    precision : str
        ``"float32"`` or ``"bfloat16"``; the latter is quicker on processors that have it, but less
        exact: on 341 photos the worst cosine to EfficientNet-Lite0's float32 features was 0.988.
        OpenVINO takes float32 on processors without it. ``"float16"`` is for GPUs, of which older
        ones know no bfloat16.
    backend : str, optional
        ``"torch"`` or ``"openvino"`` (CPU only); by default OpenVINO on a CPU where it is
        installed, unless the variable ``ONEDNN_MAX_CPU_ISA`` holds oneDNN to older processors.

    Raises
    ------
    ValueError
        If the precision or the backend is unknown, float16 is asked for on a CPU, or OpenVINO on
        another device.
    ImportError
        If OpenVINO is asked for and missing.
    """
    _survive_forks()
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown; choose one of {PRECISIONS}.")
    if precision == "float16" and device == "cpu":
        raise ValueError(
            "precision='float16' is for GPUs, but the device is 'cpu'. On a CPU take 'bfloat16', "
            "or leave it out."
        )
    if backend not in (None, "torch", "openvino"):
        raise ValueError(
            f"backend={backend!r} is unknown; choose 'openvino' or 'torch', or leave it out for "
            "the quickest."
        )
    if backend is None:
        backend = "openvino" if device == "cpu" and has_openvino() else "torch"
    if backend == "torch":
        return _TorchNetwork(build(), device, precision)
    if device != "cpu":
        raise ValueError(f"OpenVINO runs on device 'cpu' here, not on {device!r}.")
    return _OpenvinoNetwork(_converted(name, origin, build, picture), picture, precision)


@functools.cache
def _survive_forks() -> None:
    """See to it that networks work in processes that are forked from this one; done once."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    """Let go of the threads that compute in the parent; a fork does not take them along.

    Who waits for their work in the child would wait for ever.
    """
    global _one_at_a_time
    _one_at_a_time = threading.Lock()  # perhaps held by a thread of the parent
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    for network in list(_compiled):
        network.leave_behind()


class _TorchNetwork(Network):
    library = "torch"

    def __init__(self, network: torch.nn.Module, device: str, precision: str) -> None:
        import torch

        self.precision = precision
        self._device = device
        # Channels last is the memory layout in which CPUs and GPUs convolve fastest.
        self._network = (
            network.eval()
            .requires_grad_(False)
            .to(device, getattr(torch, precision))
            .to(memory_format=torch.channels_last)
        )

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        import torch

        # Writable, since torch warns of others, such as a picture straight from Pillow.
        pictures = torch.from_numpy(np.require(batch, requirements=("C", "W")))
        if pictures.is_floating_point():
            pictures = pictures.to(getattr(torch, self.precision))
        if self._device.startswith("cuda"):
            # From pinned memory the copy runs beside what the GPU is still computing.
            pictures = pictures.pin_memory().to(self._device, non_blocking=True)
        with torch.inference_mode():
            return self._network(pictures.to(self._device)).float().cpu().numpy()


class _OpenvinoNetwork(Network):
    library = "openvino"

    def __init__(self, model, picture: np.ndarray, precision: str) -> None:
        self._model = model
        self._picture = picture
        self._asked_for = precision
        self._lock = threading.Lock()
        self._compile()
        _compiled.add(self)

    def _compile(self) -> None:
        openvino = import_openvino()
        threads = network_threads()
        compiled = openvino.Core().compile_model(
            self._model,
            "CPU",
            {
                # By name: left to itself, it takes bfloat16 where the processor has it.
                "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[self._asked_for],
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": min(threads, 16),  # each holds the network's layers in memory
                # Bound to a core, they would wait for the thread that decodes on it.
                "ENABLE_CPU_PINNING": False,
            },
        )
        in_use = compiled.get_property("INFERENCE_PRECISION_HINT")
        self.precision = "bfloat16" if in_use == openvino.Type.bf16 else "float32"
        self._dim = compiled.output(0).shape[1]
        self._requests = openvino.AsyncInferQueue(compiled)  # as many as there are streams
        self._requests.set_callback(_take_result)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        if batch.shape[1:] != self._picture.shape or batch.dtype != self._picture.dtype:
            raise ValueError(
                f"The network reads {self._picture.dtype} {self._picture.shape} for a picture, but "
                f"got {batch.dtype} {batch.shape[1:]}."
            )
        rows = np.empty((len(batch), self._dim), dtype=np.float32)
        with self._lock:
            if self._requests is None:
                self._compile()
            for place in range(len(batch)):
                self._requests.start_async({0: batch[place : place + 1]}, (rows, place))
            self._requests.wait_all()
        return rows

    def leave_behind(self) -> None:
        """Compile again at the next call, and never free what the parent of this process compiled.

        Freeing it would wait for the parent's threads.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._requests))
        self._requests, self._lock = None, threading.Lock()


def _take_result(request, rows_and_place: tuple[np.ndarray, int]) -> None:
    rows, place = rows_and_place
    rows[place] = request.get_output_tensor(0).data[0]


def network_threads() -> int:
    """Return how many threads a network may use: no more than torch does, or the container may.

    Examples
    --------
    >>> network_threads() >= 1
    True
    """
    from joblib import cpu_count

    cores = cpu_count()
    if (torch := sys.modules.get("torch")) is not None:
        return min(torch.get_num_threads(), cores)
    # Not imported for this alone; from this variable it has its number, too.
    asked_for = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(int(asked_for), cores) if asked_for.isdecimal() and int(asked_for) else cores


def has_openvino() -> bool:
    """Return whether OpenVINO is installed, can be loaded, and is safe to use here."""
    if find_spec("openvino") is None:
        return False
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper() not in ("DEFAULT", "ALL"):
        # OpenVINO compiles some layers for the processor itself and hands others to oneDNN, which
        # the variable holds to fewer instructions. The two then disagree about registers: a crash,
        # as seen with OpenVINO 2026 and AVX2 on a processor with AVX-512.
        return False
    try:
        import_openvino()
    except (ImportError, OSError) as error:  # such as for another version of the system's libraries
        warnings.warn(
            f"OpenVINO is installed but can't be loaded ({error}); torch does its work, slower.",
            stacklevel=2,
        )
        return False
    return True


def import_openvino():
    """Return the module ``openvino``, which must not send usage statistics from here."""
    if "openvino" not in sys.modules:
        # Merely imported, it reports to a server; without its package for that, it goes without.
        before = sys.modules.get("openvino_telemetry")
        sys.modules["openvino_telemetry"] = None
        try:
            import openvino  # noqa: F401
        finally:
            del sys.modules["openvino_telemetry"]
            if before is not None:
                sys.modules["openvino_telemetry"] = before
    return sys.modules["openvino"]


def _converted(name: str, origin: str, build: Callable[[], torch.nn.Module], picture: np.ndarray):
    """Return the network as OpenVINO's model, kept from the first time on."""
    made_by = [f"{package} {_version(package)}" for package in ("openvino", "torch", "timm")]
    key = hashlib.sha256(
        repr((origin, CONVERSION, made_by, picture.shape, str(picture.dtype))).encode()
    ).hexdigest()
    path = home_folder() / "networks" / f"{name}-openvino-{key[:16]}.npz"
    core = import_openvino().Core()
    with _one_at_a_time:
        try:
            return core.read_model(*_read_kept(path))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())[:200]
            warnings.warn(
                f"The converted network {path} can't be read ({reason}); it is converted again.",
                stacklevel=4,
            )
        xml, weights = _convert(build(), picture)
        _keep(path, xml, weights)
        return core.read_model(xml, weights)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _convert(network: torch.nn.Module, picture: np.ndarray) -> tuple[bytes, bytes]:
    import torch

    openvino = import_openvino()
    network = network.eval().to("cpu").to(memory_format=torch.contiguous_format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of what depends on the shape, which is fixed
        # Traced here: OpenVINO would trace it twice, to compare, which takes as long once more.
        traced = torch.jit.trace(network, torch.from_numpy(picture[None]), check_trace=False)
        model = openvino.convert_model(traced, input=[1, *picture.shape])
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, Path(folder, "model.xml"), compress_to_fp16=False)
        return Path(folder, "model.xml").read_bytes(), Path(folder, "model.bin").read_bytes()


def _read_kept(path: Path) -> tuple[bytes, bytes]:
    with np.load(path) as parts:  # checks the checksums
        return parts["xml"].tobytes(), parts["weights"].tobytes()


def _keep(path: Path, xml: bytes, weights: bytes) -> None:
    """Keep both in one file, atomically; of several processes the last one wins."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path.parent, path.name) as file:
            np.savez(
                file, xml=np.frombuffer(xml, np.uint8), weights=np.frombuffer(weights, np.uint8)
            )
    except OSError as error:
        warnings.warn(
            f"The converted network is not kept in {path} ({error}); the next run will convert it "
            "again. SIMLIB_HOME names another folder.",
            stacklevel=4,
        )
