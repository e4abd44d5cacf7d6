"""Where a network runs."""

from __future__ import annotations


def choose_device(device: str | None = None) -> str:
    """Return ``device``, or the best one that this machine has: CUDA, then MPS, then CPU."""
    if device is not None:
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
