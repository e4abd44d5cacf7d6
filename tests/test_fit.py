"""Whether anything fits: the calibration, and where it is told."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import simlib
from simlib import fit
from simlib.columns import Embeddings
from simlib.encoders.base import TextEncoder

KINDS = 40


class Kinds(TextEncoder):
    """One axis for each kind of thing; pictures are numbers, a text names a kind or nothing."""

    name, column, dim, recipe = "kinds", "kinds_embedding", KINDS, ""

    def prepare(self, image):
        return np.asarray(image)[0, 0, :1].astype(np.float32)

    def encode_prepared(self, batch):
        return np.stack([self._near(int(row[0]) % KINDS, 0) for row in batch])

    def encode_text(self, texts):
        return np.stack([self._of(text) for text in ([texts] if isinstance(texts, str) else texts)])

    def _of(self, text):
        if text.startswith("kind "):
            return self._near(int(text.removeprefix("kind ")), 1)
        seed = sum(map(ord, text))
        return np.random.default_rng(seed).normal(size=KINDS).astype(np.float32)

    @staticmethod
    def _near(kind, seed):
        noise = np.random.default_rng((seed, kind)).normal(scale=0.1, size=KINDS)
        return (np.eye(KINDS)[kind] + noise).astype(np.float32)


@pytest.fixture
def kinds():
    """Twenty rows of each of the first ten kinds."""
    rng = np.random.default_rng(0)
    matrix = np.repeat(np.eye(KINDS)[:10], 20, axis=0) + rng.normal(scale=0.1, size=(200, KINDS))
    frame = pd.DataFrame({"img_path": [f"{row}.png" for row in range(200)]})
    return simlib.set_embeddings(frame, "kinds_embedding", matrix, encoder=Kinds())


def test_a_text_that_something_shows_fits_and_another_does_not(kinds):
    there = simlib.nearest(kinds, "kinds_embedding", text="kind 3")
    absent = simlib.nearest(kinds, "kinds_embedding", text="kind 33")
    assert there.attrs["fit"] > 0.9 and (there["fit"] > 0.9).all()
    assert absent.attrs["fit"] < 0.5 and (absent["fit"] < 0.5).all()


def test_about_a_twelfth_of_absent_texts_seem_to_fit(kinds):
    embeddings = Embeddings.of(kinds, "kinds_embedding")
    calibration = fit.calibrate_words(embeddings, Kinds())
    vectors = Embeddings.of_matrix(Kinds().encode_text([chr(0x4E00 + n) for n in range(1000)]))
    nearness = fit.nearness(vectors, embeddings, popularity=calibration.popularity)
    said = calibration.fit(nearness) >= 0.5
    assert 0.03 < said.mean() < 0.13


class Unsure(Kinds):
    """Knows half of the texts half as well."""

    tells_certainty = True

    def encode_text_with_certainty(self, texts):
        embeddings, certainty = super().encode_text_with_certainty(texts)
        return embeddings, certainty * [0.5 if sum(map(ord, one)) % 2 else 1 for one in texts]


def test_a_text_that_the_encoder_hardly_knows_fits_less_well_and_finds_the_same(kinds):
    unsure = simlib.set_embeddings(
        kinds,
        "kinds_embedding",
        simlib.embedding_matrix(kinds, "kinds_embedding"),
        encoder=Unsure(),
    )
    found, before = (
        [
            simlib.nearest(frame, "kinds_embedding", text=f"kind {kind}", encoder=encoder)
            for kind in (2, 3)  # known, and hardly
        ]
        for frame, encoder in ((unsure, Unsure()), (kinds, Kinds()))
    )
    for one, other in zip(found, before, strict=True):
        pd.testing.assert_frame_equal(one.drop(columns="fit"), other.drop(columns="fit"))
    known, hardly = (one.attrs["fit"] for one in found)
    assert known > 0.9 and hardly < known - 0.02


class Leaning(Kinds):
    """All texts lean one way, some a little and some a lot, whatever they say."""

    def _of(self, text):
        found = super()._of(text)
        lean = 0.2 * (1 + sum(map(ord, text)) % 7)
        return found / np.linalg.norm(found) + lean * np.eye(KINDS)[-1].astype(np.float32)


def test_pictures_that_are_near_to_all_texts_hide_no_others(kinds):
    matrix = np.array(simlib.embedding_matrix(kinds, "kinds_embedding"))
    matrix[::20] += 2 * np.eye(KINDS)[-1]  # a picture of each kind leans that way, too
    leaning = simlib.set_embeddings(kinds, "kinds_embedding", matrix, encoder=Leaning())
    calibration = fit.calibrate_words(Embeddings.of(leaning, "kinds_embedding"), Leaning())
    hubs = calibration.popularity[::20]
    assert hubs.min() > calibration.popularity.reshape(10, 20)[:, 1:].max()

    def said(text):
        return simlib.nearest(leaning, "kinds_embedding", text=text).attrs["fit"] >= 0.5

    assert np.mean([said(f"kind {kind}") for kind in range(10)]) >= 0.9
    assert np.mean([said(chr(0x4E00 + n)) for n in range(200)]) < 0.13


def test_what_the_catalogue_shows_of_the_general_words_is_left_out():
    groups, texts = fit.general_texts()
    drawn = [text for group, text in zip(groups, texts, strict=True) if group == "animals"]
    encoder = Kinds()
    matrix = np.repeat(encoder.encode_text(drawn), 5, axis=0)
    frame = pd.DataFrame({"img_path": "", "own": list(range(len(matrix)))})
    frame = simlib.set_embeddings(frame, "own", matrix, encoder=encoder)
    for animal in drawn:
        assert simlib.nearest(frame, "own", text=animal).attrs["fit"] > 0.9


def test_pictures_of_the_catalogues_kind_fit_and_noise_does_not(kinds):
    embeddings = Embeddings.of(kinds, "kinds_embedding")
    calibration = fit.calibrate_pictures(embeddings)
    own = fit.nearness(embeddings, embeddings, np.arange(200))
    assert (calibration.fit(own) >= 0.5).mean() >= 1 - fit.WRONG
    noise = np.random.default_rng(5).normal(size=(50, KINDS)).astype(np.float32)
    assert (calibration.fit(fit.nearness(Embeddings.of_matrix(noise), embeddings)) < 0.5).all()


def test_a_picture_as_the_query_says_how_well_it_fits(kinds):
    from PIL import Image

    fits = [
        simlib.nearest(kinds, "kinds_embedding", Image.new("RGB", (4, 4), (kind, 0, 0))).attrs[
            "fit"
        ]
        for kind in (3, 33)
    ]
    assert fits[0] > 0.5 > fits[1]


def test_labels_vectors_and_mixtures_say_nothing(kinds):
    for query in ({"query": 0}, {"query": np.ones(KINDS)}, {"query": 0, "text": "kind 3"}):
        found = simlib.nearest(kinds, "kinds_embedding", **query)
        assert "fit" not in found.attrs and "fit" not in found


def test_k_and_what_is_taken_away_change_nothing(kinds):
    fits = [
        simlib.nearest(kinds, "kinds_embedding", text="kind 3", **options).attrs["fit"]
        for options in ({}, {"k": 1}, {"k": 50}, {"minus": "kind 5"})
    ]
    np.testing.assert_allclose(fits, fits[0], atol=1e-6)


def test_only_what_may_be_found_counts(kinds):
    kinds["kind"] = np.arange(len(kinds)) // 20
    for share in ("kind < 3", "kind == 7"):
        found = simlib.nearest(kinds, "kinds_embedding", text="kind 3", where=share)
        assert found.attrs["fit"] < 0.5
    for share in ("kind < 5", "kind == 3"):
        found = simlib.nearest(kinds, "kinds_embedding", text="kind 3", where=share)
        assert found.attrs["fit"] > 0.9
    empty = simlib.nearest(kinds, "kinds_embedding", text="kind 3", where="kind == 99")
    assert empty.empty and empty.attrs["fit"] == 0


def test_figures_say_that_probably_nothing_fits(kinds):
    kinds["img_path"] = simlib.load_catalogue("sample")["img_path"].iloc[0]
    said = []
    for text in ("kind 3", "kind 33"):
        simlib.text_image_search(text, kinds, "kinds_embedding", k=2, encoder=Kinds())
        said.append("probably nothing here fits" in plt.gcf().get_suptitle())
        assert ("probably nothing" in plt.gcf().get_label()) == said[-1]
        plt.close()
    assert said == [False, True]


def test_the_calibration_is_computed_once_a_column(kinds, monkeypatch):
    calls = []
    real = fit.calibrate_words
    monkeypatch.setattr(fit, "calibrate_words", lambda *args: calls.append(0) or real(*args))
    for number in (1, 2, 3):
        simlib.nearest(kinds, "kinds_embedding", text=f"kind {number}")
    assert len(calls) == 1


def test_a_large_catalogue_is_asked_fewer_queries(kinds, monkeypatch):
    embeddings = Embeddings.of(kinds, "kinds_embedding")
    monkeypatch.setattr(fit, "MOST_PAIRS", 200 * 150)
    asked = []
    real = fit.nearness
    monkeypatch.setattr(fit, "nearness", lambda q, *rest: asked.append(len(q)) or real(q, *rest))
    fit.calibrate_words(embeddings, Kinds())
    fit.calibrate_pictures(embeddings)
    assert asked == [-(-len(fit.general_texts()[1]) // 3), fit.MOST_PICTURES // 2]


@pytest.mark.slow
def test_the_compact_model_knows_what_the_sample_does_not_show(clip_encoder):
    clip = clip_encoder
    image_df = simlib.load_catalogue("sample").groupby("category").head(6)
    image_df = simlib.embed(image_df, clip, progress=False)
    present = ["a red handbag", "sneakers", "a green dress", "an umbrella", "a pair of sunglasses"]
    absent = ["a trombone", "a cheeseburger", "a lighthouse", "a snowy mountain", "a hedgehog"]
    absent += ["a fire engine"]
    for texts, fits in ((present, True), (absent, False)):
        for text in texts:
            found = simlib.nearest(image_df, clip.column, text=text, encoder=clip)
            assert (found.attrs["fit"] >= 0.5) == fits, text


def test_an_encoder_that_reads_only_its_own_words_searches_all_the_same(kinds):
    class Picky(Kinds):
        def encode_text(self, texts):
            return np.stack([self._near(int(text.removeprefix("kind ")), 1) for text in texts])

    found = simlib.nearest(kinds, "kinds_embedding", text="kind 3", encoder=Picky())
    assert len(found) == 5 and "fit" not in found and "fit" not in found.attrs


def test_a_handful_of_pictures_is_too_few_to_judge_a_picture_by(kinds):
    from PIL import Image

    few = kinds.head(fit.FEWEST_PICTURES - 1)
    assert "fit" not in simlib.nearest(few, "kinds_embedding", Image.new("RGB", (4, 4))).attrs


class Bilingual(Kinds):
    """Texts in Chinese lie nearer to all kinds that the catalogue shows, whatever they say."""

    languages = ("en", "zh")

    def _of(self, text):
        nearer = 0 if text.isascii() else 1.5
        return super()._of(text) + np.where(np.arange(KINDS) < 10, nearer, 0).astype(np.float32)


def test_a_text_is_held_against_general_words_of_its_own_language(kinds):
    absent = [chr(0x4E00 + n) for n in range(100)]

    def seem_to_fit(encoder):
        found = [
            simlib.nearest(kinds, "kinds_embedding", text=text, encoder=encoder).attrs["fit"]
            for text in absent
        ]
        return np.mean(np.array(found) >= 0.5)

    english_only = Bilingual()
    english_only.languages = ("en",)
    assert seem_to_fit(english_only) > 0.5
    assert seem_to_fit(Bilingual()) < 0.12
    there = simlib.nearest(kinds, "kinds_embedding", text="kind 3", encoder=Bilingual())
    assert there.attrs["fit"] > 0.9


@pytest.mark.parametrize(
    "text, languages",
    [
        ("红色手提包", {"zh", "ja"}), ("T恤", {"zh", "ja"}),
        ("赤いTシャツ", {"ja"}), ("カバン", {"ja"}),
        ("کیف قرمز", {"fa"}), ("rote Handtasche", {"en", "es", "fr", "de"}),
        ("платье", set(fit.FORMS)), ("42", set(fit.FORMS)), ("👗", set(fit.FORMS)),
    ],
)  # fmt: skip
def test_the_script_says_in_which_languages_a_text_may_be(text, languages):
    assert set(fit.languages_of(text, tuple(fit.FORMS))) == languages
    assert fit.languages_of(text, ("en",)) == ("en",)


@pytest.mark.parametrize("language", list(fit.FORMS))
def test_the_general_words_are_there_in_each_language(language):
    groups, texts = fit.general_texts(language)
    assert len(texts) == len(groups) == (310 if language == "en" else 155)
    assert len(set(groups)) == 20 and len(set(texts)) == len(texts)
    assert not set("{}") & set("".join(texts))


def test_two_text_towers_of_one_picture_tower_share_no_cache(kinds):
    """The compact model and its multilingual edition embed pictures alike, and texts otherwise."""

    class Cached(Kinds):
        recipe = "kinds, for the cache of texts"

    class Other(Cached):
        text_recipe = "another reader"

        def encode_text(self, texts):
            return -super().encode_text(texts)

    texts = fit.general_texts()[1]
    first = fit._encoded(Cached(), "en", texts)
    np.testing.assert_array_equal(fit._encoded(Other(), "en", texts), -first)
    np.testing.assert_array_equal(fit._encoded(Cached(), "en", texts), first)
