"""One file per embedding strategy, one interface (:class:`simlib.encoders.base.Encoder`)."""

from __future__ import annotations

from importlib import import_module

from simlib.encoders.base import Encoder
from simlib.extras import needs_extra

__all__ = ["load_encoder"]

_CLASS_OF = {
    "pixels": ("pixels", "PixelsEncoder"),
    "towhee": ("towhee_cnn", "TowheeEncoder"),
    "simclr": ("simclr", "SimclrEncoder"),
    "clip": ("clip", "ClipEncoder"),
    "adapted": ("adapted", "load_adapted"),
}
_FAMILY_OF = {
    "timm": ("timm_model", "TimmEncoder", "towhee"),
    "hf": ("hub_model", "HubEncoder", "clip"),
}
"""The prefixes of published models by name, as in ``"timm:resnet50.a1_in1k"``, and their extra."""


def load_encoder(
    name: str, weights: str = "compact", device: str | None = None, **options
) -> Encoder:
    """Return the encoder of one strategy.

    Parameters
    ----------
    name : str
        ``"pixels"`` (flattened raw pixels), ``"towhee"`` (a CNN trained to classify), ``"simclr"``
        (a CNN trained by metric learning) or ``"clip"`` (an image-text network). Or
        ``"timm:<model>"``: any network that timm has published, with its own preprocessing, such as
        ``"timm:vit_small_patch14_dinov2.lvd142m"``. Or ``"hf:<owner>/<model>"``, or
        ``"hf:<folder>"``: any image-text model of sentence-transformers, transformers or open_clip,
        such as ``"hf:google/siglip2-base-patch16-224"``. Or ``"adapted"`` with ``weights=path``:
        what the method ``save`` of :func:`simlib.adapt`'s encoders wrote.
    weights : str
        ``"compact"`` works offline; ``"published"`` downloads the weights that the literature uses.
        Pixels have no weights and ignore it. ``"multilingual"``, of ``"clip"``, is the compact
        model with texts in many languages.
    device : str, optional
        Where the network runs, such as ``"cpu"`` or ``"cuda:1"``. By default CUDA where there is
        one, then MPS, then the CPU.
    **options
        Passed on to the strategy, such as ``size=(64, 64)`` to ``"pixels"``.

    Returns
    -------
    Encoder
        With ``.name``, ``.column``, ``.dim`` and ``.encode(images) -> float32 (n, dim)``.

    Raises
    ------
    ValueError
        If the strategy or its weights are unknown.
    ImportError
        If a package that the strategy needs is missing; the message holds the command that
        installs it.

    Examples
    --------
    >>> from PIL import Image
    >>> encoder = load_encoder("pixels")
    >>> encoder.encode([Image.new("RGB", (4, 2), "white")]).shape
    (1, 24)
    """
    family, colon, model = name.partition(":")
    extra = name
    if colon and model and family in _FAMILY_OF:
        module, class_name, extra = _FAMILY_OF[family]
        options["model"] = model
    elif name in _CLASS_OF:
        module, class_name = _CLASS_OF[name]
    else:
        choice = [*sorted(_CLASS_OF), *(f"{family}:<model>" for family in _FAMILY_OF)]
        raise ValueError(f"There is no encoder {name!r}; choose one of {choice}.")
    with needs_extra(extra, f"The encoder {name!r}"):
        encoder_class = getattr(import_module(f"simlib.encoders.{module}"), class_name)
        return encoder_class(weights=weights, device=device, **options)
