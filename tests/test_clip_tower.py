"""The picture tower of the compact image-text model: what was changed of the published network."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from simlib.catalogue import load_catalogue
from simlib.images import load_image
from simlib.networks import clip_compact, clip_tower, efficientnet_lite0


@pytest.fixture(scope="module")
def published():
    return efficientnet_lite0.build()


@pytest.fixture(scope="module")
def changed():
    return clip_tower.build()


def thumbnail(picture: Image.Image) -> Image.Image:
    return ImageOps.grayscale(picture).resize((28, 28), Image.Resampling.BOX).convert("RGB")


def features(network, pictures) -> torch.Tensor:
    squares = np.stack([clip_compact.lay_on_square(picture) for picture in pictures])
    pixels = efficientnet_lite0.normalised(torch.from_numpy(squares))
    return network.forward_head(network.forward_features(pixels), pre_logits=True)  # (n, 1280)


def test_a_thumbnail_is_read_as_the_picture_that_it_was_made_of(published, changed):
    paths = load_catalogue("sample").groupby("category").head(1)["img_path"]
    pictures = [load_image(path) for path in paths]
    thumbnails = [thumbnail(picture) for picture in pictures]
    assert len(pictures) == 32
    wanted = features(published, pictures)

    def likeness(network) -> float:
        return torch.cosine_similarity(features(network, thumbnails), wanted).mean().item()

    assert likeness(published) < 0.6
    assert likeness(changed) > 0.8
    as_they_are = torch.cosine_similarity(features(changed, pictures), wanted)
    assert as_they_are.mean() > 0.9


def test_what_was_not_trained_is_as_published(published, changed):
    assert torch.equal(changed.classifier.weight, published.classifier.weight)
    for (name, before), after in zip(published.named_buffers(), changed.buffers(), strict=True):
        assert torch.equal(before, after), name
    for before, after in zip(published.named_parameters(), changed.named_parameters(), strict=True):
        assert before[0] == after[0]
        assert torch.equal(before[1], after[1]) == before[0].startswith("classifier"), before[0]


def test_whole_numbers_come_back_out_of_six_bits():
    steps = np.random.default_rng(0).integers(-31, 32, 1001)
    packed = clip_tower.pack(steps)
    assert packed.dtype == np.uint8 and len(packed) == 751  # 1001 × 6 bits
    assert clip_tower.unpack(packed)[:1001].tolist() == steps.tolist()


def test_foreign_changes_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "clip_tower.safetensors"
    other.write_bytes(clip_tower.CHANGES.read_bytes() + b" ")
    monkeypatch.setattr(clip_tower, "CHANGES", other)
    with pytest.raises(ValueError, match="git restore data"):
        clip_tower.build()
    other.unlink()
    with pytest.raises(FileNotFoundError, match="git restore data"):
        clip_tower.build()
