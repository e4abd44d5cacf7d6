"""Where a network runs."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path


def choose_device(device: str | None = None) -> str:
    """Return ``device``, or the best one that this machine has: CUDA, then MPS, then CPU."""
    if device is not None:
        return device
    if not _may_have_gpu():
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _may_have_gpu() -> bool:
    """Return whether torch is to be asked: importing it takes seconds, and may not be needed."""
    if "torch" in sys.modules or sys.platform != "linux":
        return True
    if Path("/dev/kfd").exists():  # AMD's driver
        return True
    try:
        ctypes.CDLL("libcuda.so.1")  # NVIDIA's, without which CUDA is never available
    except OSError:
        return False
    return True
