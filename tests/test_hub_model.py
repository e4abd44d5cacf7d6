"""What a user loses when these fail: any published image-text model, by its name."""

import copy
import json
import logging
import pickle
import shutil
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from loopback import loopback
from PIL import Image
from tiny_clip import save_tiny_clip
from tiny_models import (
    NATIVE,
    OPEN_CLIP,
    SIGLIP,
    save_open_clip,
    save_tiny_siglip,
    write_open_clip_settings,
)

import simlib
from simlib.downloads.model_folder import require_safe_open_clip

torch = pytest.importorskip("torch")
if find_spec("sentence_transformers") is None:
    pytest.skip("sentence-transformers is not installed", allow_module_level=True)

TEXTS = ["a Red dress", "shoes!"]


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    return save_tiny_siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="module")
def open_clip_folders(tmp_path_factory):
    pytest.importorskip("open_clip", reason="the extra open-clip is not installed")
    return {name: save_open_clip(tmp_path_factory.mktemp("folder"), name) for name in OPEN_CLIP}


def unit(rows):
    rows = getattr(rows, "pooler_output", rows)
    return (rows / rows.norm(dim=-1, keepdim=True)).numpy()


def test_siglip_gives_transformers_own_features(siglip, pictures):
    from transformers import AutoModel, AutoProcessor

    model, processor = (
        AutoModel.from_pretrained(siglip).eval(),
        AutoProcessor.from_pretrained(siglip),
    )
    read = processor(
        text=[text.lower() for text in TEXTS], images=pictures, padding="max_length",
        max_length=64, truncation=True, return_tensors="pt",
    )  # fmt: skip
    assert set(read) == {"input_ids", "pixel_values"}
    with torch.inference_mode():
        of_pictures = model.get_image_features(pixel_values=read.pop("pixel_values"))
        of_texts = model.get_text_features(**read)
    encoder = simlib.load_encoder(f"hf:{siglip}", device="cpu")
    np.testing.assert_allclose(encoder.encode(pictures), unit(of_pictures), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), unit(of_texts), atol=1e-5)
    # One text alone is padded as it is beside a longer one.
    np.testing.assert_allclose(encoder.encode_text(TEXTS[1]), unit(of_texts)[1:], atol=1e-5)
    with pytest.warns(UserWarning, match="word pieces long; the model reads the first 64"):
        encoder.encode_text("a very long text " * 10)
    clip = simlib.load_encoder("clip", weights=siglip, device="cpu")
    texts = torch.from_numpy(clip.encode_text(TEXTS))
    np.testing.assert_allclose(unit(texts), unit(of_texts), atol=1e-5)


def test_clip_gives_transformers_own_features(tmp_path, pictures):
    from transformers import AutoModel, AutoProcessor

    (tmp_path / "parts").mkdir()
    saved = save_tiny_clip(tmp_path / "parts", tmp_path / "saved")
    plain = tmp_path / "parts" / "clip"
    model, processor = AutoModel.from_pretrained(plain).eval(), AutoProcessor.from_pretrained(plain)
    read = processor(text=TEXTS, images=pictures, padding=True, return_tensors="pt")
    with torch.inference_mode():
        of_pictures = model.get_image_features(pixel_values=read.pop("pixel_values"))
        of_texts = model.get_text_features(**read)
    for folder in (plain, saved):  # as transformers saves it, and as sentence-transformers does
        encoder = simlib.load_encoder(f"hf:{folder}", device="cpu")
        np.testing.assert_allclose(encoder.encode(pictures), unit(of_pictures), atol=1e-5)
        np.testing.assert_allclose(encoder.encode_text(TEXTS), unit(of_texts), atol=1e-5)


@pytest.mark.parametrize("name", OPEN_CLIP)
def test_open_clips_formats_give_its_own_features(open_clip_folders, name, pictures):
    import open_clip

    folder = open_clip_folders[name]
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    encoder = simlib.load_encoder(f"hf:{folder}", device="cpu")
    assert logging.getLogger().handlers == handlers and logging.getLogger().level == level
    source = f"local-dir:{folder}"
    model, _, transform = open_clip.create_model_and_transforms(source)
    tokens = open_clip.get_tokenizer(source)(TEXTS)
    with torch.inference_mode():
        batch = torch.stack([transform(picture) for picture in pictures])
        of_pictures = model.eval().encode_image(batch, normalize=True).numpy()
        of_texts = model.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode(pictures), of_pictures, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), of_texts, atol=1e-5)
    assert encoder.dim == of_texts.shape[1] and isinstance(encoder, simlib.TextEncoder)
    with pytest.warns(UserWarning, match="word pieces long; the model reads the first") as record:
        encoder.encode_text("a very long text " * 40)
    assert record[0].filename == __file__


def test_the_recipe_is_the_model_and_the_name_its_column(siglip, tmp_path):
    """Another place changes nothing; other weights or another preprocessing change the recipe."""
    moved = shutil.copytree(siglip, tmp_path / "moved")
    encoders = [
        simlib.load_encoder(f"hf:{siglip}"),
        simlib.load_encoder("hf:google/siglip2-base-patch16-224", weights=moved),
    ]
    assert encoders[0].recipe == encoders[1].recipe
    assert encoders[1].column == "hf_google_siglip2_base_patch16_224_embedding"
    assert encoders[1].name == "hf:google/siglip2-base-patch16-224"
    settings = json.loads((moved / "processor_config.json").read_text())
    settings["image_processor"]["image_mean"] = [0.4, 0.4, 0.4]
    (moved / "processor_config.json").write_text(json.dumps(settings))
    assert simlib.load_encoder(f"hf:{moved}").recipe != encoders[0].recipe


def test_its_embeddings_are_cached_and_a_pickle_of_it_is_the_same_encoder(
    siglip, tmp_path, monkeypatch
):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    image_df = simlib.load_catalogue(tmp_path)
    encoder = simlib.load_encoder(f"hf:{siglip}", device="cpu")
    first = simlib.embed(image_df, encoder, progress=False)
    encoder = pickle.loads(pickle.dumps(encoder))
    monkeypatch.setattr(type(encoder), "encode_prepared", lambda *_: pytest.fail("computed again"))
    again = simlib.embed(image_df, encoder, progress=False)
    np.testing.assert_array_equal(first[encoder.column][0], again[encoder.column][0])


@pytest.mark.parametrize("name", ["hf:google/siglip2", "hf:clip-ViT-B-32"])
def test_without_a_network_one_sentence_says_the_way_out(name, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="not on this computer.*give their path as weights="):
        simlib.load_encoder(name)


@pytest.mark.parametrize("name", ["hf:./none", "hf:~/none", "hf:/none/at/all", "hf:a/b/c"])
def test_a_folder_that_is_not_there_is_named(name):
    with pytest.raises(FileNotFoundError, match="no model folder .*'hf:owner/name'"):
        simlib.load_encoder(name)


def published(hub, folder, monkeypatch, tmp_path, **more):
    hub.be_the_hub(monkeypatch, tmp_path / "hub")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return hub.put_model("somebody/model", files | more)


def test_a_model_of_the_hub_comes_without_pickles_and_programs(
    open_clip_folders, monkeypatch, tmp_path
):
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path / "home"))
    more = {
        "open_clip_pytorch_model.bin": b"a pickle", "model.py": b"raise SystemExit",
        "config.json": b'{"auto_map": {"AutoModel": "model.Model"}}',
    }  # fmt: skip
    folder = open_clip_folders["SigLIP"]
    with loopback() as hub:
        place = published(hub, folder, monkeypatch, tmp_path, **more)
        encoder = simlib.load_encoder("hf:somebody/model", device="cpu")
        assert not any(hub.ranges_of(place + name) for name in more)
    assert encoder.recipe == simlib.load_encoder(f"hf:{folder}", device="cpu").recipe
    assert encoder.column == "hf_somebody_model_embedding"


def test_without_open_clip_its_command_is_named_before_a_download(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "open_clip", None)
    write_open_clip_settings(tmp_path, NATIVE)
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"weights")
    with loopback() as hub:
        hub.be_the_hub(monkeypatch, tmp_path / "hub")
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        place = hub.put_model("somebody/model", files)
        with pytest.raises(ImportError, match=r"somebody/model.*pip install .simlib\[open-clip\]"):
            simlib.load_encoder("hf:somebody/model")
        assert not any(hub.ranges_of(place + name) for name in files)
    with pytest.raises(ImportError, match=r"open_clip's format.*simlib\[open-clip\]"):
        simlib.load_encoder(f"hf:{tmp_path}")


def test_weights_that_are_a_pickle_are_not_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path / "home"))
    with loopback() as hub:
        hub.be_the_hub(monkeypatch, tmp_path / "hub")
        files = {"open_clip_config.json": b"{}", "open_clip_pytorch_model.bin": b"a pickle"}
        place = hub.put_model("somebody/model", files)
        with pytest.raises(ValueError, match="no 'open_clip_model.safetensors'.*pickle"):
            simlib.load_encoder("hf:somebody/model")
        assert not any(hub.ranges_of(place + name) for name in files)


def test_weights_that_do_not_fit_are_one_plain_error(open_clip_folders, tmp_path):
    folder = shutil.copytree(open_clip_folders["ViT"], tmp_path / "model")
    write_open_clip_settings(folder, NATIVE | {"embed_dim": 25})
    with pytest.raises(ValueError, match="can't be opened with open_clip") as error:
        simlib.load_encoder(f"hf:{folder}")
    assert "\n" not in str(error.value)


def towers(**changes):
    """Return SigLIP's settings with others in its towers: ``text__width=3``."""
    settings = copy.deepcopy(SIGLIP)
    for place, value in changes.items():
        tower, _, key = place.rpartition("__")
        (settings[f"{tower}_cfg"] if tower else settings)[key] = value
    return settings


ATTACKS = {
    "a tower of timm's from the hub": towers(vision__timm_model_name="hf-hub:somebody/model"),
    "a tower of timm's from a folder": towers(vision__timm_model_name="local-dir:/evil"),
    "a text tower from the hub": towers(text__hf_model_name="somebody/model"),
    "a tokenizer that runs code": towers(text__tokenizer_kwargs={"trust_remote_code": True}),
    "a tokenizer that downloads": towers(text__tokenizer_kwargs={"reduction_mask": "syntax"}),
    "a tokenizer of elsewhere": towers(text__tokenizer_kwargs={"vocab_file": "/etc/passwd"}),
    "an argument of the network": towers(cast_dtype="float16"),
    "a decoder": towers(multimodal_cfg={"width": 3}),
    "an activation of others": towers(text__act_kwargs={"approximate": "evil.Module"}),
    "no end of layers": towers(text__layers=10**6),
    "no end of numbers": towers(vision__width=10**12),
    "no end of pixels": towers(vision__image_size=10**6),
    "a number for a tower": towers() | {"text_cfg": 7},
    "a missing tower": {key: value for key, value in SIGLIP.items() if key != "vision_cfg"},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_settings_that_could_do_harm_are_refused(attack, tmp_path):
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    write_open_clip_settings(tmp_path, SIGLIP)
    require_safe_open_clip(tmp_path)
    write_open_clip_settings(tmp_path, ATTACKS[attack])
    with pytest.raises(ValueError, match="was not opened: in 'open_clip_config.json'"):
        require_safe_open_clip(tmp_path)


@pytest.mark.parametrize("file", ["model.py", "open_clip_pytorch_model.bin", "evil.json"])
def test_files_that_could_do_harm_are_refused(file, tmp_path):
    write_open_clip_settings(tmp_path, SIGLIP)
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(ValueError, match=f"was not opened: it holds '{file}'"):
        require_safe_open_clip(tmp_path)


def test_preprocessing_that_could_do_harm_is_refused(tmp_path):
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    for settings in ({"size": [10**9, 3]}, {"mode": "CMYK"}, {"evil": 1}, {"size": "x"}):
        write_open_clip_settings(tmp_path, SIGLIP, settings)
        with pytest.raises(ValueError, match="was not opened"):
            require_safe_open_clip(tmp_path)
