"""What a user loses when these fail: why two pictures match, drawn where it is not."""

from importlib.util import find_spec

import matplotlib
import numpy as np
import pytest
from PIL import Image

import simlib
from simlib.match import parts_of

matplotlib.use("agg")
torch = pytest.importorskip("torch")
if find_spec("timm") is None:  # imported where it is needed: every worker reads this file
    pytest.skip("timm is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def towhee():
    return simlib.load_encoder("towhee", device="cpu")


@pytest.fixture(scope="module")
def bags():
    return simlib.load_catalogue("sample").query("category == 'handbag'")["img_path"].tolist()


def test_the_parts_of_both_pictures_add_up_to_their_cosine_similarity(towhee, bags, tmp_path):
    import matplotlib.pyplot as plt

    first, second = towhee.encode([simlib.load_image(path) for path in bags[:2]])
    expected = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    parts = simlib.plot_match(bags[0], bags[1], towhee, save=tmp_path / "why.png")
    assert parts.shape == (2, 7, 7) and parts.dtype == np.float32
    np.testing.assert_allclose(parts.sum(axis=(1, 2)), expected, atol=1e-3)
    figure = plt.gcf()
    assert figure.get_suptitle() == f"cosine similarity {expected:.2f}"
    assert figure.get_label().endswith(f"cosine similarity of {expected:.2f}.")
    assert [axis.get_title() for axis in figure.axes] == ["query", "match"]
    assert Image.open(tmp_path / "why.png").text["Description"] == figure.get_label()
    plt.close(figure)


def test_the_product_is_what_matches_and_not_the_empty_page(towhee, bags):
    left, right = Image.new("RGB", (400, 400), "white"), Image.new("RGB", (400, 400), "white")
    bag = simlib.load_image(bags[0]).resize((180, 180))
    left.paste(bag, (10, 110))
    right.paste(bag, (210, 110))
    first, second = simlib.plot_match(left, right, towhee)
    assert first[:, :3].sum() > 2 * first[:, 4:].sum()
    assert second[:, 4:].sum() > 2 * second[:, :3].sum()


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "test_convnext"])
def test_networks_of_timms_have_feature_maps(model, pictures, tmp_path):
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    tag = timm.models.get_pretrained_cfg(model).tag
    path = tmp_path / "model.safetensors"
    save_file(timm.create_model(model, pretrained=False).state_dict(), path)
    encoder = simlib.load_encoder(f"timm:{model}.{tag}", weights=path, device="cpu")
    maps = encoder.feature_maps(pictures[:2])
    assert maps.ndim == 4 and maps.shape[:2] == (2, encoder.dim) and min(maps.shape[2:]) > 1
    parts = simlib.plot_match(*pictures[:2], encoder)
    assert parts.shape == (2, *maps.shape[2:]) and np.isfinite(parts).all()


def test_what_is_no_match_is_said(towhee, bags, tmp_path):
    assert (parts_of(np.zeros((2, 3, 2, 2))) == 0).all()
    pixels = simlib.load_encoder("pixels", size=(8, 8))
    with pytest.raises(TypeError, match="has no feature maps, so which parts .* Use load_encoder"):
        simlib.plot_match(bags[0], bags[1], pixels)
    with pytest.raises(simlib.ImageError, match="none.jpg"):
        simlib.plot_match(bags[0], tmp_path / "none.jpg", towhee)
