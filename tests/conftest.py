"""Fixtures for all tests: a few drawn pictures, an empty cache for each test, the real photos."""

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

# The clothing data set (data/README.md says how to get it), or a copy beside the checkout.
PHOTOS = Path(
    os.environ.get("SIMLIB_PHOTOS") or Path(__file__).parents[2] / "shared" / "photos"
).absolute()

SHARED_HOME = os.environ["SIMLIB_HOME"]  # set by the conftest.py above this folder


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
    """An empty cache folder for each test."""
    home = tmp_path_factory.mktemp("simlib-home")
    monkeypatch.setenv("SIMLIB_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared_home():
    """The cache folder of the whole run, which the notebooks fill too: for tests that need networks
    converted or models assembled, and don't harm them."""
    return SHARED_HOME


@pytest.fixture(scope="session")
def clip_encoder(shared_home):
    """The compact image-text model, loaded once."""
    from simlib.encoders.clip import ClipEncoder

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMLIB_HOME", shared_home)
        return ClipEncoder(device="cpu")


@pytest.fixture
def image_df(tmp_path):
    """Twelve different pictures."""
    return pd.DataFrame({"img_path": draw_pictures(tmp_path / "pictures", 12)})


@pytest.fixture(scope="session")
def phone_photo():
    """A JPEG of 4000 × 3000 as a phone takes it: 4:2:0, quality 90, with the sensor's grain."""
    random = np.random.default_rng(0)
    scene = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    pixels = np.asarray(scene.resize((4000, 3000), Image.Resampling.BICUBIC)).astype(np.int16)
    pixels[:2048, :2048] += (
        random.integers(-9, 10, (512, 512, 1), dtype=np.int16).repeat(4, 0).repeat(4, 1)
    )
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
        file, "JPEG", quality=90, subsampling="4:2:0"
    )
    return file.getvalue()


@pytest.fixture(scope="session")
def photos():
    """The folder of real photos: train/ and validation/, with a sub-folder for each class."""
    if not PHOTOS.is_dir():
        if os.environ.get("SIMLIB_PHOTOS"):
            pytest.fail(f"SIMLIB_PHOTOS names {PHOTOS}, which is no folder")
        pytest.skip("the real photos are not there; SIMLIB_PHOTOS may name their folder")
    return PHOTOS


@pytest.fixture(scope="module")
def pictures():
    """Three pictures of noise, of unequal sizes and shapes."""
    random = np.random.default_rng(0)
    sizes = [(300, 200), (90, 160), (64, 64)]
    return [
        Image.fromarray(random.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8))
        .resize((width, height))
        for width, height in sizes
    ]  # fmt: skip
