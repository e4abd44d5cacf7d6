"""What a user loses when these fail: the computer, to a model folder somebody sent or published."""

import json
import os
import pickle
import shutil
import socket
from pathlib import Path

import pytest
from loopback import loopback
from tiny_clip import save_tiny_clip

from simlib.downloads.model_folder import require_safe_model
from simlib.encoders.clip import ClipEncoder, open_model


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    return save_tiny_clip(tmp_path_factory.mktemp("parts"), tmp_path_factory.mktemp("tiny-clip"))


@pytest.fixture
def folder(tiny_clip, tmp_path):
    return Path(shutil.copytree(tiny_clip, tmp_path / "model"))


class Payload:
    """A pickle that leaves a mark where it is opened without care."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return open, (self.mark, "w")


def put(folder, name, **settings):
    """Add to the settings in a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | settings))


def drop(folder, name, *keys):
    path = folder / name
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in settings.items() if k not in keys}))


def poison(folder, name="pytorch_model.bin"):
    """Put a pickle that runs code where weights are looked for."""
    (folder / name).write_bytes(pickle.dumps(Payload(folder.parent / "it-ran")))


BERT, CONFIG, TOKENIZER = "sentence_bert_config.json", "config.json", "tokenizer_config.json"


def pickle_for_weights(folder):
    """The attack of issue 16: transformers calls torch.load(weights_only=False)."""
    (folder / "model.safetensors").unlink()
    poison(folder)
    drop(folder, CONFIG, "dtype", "torch_dtype")
    put(folder, BERT, model_kwargs={"weights_only": False, "dtype": "auto"})


def pickle_beside_weights(folder):
    poison(folder)
    drop(folder, CONFIG, "dtype", "torch_dtype")
    put(
        folder,
        BERT,
        model_kwargs={"weights_only": False, "dtype": "auto", "use_safetensors": False},
    )


def modules(folder, *added):
    known = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*known, *added]))


def module(kind, path="1_M"):
    return {"idx": 1, "name": "1", "path": path, "type": kind}


ST = "sentence_transformers"


def dense(folder, **settings):
    base = {"in_features": 12, "out_features": 12, "bias": True}
    put(folder, "1_Dense/config.json", **base | settings)
    modules(folder, module(f"{ST}.models.Dense", "1_Dense"))


def link_out(folder):
    outside = folder.parent / "outside.safetensors"
    shutil.move(folder / "model.safetensors", outside)
    (folder / "model.safetensors").symlink_to(outside)


def linked_folder(folder):
    (folder.parent / "elsewhere").mkdir()
    (folder / "1_M").symlink_to(folder.parent / "elsewhere")


def fake_hub_cache(folder):
    """A link beside the hub's blobs: only what lies in them is part of the snapshot."""
    snapshot = folder.parent / "models--a--b" / "snapshots" / "c0ffee"
    shutil.copytree(folder, snapshot)
    (folder.parent / "models--a--b" / "refs").mkdir()
    shutil.move(snapshot / CONFIG, folder.parent / "models--a--b" / "refs" / CONFIG)
    (snapshot / CONFIG).symlink_to("../../refs/config.json")
    return snapshot


def router(folder, **settings):
    (folder / "modules.json").write_text(
        json.dumps([module(f"{ST}.base.modules.router.Router", "")])
    )
    base = {"types": {"a": f"{ST}.models.Transformer"}, "structure": {"text": ["a"]}}
    put(folder, "router_config.json", **base | {"parameters": {}} | settings)


def timm_network(folder, **settings):
    base = {"model_type": "timm_wrapper", "architecture": "resnet18", "num_classes": 0}
    (folder / CONFIG).write_text(json.dumps(base | settings))


ATTACKS = {
    # What issue 16 names
    "a pickle instead of weights": pickle_for_weights,
    "a pickle beside the weights": pickle_beside_weights,
    "auto_map": lambda f: put(f, CONFIG, auto_map={"AutoModel": "evil.Model"}),
    "a program": lambda f: (f / "evil.py").write_text("raise SystemExit"),
    "a module of others": lambda f: modules(f, module("evil.Model")),
    "a kernel": lambda f: put(f, CONFIG, _attn_implementation="somebody/kernel"),
    "a remote architecture": lambda f: timm_network(f, architecture="hf-hub:somebody/model"),
    "a link out": link_out,
    # Fresh ones: other ways to a pickle
    "a torch file": lambda f: poison(f, "model.pt"),
    "a pickle in another folder": lambda f: poison((f / "1_M").mkdir() or f / "1_M"),
    "an old checkpoint name": lambda f: poison(f, "tf_model.h5"),
    "the old name of the arguments": lambda f: put(f, BERT, model_args={"weights_only": False}),
    "weights by another name": lambda f: put(f, CONFIG, transformers_weights="../evil.safetensors"),
    "an argument of the loader": lambda f: put(f, BERT, model_kwargs={"state_dict": "evil"}),
    "a gguf file": lambda f: put(f, BERT, model_kwargs={"gguf_file": "evil.gguf"}),
    "a table of parts that leads out": lambda f: put(
        f, "model.safetensors.index.json", weight_map={"a": "../../evil.bin"}
    ),
    "an adapter": lambda f: put(f, "adapter_config.json", base_model_name_or_path="somebody/model"),
    "timm opens a checkpoint": lambda f: timm_network(f, model_args={"checkpoint_path": "/evil"}),
    "timm fetches a file": lambda f: timm_network(f, pretrained_cfg={"file": "/evil.pth"}),
    "timm from a folder": lambda f: timm_network(f, architecture="local-dir:/evil"),
    "timm in a tower": lambda f: put(
        f, CONFIG, vision_config={"model_type": "timm_wrapper", "model_args": {"pretrained": True}}
    ),
    # Other ways to a program
    "a class by a wrong path": lambda f: modules(f, module(f"{ST}.base.modules.module.torch")),
    "a class of a library in ours": lambda f: modules(f, module(f"{ST}.util.misc.importlib")),
    "a program behind Router": lambda f: router(f, types={"a": "evil.Model"}),
    "a folder behind Router": lambda f: router(f, types={"../x": f"{ST}.models.Dense"}),
    "a route that is evaluated": lambda f: router(
        f, parameters={"route_mappings": {"(" * 5_000: "a"}}
    ),
    "Router by its old file": lambda f: (
        router(f),
        (f / "router_config.json").unlink(),
        put(f, CONFIG, types={"a": "evil.Model"}),
    ),
    "an activation of others": lambda f: dense(f, activation_function="evil.Activation"),
    "an activation that is no activation": lambda f: dense(
        f, activation_function="torch.hub.load_state_dict_from_url"
    ),
    "a method of the network": lambda f: put(
        f, BERT, modality_config={"text": {"method": "save_pretrained", "method_output_name": None}}
    ),
    "auto_map of the tokenizer": lambda f: put(
        f, TOKENIZER, auto_map={"AutoTokenizer": ["evil.T", None]}
    ),
    "auto_map of the processor": lambda f: put(
        f, "processor_config.json", auto_map={"AutoProcessor": "evil.P"}
    ),
    "auto_map in a tower": lambda f: put(
        f, CONFIG, text_config={"auto_map": {"AutoModel": "evil.M"}}
    ),
    "a tokenizer of another kind": lambda f: put(f, TOKENIZER, tokenizer_class="RagTokenizer"),
    "a network of another kind": lambda f: put(f, CONFIG, model_type="rag"),
    "a network without a name": lambda f: drop(f, CONFIG, "model_type"),
    "quantised weights": lambda f: put(f, CONFIG, quantization_config={"quant_method": "gptq"}),
    "a kernel by a plain name": lambda f: put(
        f, BERT, model_kwargs={"attn_implementation": "flash_attention_2"}
    ),
    "kernels allowed": lambda f: put(f, BERT, model_kwargs={"allow_all_kernels": True}),
    "a kernel in a tower": lambda f: put(
        f, CONFIG, text_config={"attn_implementation": {"": "somebody/kernel"}}
    ),
    "code trusted": lambda f: put(f, BERT, config_kwargs={"trust_remote_code": True}),
    "a template": lambda f: (f / "chat_template.jinja").write_text("{{ 1 }}"),
    "a template in the settings": lambda f: put(f, TOKENIZER, chat_template="{{ 1 }}"),
    # Other ways out of the folder
    "a tokenizer of elsewhere": lambda f: put(f, BERT, tokenizer_name_or_path="somebody/model"),
    "a vocabulary of elsewhere": lambda f: put(f, TOKENIZER, vocab_file="/etc/passwd"),
    "a module outside": lambda f: modules(f, module(f"{ST}.models.Dense", "../outside")),
    "an absolute module": lambda f: modules(f, module(f"{ST}.models.Dense", "/outside")),
    "a hidden module": lambda f: modules(f, module(f"{ST}.models.Dense", ".outside")),
    "a linked folder": linked_folder,
    "a link beside the blobs": fake_hub_cache,
    "a backbone of elsewhere": lambda f: put(f, CONFIG, backbone="timm/resnet50"),
    # What is merely broken, or made to exhaust
    "no JSON": lambda f: (f / CONFIG).write_text("{"),
    "no text": lambda f: (f / CONFIG).write_bytes(b"\xff\xfe{}"),
    "a list for settings": lambda f: (f / BERT).write_text("[]"),
    "a number for modules": lambda f: (f / "modules.json").write_text("7"),
    "deep nesting": lambda f: (f / TOKENIZER).write_text("[" * 100_000),
    "no end of layers": lambda f: put(f, CONFIG, text_config={"num_hidden_layers": 10**9}),
    "no end of numbers": lambda f: put(f, CONFIG, text_config={"hidden_size": 10**12}),
    "endless settings": lambda f: (f / BERT).write_text("{" + " " * 9_000_000 + "}"),
    "a pipe": lambda f: (f / BERT).unlink() or os.mkfifo(f / BERT),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_folder_that_could_do_harm_is_refused_before_it_is_opened(name, folder, monkeypatch):
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda *address: asked.append(address))
    attacked = ATTACKS[name](folder)
    attacked = attacked if isinstance(attacked, Path) else folder
    with pytest.raises(ValueError, match="was not opened: .*safetensors") as refusal:
        open_model(str(attacked), "cpu")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 1_000
    assert not (folder.parent / "it-ran").exists() and asked == []


@pytest.mark.parametrize("attack", [pickle_for_weights, pickle_beside_weights])
def test_the_pickles_of_these_attacks_run_where_nobody_looks(attack, folder):
    """Or the tests above would prove nothing."""
    from sentence_transformers import SentenceTransformer

    attack(folder)
    with pytest.raises(Exception):  # noqa: B017 (what it says is the library's own business)
        SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    assert (folder.parent / "it-ran").exists()


def test_an_attack_that_is_published_on_the_hub_is_refused_too(folder, tmp_path, monkeypatch):
    pickle_beside_weights(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with loopback() as hub:
        hub.be_the_hub(monkeypatch, tmp_path / "hub")
        place = hub.put_model("somebody/model", files)
        with pytest.raises(
            ValueError, match="sentence_bert_config.json' 'use_safetensors'|weights"
        ):
            ClipEncoder("somebody/model", device="cpu")
        assert not hub.ranges_of(f"{place}pytorch_model.bin")  # not even fetched
    assert not (tmp_path / "it-ran").exists()


def test_an_attack_that_lies_in_the_hubs_cache_is_refused_too(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pickle_for_weights(folder)
    repository = tmp_path / "hub" / "models--somebody--model"
    shutil.copytree(folder, repository / "snapshots" / "c0ffee")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE"):
        ClipEncoder("somebody/model", device="cpu")
    assert not (tmp_path / "it-ran").exists()


def test_a_model_in_the_hubs_cache_opens_through_its_links(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repository = tmp_path / "hub" / "models--somebody--model"
    snapshot = Path(shutil.copytree(folder, repository / "snapshots" / "c0ffee"))
    (repository / "blobs").mkdir()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    for path in snapshot.iterdir():
        shutil.move(path, repository / "blobs" / path.name)
        path.symlink_to(f"../../blobs/{path.name}")
    assert ClipEncoder("somebody/model", device="cpu").dim == 12


@pytest.mark.parametrize("damage", ["cut short", "of other sizes", "missing"])
def test_weights_that_do_not_fit_are_one_plain_error(folder, damage):
    weights = folder / "model.safetensors"
    if damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "missing":
        weights.unlink()
    else:
        put(folder, CONFIG, projection_dim=13)
    with pytest.raises(ValueError, match="model folder .* can't be opened .*safetensors") as error:
        open_model(str(folder), "cpu")
    assert "\n" not in str(error.value)


CLIP_OF_2022 = {  # as sentence-transformers/clip-ViT-B-32 has it, whose settings are of 2022
    "_name_or_path": "old_models/clip-ViT-B-32/0_CLIPModel",
    "architectures": ["CLIPModel"], "initializer_factor": 1.0, "logit_scale_init_value": 2.6592,
    "model_type": "clip", "projection_dim": 512, "torch_dtype": "float32",
    "transformers_version": None, "text_config_dict": None, "vision_config_dict": None,
    "text_config": {
        "_name_or_path": "", "add_cross_attention": False, "architectures": None,
        "bad_words_ids": None, "bos_token_id": 0, "chunk_size_feed_forward": 0,
        "finetuning_task": None, "hidden_act": "quick_gelu", "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0}, "layer_norm_eps": 1e-05, "model_type": "clip_text_model",
        "num_beams": 1, "pruned_heads": {}, "task_specific_params": None,
        "temperature": 1.0, "tie_word_embeddings": True, "torchscript": False,
        "transformers_version": "4.16.0.dev0", "use_bfloat16": False, "vocab_size": 49408,
    },
    "vision_config": {"model_type": "clip_vision_model", "image_size": 224, "patch_size": 32},
}  # fmt: skip


def test_the_settings_of_published_models_are_allowed(tmp_path):
    put(tmp_path, "0_CLIPModel/config.json", **CLIP_OF_2022)
    put(
        tmp_path, "0_CLIPModel/preprocessor_config.json",
        crop_size=224, do_center_crop=True, feature_extractor_type="CLIPFeatureExtractor",
        image_mean=[0.48, 0.45, 0.4], resample=3, size=224,
    )  # fmt: skip
    token = {"content": "<|endoftext|>", "single_word": False, "__type": "AddedToken"}
    put(
        tmp_path, "0_CLIPModel/tokenizer_config.json",
        unk_token=token, errors="replace", do_lower_case=True, name_or_path="openai/clip",
        special_tokens_map_file="./special_tokens_map.json", tokenizer_class="CLIPTokenizer",
        model_max_length=77,
    )  # fmt: skip
    put(tmp_path, "config_sentence_transformers.json", __version__={"pytorch": "1.7"}, prompts={})
    (tmp_path / "modules.json").write_text(
        json.dumps([module("sentence_transformers.models.CLIPModel", "0_CLIPModel")])
    )
    for name in ("README.md", ".gitattributes", "0_CLIPModel/merges.txt"):
        (tmp_path / name).write_text("")
    require_safe_model(tmp_path)


ODD = [7, -1.5, True, "a/b", "", [], {}, [[{}]], {"a": {}}, [{"a": "b"}], ["../x"], "x" * 600]


@pytest.mark.slow
def test_settings_of_any_form_end_in_the_one_error_or_none(tiny_clip, folder):
    """Each value, at any depth, becomes each odd one: a KeyError or a crash would get out."""
    router(folder)  # a second form of the list of modules
    shutil.copytree(tiny_clip, folder / "a")
    (folder / "special_tokens_map.json").write_text('{"unk_token": {"content": "<unk>"}}')
    (folder / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model.safetensors"}}'
    )
    require_safe_model(folder)
    tried = refused = 0
    for path in [path for path in folder.rglob("*.json") if path.name != "tokenizer.json"]:
        text = path.read_text()
        for changed in changes(json.loads(text)):
            path.write_text(json.dumps(changed))
            tried += 1
            try:
                require_safe_model(folder)
            except ValueError as error:
                assert "was not opened" in str(error) and "\n" not in str(error)
                refused += 1
        path.write_text(text)
    assert tried > 2_000 and refused > 1_000


def changes(settings):
    yield from ODD
    keys = []
    if isinstance(settings, (dict, list)):
        keys = list(settings) if isinstance(settings, dict) else range(len(settings))
    for key in keys:
        for changed in changes(settings[key]):
            copy = settings.copy()
            copy[key] = changed
            yield copy
