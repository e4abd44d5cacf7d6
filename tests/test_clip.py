"""Strategy 4: pictures and words in one space, offline, and text that is never opened as a file."""

import csv
import json
import shutil
import socket
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from average_colours import run_python, start_python
from loopback import loopback
from PIL import Image
from quiet_machine import assert_quick
from sklearn.metrics import average_precision_score
from tiny_clip import save_tiny_clip

from simlib.downloads import http
from simlib.encoders.clip import ClipEncoder
from simlib.networks import clip_compact
from simlib.networks.inference import has_openvino
from simlib.storage.hashing import sha256_of
from simlib.storage.locks import exclusive

ROOT = Path(__file__).parents[1]


@pytest.fixture
def encoder(clip_encoder):
    return clip_encoder


@pytest.fixture
def home(encoder, shared_home):
    """The cache folder of the run, with the compact model in it."""
    return Path(shared_home)


@pytest.fixture
def no_network(monkeypatch):
    """Make any connection fail at once, and remember who asked."""
    asked = []

    def refuse(*address, **_):
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


def pictures():
    rng = np.random.default_rng(0)
    sizes = [(224, 224), (300, 200), (120, 400), (37, 61)]
    return [
        Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(size)
        for size in sizes
    ]


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_encodes_pictures_and_texts_of_one_length(encoder):
    images, texts = encoder.encode(pictures()), encoder.encode_text(["a red dress", "a blue bag"])
    assert (encoder.name, encoder.column) == ("clip", "clip_img_embedding")
    assert images.shape == (4, encoder.dim) and texts.shape == (2, encoder.dim)
    assert images.dtype == texts.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)


def test_a_picture_is_embedded_the_same_in_any_batch(encoder):
    together = encoder.encode(pictures())
    alone = np.concatenate([encoder.encode([one]) for one in pictures()])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("size", [(400, 120), (120, 400), (3000, 2), (1, 1)])
def test_the_whole_picture_is_seen_on_white(size):
    """Cut to the middle square, a long coat would lose its hem."""
    picture = Image.new("RGB", size, "blue")
    seen = clip_compact.lay_on_square(picture)
    blue = (seen == (0, 0, 255)).all(2)
    assert seen.shape == (288, 288, 3) and ((seen == 255).all(2) | blue).all()
    longer = max(size)
    assert [blue.any(0).sum(), blue.any(1).sum()] == [
        max(1, round(side * 288 / longer)) for side in size
    ]


def test_the_folder_opens_with_plain_sentence_transformers_and_agrees(encoder, home):
    """Whoever takes the folder elsewhere, without simlib, finds the same neighbours."""
    from sentence_transformers import SentenceTransformer

    (folder,) = (home / "models").glob("clip-compact-*")
    assert encoder.model_name_or_path == str(folder)
    plain = SentenceTransformer(str(folder), device="cpu", trust_remote_code=False)
    on_squares = [Image.fromarray(clip_compact.lay_on_square(one)) for one in pictures()]
    np.testing.assert_allclose(plain.encode(on_squares), encoder.encode(pictures()), atol=1e-5)
    texts = ["a red dress", "shoes"]
    np.testing.assert_allclose(plain.encode(texts), encoder.encode_text(texts), atol=1e-5)


def test_pictures_are_not_multiplied_by_the_zeros_that_the_folder_needs(encoder):
    reader = clip_compact.picture_reader()
    layers = (reader.hidden, reader.scores, reader.names, reader.image)
    assert all((layer.weight != 0).float().mean() > 0.9 for layer in layers)
    filled_up = sum(
        dense.linear.weight.numel() for dense in encoder.model[0].sub_modules["image"][-3:]
    )
    assert sum(layer.weight.numel() for layer in layers) < filled_up / 1.5


@pytest.mark.skipif(not has_openvino(), reason="torch reads the pictures")
def test_pictures_alone_need_no_model_of_texts(home):
    """Loading takes a second in place of ten, wherever pictures were read before."""
    script = """
import sys
from PIL import Image
import simlib

encoder = simlib.load_encoder("clip", device="cpu")
assert encoder.encode([Image.new("RGB", (9, 9))]).shape == (1, 384)
print(sorted({"sentence_transformers", "transformers", "torch"} & set(sys.modules)))
"""
    run_python(script, SIMLIB_HOME=str(home))  # converts, if it is the first
    again = run_python(script, SIMLIB_HOME=str(home))
    assert again.strip() == "[]"


def test_what_looks_like_a_file_or_an_address_is_searched_for_as_text(
    encoder, no_network, tmp_path, monkeypatch
):
    """sentence-transformers itself would embed the picture behind these strings."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (50, 50), "red").save("shoes.jpg")
    queries = ["shoes.jpg", "https://example.org/a.png", "data:image/png;base64,AAAA", "a.wav"]
    opened = []
    original = Image.open
    monkeypatch.setattr(Image, "open", lambda *args, **_: opened.append(args) or original(*args))
    found = encoder.encode_text([*queries, "a red dress"])
    assert opened == [] and no_network == []
    assert cosines(found[:1], encoder.encode([original("shoes.jpg")]))[0] < 0.99
    # In other company, and where no such file exists, a text has the same embedding.
    monkeypatch.chdir(ROOT)
    np.testing.assert_allclose(encoder.encode_text([queries[0]])[0], found[0], atol=1e-5)


@pytest.mark.parametrize("empty", ["", "  ", "\n\t", "\u200b"])
def test_an_empty_query_is_refused(encoder, empty):
    with pytest.raises(ValueError, match="empty"):
        encoder.encode_text(["a dress", empty])


def test_what_is_not_text_is_refused(encoder):
    for wrong in (None, 3, Image.new("RGB", (4, 4)), np.zeros((2, 3)), {"image": "a.jpg"}):
        with pytest.raises(TypeError, match="Text 0 is not a str"):
            encoder.encode_text([wrong])


def test_one_text_counts_as_a_list_of_one_and_none_gives_no_rows(encoder):
    np.testing.assert_allclose(encoder.encode_text("shoes"), encoder.encode_text(["shoes"]))
    assert encoder.encode_text([]).shape == (0, encoder.dim)
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_a_long_text_is_read_as_far_as_the_model_can_and_the_user_told(encoder):
    with pytest.warns(UserWarning, match="the model reads the first 256"):
        long = encoder.encode_text(["a red dress " * 833])
    assert long.shape == (1, encoder.dim) and np.isfinite(long).all()


@pytest.mark.parametrize("query", ["红色的裙子", "پیراهن قرمز", "\ud83d half an emoji", "👗👠"])
def test_other_scripts_are_searched_for(encoder, query):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isfinite(encoder.encode_text([query])).all()


def test_who_searches_in_persian_is_told_what_reads_it(encoder):
    with pytest.warns(UserWarning, match="multilingual"):
        encoder.encode_text(["پیراهن قرمز"])


@pytest.mark.slow
def test_two_first_loadings_at_once_print_nothing_and_never_ask_the_network(simlib_home):
    """Two notebooks opened together in a fresh cache both work, show no more than they do the next
    time, and leave one good folder."""
    script = """
import socket, sys
import huggingface_hub.constants, simlib

def refuse(*address, **_):
    sys.exit(f"it asked for {address}")

socket.socket.connect = socket.getaddrinfo = refuse
huggingface_hub.constants.HF_HUB_OFFLINE = False
assert simlib.load_encoder("clip", device="cpu").encode_text(["shoes"]).shape == (1, 384)
"""
    options = {"SIMLIB_HOME": str(simlib_home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    runs = [start_python(script, **options) for _ in range(2)]
    said = [(*run.communicate(timeout=1200), run.returncode) for run in runs]
    waited = "The compact image-text model: another process is at work on it; waiting.\n"
    assert ("", "", 0) in said and all(one in (("", "", 0), ("", waited, 0)) for one in said), said
    (folder,) = (simlib_home / "models").glob("clip-compact-*")
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [
        folder
    ]  # nothing half-made


def damage_weights(folder):
    weights = folder / "image_0_Transformer" / "model.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))


def forge(folder):
    """What the list of hashes in the folder itself, as simlib once kept it, did not notice."""
    settings = folder / "text_0_Transformer" / "sentence_bert_config.json"
    settings.write_text(json.dumps({"model_kwargs": {"weights_only": False}}))
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
    hashes = {name: sha256_of(path) for name, path in files.items() if path.is_file()}
    (folder / "simlib-files.json").write_text(json.dumps(hashes))


def link(folder):
    settings = folder / "modules.json"
    settings.rename(folder.parent / "elsewhere.json")
    settings.symlink_to(folder.parent / "elsewhere.json")


def link_all(folder):
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def no_folder(folder):
    shutil.rmtree(folder)
    folder.write_text("a file")


@pytest.mark.parametrize(
    "change",
    [
        damage_weights,
        forge,
        link,
        link_all,
        no_folder,
        lambda folder: (folder / "image_2_Dense" / "pytorch_model.bin").write_bytes(b"a pickle"),
        lambda folder: (folder / "text_1_Pooling" / "config.json").unlink(),
    ],
)
def test_a_folder_that_is_damaged_or_forged_is_made_again(home, simlib_home, monkeypatch, change):
    (original,) = (home / "models").glob("clip-compact-*")
    built = []

    def assemble(folder):
        built.append(folder)
        shutil.copytree(original, folder)

    monkeypatch.setattr(clip_compact, "_assemble", assemble)
    folder = clip_compact.compact_folder()
    change(folder)
    assert clip_compact.compact_folder() == folder and len(built) == 2
    expected = {path.relative_to(original) for path in original.rglob("*") if path.is_file()}
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert found == expected and not folder.is_symlink()
    for name in expected:
        assert (folder / name).read_bytes() == (original / name).read_bytes()


def test_the_model_that_is_assembled_is_the_pinned_one_and_what_a_kill_left_goes(home, simlib_home):
    """Weights and settings come out the same, byte for byte, each time (here: the second)."""
    (original,) = (home / "models").glob("clip-compact-*")
    leftover = simlib_home / "models" / f".{original.name}-abcdef" / "new"
    leftover.mkdir(parents=True)
    (leftover / "half.safetensors").write_bytes(b"half")
    folder = clip_compact.compact_folder()
    assert folder.name == original.name
    assert [path.name for path in (simlib_home / "models").iterdir()] == [folder.name]
    for name in [*clip_compact.SETTINGS, *clip_compact.SHA256]:
        assert (folder / name).read_bytes() == (original / name).read_bytes()


def test_a_build_that_another_process_is_at_is_not_swept_away(simlib_home):
    """Who cleans up holds the lock, so nobody else is building."""
    folder = simlib_home / "models" / f"clip-compact-{clip_compact.PROJECTIONS_SHA256[:12]}"
    folder = folder.with_name(f"{folder.name}-{clip_compact.ASSEMBLY}")
    at_work = simlib_home / "models" / f".{folder.name}-of-another"
    at_work.mkdir(parents=True)
    other = start_python(
        "from simlib.networks.clip_compact import compact_folder; compact_folder()"
    )
    with exclusive(folder, "the test"):
        line = ""
        while "another process" not in line:  # it waits
            line = other.stderr.readline()
            assert line, "it did not wait"
        assert at_work.exists()
        other.kill()
        other.communicate()


def test_foreign_weights_are_refused(simlib_home, tmp_path, monkeypatch):
    changed = tmp_path / "clip.safetensors"
    changed.write_bytes(clip_compact.PROJECTIONS.read_bytes() + b" ")
    monkeypatch.setattr(clip_compact, "PROJECTIONS", changed)
    with pytest.raises(ValueError, match="git restore data"):
        ClipEncoder(device="cpu")
    changed.unlink()
    with pytest.raises(FileNotFoundError, match="git restore data"):
        ClipEncoder(device="cpu")
    monkeypatch.undo()
    monkeypatch.setenv("SIMLIB_HOME", str(simlib_home))
    monkeypatch.setattr(clip_compact, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="Reinstall it"):
        ClipEncoder(device="cpu")
    assert list((simlib_home / "models").iterdir()) == []  # nothing half-made is left


@pytest.mark.parametrize("name", ["published", "clip-ViT-B-32-multilingual-v1", "nobody/nothing"])
def test_without_a_network_a_missing_model_is_a_sentence_within_seconds(
    name, no_network, tmp_path, monkeypatch
):
    import sentence_transformers  # noqa: F401, which takes its time, with a network too

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="weights='compact'"):
        ClipEncoder(name, device="cpu")
    assert_quick(time.monotonic() - start, 5)


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="no model folder ./nothing"):
        ClipEncoder("./nothing", device="cpu")


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    return save_tiny_clip(tmp_path_factory.mktemp("parts"), tmp_path_factory.mktemp("tiny-clip"))


def test_a_model_of_clips_architecture_opens_from_a_folder(tiny_clip, no_network):
    """The published weights go the same way; here without the network."""
    from sentence_transformers import SentenceTransformer

    encoder = ClipEncoder(tiny_clip, device="cpu")
    assert encoder.resizes_to((400, 300)) == (42, 32)  # shortest_edge in its processor
    assert encoder.dim == 12 and no_network == []
    assert encoder.model_name_or_path == str(tiny_clip)
    plain = SentenceTransformer(str(tiny_clip), device="cpu")
    np.testing.assert_allclose(encoder.encode(pictures()), plain.encode(pictures()), atol=1e-5)
    texts = ["a red dress", "shoes"]
    np.testing.assert_allclose(encoder.encode_text(texts), plain.encode(texts), atol=1e-5)


def test_the_published_model_comes_from_the_hub_once_and_resumes(tiny_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "time", SimpleNamespace(sleep=lambda seconds: None))
    files = {
        path.relative_to(tiny_clip).as_posix(): path.read_bytes()
        for path in tiny_clip.rglob("*") if path.is_file()
    }  # fmt: skip
    (weights,) = [name for name in files if name.endswith(".safetensors")]
    pickle = weights.replace("model.safetensors", "pytorch_model.bin")
    others = {pickle: b"a pickle", "onnx/model.bin": b"", "custom.py": b"raise SystemExit"}
    with loopback() as hub:
        hub.be_the_hub(monkeypatch, tmp_path / "hub")
        folder = hub.put_model("sentence-transformers/clip-ViT-B-32", files | others)
        hub.break_off_at, hub.breaks = 2**16, 1
        encoder = ClipEncoder("published", device="cpu")
        assert hub.ranges_of(folder + weights) == [None, f"bytes={2**16}-"]
        assert not any(hub.ranges_of(folder + name) for name in others)
    again = ClipEncoder("published", device="cpu")  # by now there is no network
    local = ClipEncoder(tiny_clip, device="cpu")
    for one in (encoder, again):
        np.testing.assert_array_equal(one.encode(pictures()), local.encode(pictures()))
        np.testing.assert_array_equal(one.encode_text(["shoes"]), local.encode_text(["shoes"]))


def test_with_clip_too_text_is_text(tiny_clip, no_network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (50, 50), "red").save("shoes.jpg")
    encoder = ClipEncoder(tiny_clip, device="cpu")
    found = encoder.encode_text(["shoes.jpg", "https://example.org/a.png", "dress"])
    assert no_network == []
    Path("shoes.jpg").unlink()
    np.testing.assert_allclose(encoder.encode_text(["shoes.jpg"])[0], found[0], atol=1e-5)


def test_the_multilingual_texts_are_paired_with_clips_pictures(tiny_clip, monkeypatch):
    """That model reads only text; its authors trained it to match clip-ViT-B-32's pictures."""
    from simlib.encoders import clip

    asked, original = [], clip.open_model
    monkeypatch.setattr(
        clip, "open_model", lambda name, device: asked.append(name) or original(tiny_clip, device)
    )
    assert ClipEncoder("sentence-transformers/clip-ViT-B-32-multilingual-v1", "cpu").dim == 12
    assert asked == ["clip-ViT-B-32", "sentence-transformers/clip-ViT-B-32-multilingual-v1"]


def test_a_model_that_names_code_of_others_is_refused_and_runs_none(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    module = [{"idx": 0, "name": "0", "path": "", "type": "hostile_module.Model"}]
    (tmp_path / "model" / "modules.json").write_text(json.dumps(module))
    for folder in (tmp_path / "model", tmp_path):  # beside the model, and installed
        (folder / "hostile_module.py").write_text(f"open({str(tmp_path / 'it-ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="hostile_module.py"):
        ClipEncoder(tmp_path / "model", device="cpu")
    assert not (tmp_path / "it-ran").exists()


def test_a_model_that_reads_no_pictures_is_refused():
    with pytest.raises(ValueError, match="doesn't read pictures"):
        ClipEncoder(clip_compact.minilm_path(), device="cpu")


@pytest.mark.slow
def test_the_assembled_model_finds_real_photos_as_the_card_says(encoder, photos):
    """Photos that no training saw. A broken tower, projection or preprocessing falls below."""
    results = json.loads((ROOT / "data/models/clip_results.json").read_text(encoding="utf-8"))
    stated = results["figures"]["all classes and words trained"]
    paths = sorted((photos / "validation").glob("*/*.jpg"))
    labels = np.array([path.parent.name for path in paths])
    images = encoder.encode([Image.open(path) for path in paths])
    names = {name: name for name in sorted(set(labels))}
    names |= {"longsleeve": "long-sleeved top", "outwear": "outerwear"}
    scores = encoder.encode_text([f"a photo of a {name}" for name in names.values()]) @ images.T
    top1 = (np.array(list(names))[scores.argmax(0)] == labels).mean()
    assert top1 == pytest.approx(stated["zero-shot top-1 of 10 classes"]["value"], abs=0.01)
    top = np.argsort(-scores, axis=1)[:, :10]
    precision = (labels[top] == np.array(list(names))[:, None]).mean()
    assert precision == pytest.approx(stated["class names, precision@10"]["value"], abs=0.03)


def kinds_of_photos() -> dict[str, str]:
    """Return the kind of each photo that was told, by its path below the photos' folder."""
    with (ROOT / "data/make/photo_kinds.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["img_path"], row["kind"]) for row in csv.DictReader(file)]
    assert rows == sorted(set(rows))
    return dict(rows)


@pytest.mark.slow
def test_the_assembled_model_tells_kinds_of_shoes_apart(encoder, photos):
    """Photos that no training saw; a caption that calls every shoe a boot falls below."""
    results = json.loads((ROOT / "data/models/clip_results.json").read_text(encoding="utf-8"))
    stated = results["figures"]["all classes and words trained"]
    stated = stated["kinds of a class, average precision"]["each kind"]
    told = {
        path: kind
        for path, kind in kinds_of_photos().items()
        if path.startswith("validation/shoes/")
    }
    images = encoder.encode([Image.open(photos / path) for path in told])
    for kind in ("sneaker", "boot", "sandal"):
        scores = images @ encoder.encode_text([f"a photo of {kind}s"])[0]
        right = np.array([one == kind for one in told.values()])
        found = average_precision_score(right, scores)
        assert found == pytest.approx(stated[kind]["value"], abs=0.1), kind
        assert found > right.mean() + 0.2, kind


def test_every_photo_whose_kind_was_told_is_of_that_kinds_class(photos):
    told = kinds_of_photos()
    assert len(told) > 1300
    classes = {}
    for path, kind in told.items():
        assert (photos / path).is_file(), path
        classes.setdefault(kind, set()).add(path.split("/")[1])
    assert all(len(of) == 1 for of in classes.values()), classes


def test_the_measured_figures_are_those_of_the_shipped_weights():
    results = json.loads((ROOT / "data/models/clip_results.json").read_text(encoding="utf-8"))
    assert results["sha256"] == clip_compact.PROJECTIONS_SHA256
    card = (ROOT / "data/README.md").read_text(encoding="utf-8")
    assert clip_compact.PROJECTIONS_SHA256 in card
    groups = results["figures"].values()
    stated = [one for group in groups for one in group.values() if "low" in one]
    assert len(stated) > 10
    for one in stated:
        text = f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
        assert text in card, text


@pytest.fixture
def words_and_labels():
    """The module of captions, ``clip_words``, and its labels for today's drawings."""
    pytest.importorskip("skia", reason="the drawings' kinds need data/make/requirements.txt")
    sys.path.insert(0, str(ROOT / "data/make"))
    try:
        import clip_words
        import drawing
    finally:
        sys.path.pop(0)
    kinds = {name: set(kind.fitting_labels) for name, kind in drawing.KINDS.items()}
    return clip_words, clip_words.Labels(kinds)


def test_no_caption_says_of_a_boot_that_it_is_a_sandal(words_and_labels):
    clip_words, labels = words_and_labels
    captions = clip_words.Captions.of(clip_words.concepts(labels), labels)
    truth = captions.truth[captions.concept[captions.texts.index("sandals")]]
    said = dict(zip(labels.names[: labels.imagenet_start], truth, strict=False))
    assert [said[name] for name in ("sandal", "drawn sandal")] == [1, 1]
    assert [said[name] for name in ("boot", "drawn boot", "sneaker", "dress")] == [0, 0, 0, 0]
    assert said["shoes"] == -1  # a photo of shoes whose kind nobody could tell
    everything = captions.truth[captions.concept[captions.texts.index("footwear")]]
    assert {everything[labels.names.index(kind)] for kind in ("sandal", "boot", "shoes")} == {1}


def test_the_figures_for_unseen_words_rest_on_captions_without_them(words_and_labels):
    """Otherwise the card would call seen words unseen."""
    clip_words, labels = words_and_labels
    for words in (clip_words.EVERYDAY, clip_words.HARDER):
        banned = clip_words.banned_words(words)
        remaining = clip_words.concepts(labels, banned=banned)
        captions = [text for one in remaining for text in one.texts]
        assert len(captions) > 2000
        assert not [text for text in captions if clip_words.holds(text, banned)]
    assert clip_words.holds("waterproof raincoats", clip_words.banned_words(["coat"]))
    for pair in clip_words.PAIRS:
        remaining = clip_words.concepts(labels, unseen=pair)
        held_out = set.union(*(labels.of_group([name]) for name in pair))
        assert not [
            one.texts
            for one in remaining
            if one.labels & held_out and min(one.labels) < labels.imagenet_start
        ]


def test_trainings_side_by_side_give_their_mean(monkeypatch):
    import torch

    monkeypatch.syspath_prepend(str(ROOT / "data/make"))
    import train_clip

    generator = torch.Generator().manual_seed(0)
    towers = SimpleNamespace(names=torch.randn(1000, 384, generator=generator))
    views = torch.rand(1, 6, 1280, generator=generator).numpy()
    photos = train_clip.Pictures(views, None, None, None, None, None)
    recipe = train_clip.Recipe(hidden_units=8, colour_units=3)
    members = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        member = train_clip.Projections(towers, photos, towers.names, recipe).eval()
        torch.nn.init.normal_(member.text.weight, std=0.05)
        members.append(member)
    joined = train_clip.side_by_side(members, photos)
    seen = torch.from_numpy(views[0]), torch.randn(6, 384), torch.randn(6, 145, 12)
    with torch.no_grad():
        of_each = [sum(member.parts(*seen)) for member in members]  # (6, 384) each
        assert (of_each[0] - of_each[1]).abs().max() > 1e-3
        torch.testing.assert_close(sum(joined.parts(*seen)), sum(of_each) / 2)
        texts = torch.randn(4, 384)
        torch.testing.assert_close(
            joined.text(texts), sum(member.text(texts) for member in members) / 2
        )
