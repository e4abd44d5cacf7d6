"""Training: SimCLR and its views, and adapting an encoder to labels (:func:`simlib.adapt`).

``train`` trains a network by SimCLR, ``draw_views`` draws the views of a picture that it learns
from, ``simclr_class`` is lightning-bolts' own class behind it, and ``split_by_group`` sets pictures
aside to measure with. Loaded at first use: SimCLR needs torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from simlib.extras import needs_extra

if TYPE_CHECKING:
    from simlib.training.adapting import split_by_group as split_by_group
    from simlib.training.bolts import simclr_class as simclr_class
    from simlib.training.simclr import train as train
    from simlib.training.views import draw_views as draw_views

_MODULE_OF = {
    "draw_views": "views",
    "simclr_class": "bolts",
    "split_by_group": "adapting",
    "train": "simclr",
}

__all__ = [*_MODULE_OF]


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'simlib.training' has no attribute {name!r}")
    with needs_extra("simclr", "SimCLR's training"):
        return getattr(import_module(f"simlib.training.{_MODULE_OF[name]}"), name)
