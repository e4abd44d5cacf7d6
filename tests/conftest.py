"""What several test files share: a few drawn pictures, a cache of their own, the real photos."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

PHOTOS = Path(__file__).parents[2] / "shared" / "photos"


def draw_pictures(folder, count, size=(24, 16)):
    """Save pictures of random colours in 4 × 4 areas; PNG, so that every pixel is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    paths = []
    for number, areas in enumerate(colours):
        path = folder / f"{number:03}.png"
        Image.fromarray(areas).resize(size, Image.Resampling.NEAREST).save(path)
        paths.append(str(path))
    return paths


@pytest.fixture(autouse=True)
def simlib_home(tmp_path_factory, monkeypatch):
    """A cache folder of its own for each test."""
    home = tmp_path_factory.mktemp("simlib-home")
    monkeypatch.setenv("SIMLIB_HOME", str(home))
    return home


@pytest.fixture
def image_df(tmp_path):
    """Twelve different pictures."""
    return pd.DataFrame({"img_path": draw_pictures(tmp_path / "pictures", 12)})


@pytest.fixture(scope="session")
def photos():
    """The folder of real product photos: train/ and validation/, a sub-folder for each class."""
    if not PHOTOS.is_dir():
        pytest.skip(f"the real photos are not there ({PHOTOS.parent.name}/{PHOTOS.name})")
    return PHOTOS
