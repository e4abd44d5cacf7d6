"""A tiny encoder for tests, which counts its calls; and scripts in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from simlib.encoders.base import Encoder

TESTS = Path(__file__).parent


class AverageColours(Encoder):
    """The average colours of an 8 × 8 raster: quick, and no two of the test pictures look alike."""

    name = "average"
    column = "average_colours"
    checks_cache = False  # the tests count what it encodes
    dim = 192

    def __init__(self, recipe="average colours"):
        self.recipe = recipe
        self.encoded = 0  # pictures that the "network" has seen

    def prepare(self, image):
        return np.asarray(image.resize((8, 8), Image.Resampling.BOX))  # (8, 8, 3)

    def encode_prepared(self, batch):
        self.encoded += len(batch)
        return batch.reshape(len(batch), -1).astype(np.float32) / 255  # (n, 192)


def truth(paths):
    """What AverageColours must give for these pictures, worked out one by one, float32 (n, 192)."""
    rows = []
    for path in paths:
        with Image.open(path) as image:
            raster = image.convert("RGB").resize((8, 8), Image.Resampling.BOX)
        rows.append(np.asarray(raster, dtype=np.float32).ravel() / 255)
    return np.stack(rows)


def start_python(script, *arguments, flags=(), **environment):
    """Start a script in a process of its own; it can import this module."""
    return subprocess.Popen(
        [sys.executable, *flags, "-c", script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(TESTS)} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(script, *arguments, flags=(), **environment):
    """Run a script in a process of its own and return what it printed; fail if it fails."""
    process = start_python(script, *arguments, flags=flags, **environment)
    printed, complaints = process.communicate(timeout=1200)
    assert process.returncode == 0, complaints
    return printed
