"""The drawings of the embedded catalogue.

    drawing.draw("dress", "blue", "striped", rng)   # a picture and what the catalogue says of it
    drawing.drawings(1200, seed=1)                  # a stream, balanced over kinds and colours

The committed sample and the drawings that models train on come from two independent streams of
random numbers: ``sample_drawings`` and ``drawings``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Importing them fills KINDS; trainings number the kinds in this order.
# isort: off
from drawing import shoes, accessories, bags, clothing, jewellery  # noqa: F401

# isort: on
from drawing.canvas import COLOURS, KINDS, PATTERNS, Drawing, draw

__all__ = ["COLOURS", "KINDS", "PATTERNS", "Drawing", "draw", "drawings", "sample_drawings"]

PLAIN_SHARE = 0.58
_TRAINING_KEY, _SAMPLE_KEY = 1, 2


def _generator(*key: int) -> np.random.Generator:
    # Streams with different spawn keys are independent, whatever their seeds.
    return np.random.default_rng(np.random.SeedSequence(entropy=20221121, spawn_key=key))


def _one(kind: str, colour: str, *key: int) -> Drawing:
    rng = _generator(*key)
    others = [pattern for pattern in KINDS[kind].patterns if pattern != "plain"]
    plain = not others or rng.random() < PLAIN_SHARE
    pattern = "plain" if plain else str(others[int(rng.integers(len(others)))])
    return draw(kind, colour, pattern, rng)


def drawings(n: int, seed: int = 0) -> Iterator[Drawing]:
    """Yield ``n`` drawings for training, none of them in the sample.

    Every run of ``len(KINDS) * len(COLOURS)`` drawings holds each kind in each colour once, in
    random order. The same seed gives the same drawings.
    """
    pairs = [(kind, colour) for kind in sorted(KINDS) for colour in COLOURS]
    for number in range(n):
        turn, place = divmod(number, len(pairs))
        if place == 0:
            order = _generator(_TRAINING_KEY, seed, turn).permutation(len(pairs))
        kind, colour = pairs[order[place]]
        yield _one(kind, colour, _TRAINING_KEY, seed, turn, place)


def sample_drawings(per_kind: int = 36) -> Iterator[Drawing]:
    """Yield the drawings of the embedded catalogue, ``per_kind`` of each kind, colours in turn."""
    colours = list(COLOURS)
    for place, kind in enumerate(sorted(KINDS)):
        for number in range(per_kind):
            # Shifted by the kind, so that what is left over falls on other colours each time.
            colour = colours[(number + 2 * place) % len(colours)]
            yield _one(kind, colour, _SAMPLE_KEY, place, number)
