"""What a user loses when these fail: any network that timm has published, by its name."""

from importlib.util import find_spec

import numpy as np
import pytest

import simlib

torch = pytest.importorskip("torch")
if find_spec("timm") is None:  # imported where it is needed: every worker reads this file
    pytest.skip("timm is not installed", allow_module_level=True)


@pytest.mark.parametrize(
    "model",
    ["resnet18.a1_in1k", "convnext_atto.d2_in1k", "vit_small_patch16_dinov3.lvd1689m"],
)
def test_the_true_architecture_with_random_weights_gives_timms_own_features(
    model, pictures, tmp_path
):
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    classes = timm.models.get_pretrained_cfg(model).num_classes
    reference = timm.create_model(model, pretrained=False, num_classes=classes).eval()
    path = tmp_path / "model.safetensors"
    save_file(reference.state_dict(), path)
    transform = timm.data.create_transform(
        **timm.data.resolve_data_config(
            pretrained_cfg=timm.models.get_pretrained_cfg(model).to_dict()
        )
    )
    with torch.inference_mode():
        batch = torch.stack([transform(picture) for picture in pictures])
        features = reference.forward_head(reference.forward_features(batch), pre_logits=True)
    encoder = simlib.load_encoder(f"timm:{model}", weights=path, device="cpu")
    embeddings = encoder.encode(pictures)
    assert embeddings.shape == features.shape == (3, encoder.dim)
    np.testing.assert_allclose(embeddings, features.numpy(), rtol=1e-3, atol=1e-4)
    assert encoder.name == f"timm:{model}" and encoder.column.isidentifier()


def test_two_weights_have_two_recipes(tmp_path):
    import timm
    from safetensors.torch import save_file

    recipes = set()
    for seed in range(2):
        torch.manual_seed(seed)
        path = tmp_path / f"{seed}.safetensors"
        save_file(timm.create_model("resnet18.a1_in1k", pretrained=False).state_dict(), path)
        recipes.add(simlib.load_encoder("timm:resnet18.a1_in1k", weights=path).recipe)
    assert len(recipes) == 2


def test_weights_that_do_not_fit_are_named(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"fc.weight": torch.ones(2, 2)}, path)
    with pytest.raises(ValueError, match=r"other.safetensors' do not fit timm's resnet18.a1_in1k"):
        simlib.load_encoder("timm:resnet18.a1_in1k", weights=path)
    path.write_bytes(b"\x80\x04N.")  # a pickle
    with pytest.raises(ValueError, match=r"other.safetensors' do not fit"):
        simlib.load_encoder("timm:resnet18.a1_in1k", weights=path)
    with pytest.raises(FileNotFoundError, match="no weights at"):
        simlib.load_encoder("timm:resnet18.a1_in1k", weights=tmp_path / "missing.safetensors")


@pytest.mark.parametrize("name", ["timm:resnet81", "timm:hf-hub:someone/model"])
def test_an_unknown_network_is_answered_with_similar_names(name):
    with pytest.raises(ValueError, match="timm has no published network"):
        simlib.load_encoder(name)


def test_an_unknown_family_is_named():
    with pytest.raises(ValueError, match=r"no encoder 'tim:resnet18'.*'timm:<model>'"):
        simlib.load_encoder("tim:resnet18")
