"""Words find pictures, are never taken for files, and are refused in a sentence if need be."""

import copy
import pickle
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from colour_names import ColourNames
from PIL import Image

import simlib
from simlib.negation import warn_of_negation

matplotlib.use("agg")
COLOURS = ["red", "green", "blue", "yellow"]


class BareModel:
    """What sentence-transformers' own models offer: encode, but no encode_text."""

    def __init__(self):
        self.seen = []

    def encode(self, items, **_):
        self.seen.extend(items)
        return ColourNames().encode_text([item["text"] for item in items])


@pytest.fixture
def coloured_df(tmp_path):
    paths = []
    for name in COLOURS:
        paths.append(str(tmp_path / f"{name}.png"))
        Image.new("RGB", (20, 20), name).save(paths[-1])
    frame = pd.DataFrame({"img_path": paths, "colour": COLOURS}, index=list("abcd"))
    return simlib.embed(frame, ColourNames(), progress=False)


@pytest.mark.parametrize("colour", COLOURS)
def test_words_find_the_picture_that_they_describe(coloured_df, colour):
    found = simlib.text_image_search(f"something {colour}", coloured_df, "colour_names", k=2)
    assert found["rank"].tolist() == [1, 2]
    assert coloured_df.at[found["index"].iloc[0], "colour"] == colour
    assert found["cosine_similarity"].is_monotonic_decreasing


def test_a_model_of_sentence_transformers_gets_text_that_can_only_be_text(coloured_df):
    model = BareModel()
    found = simlib.text_image_search("a red", coloured_df, "colour_names", k=1, model=model)
    assert found["index"].tolist() == ["a"]
    assert model.seen == [{"text": "a red"}]


def test_a_model_of_another_dimension_is_named(coloured_df):
    class Other(ColourNames):
        def encode_text(self, texts):
            return np.ones((len(texts), 7), dtype=np.float32)

    with pytest.raises(ValueError, match="Other gives 7 values, .*'colour_names' have 4"):
        simlib.text_image_search("red", coloured_df, "colour_names", model=Other())


def test_an_encoder_without_words_is_refused_with_the_way_out(coloured_df):
    pixels = simlib.load_encoder("pixels", size=(2, 2))
    with pytest.raises(TypeError, match="PixelsEncoder can't encode text.*load_encoder"):
        simlib.text_image_search("red", coloured_df, "colour_names", model=pixels)


@pytest.mark.parametrize("text", ["", "   ", None])
def test_an_empty_text_is_refused_for_a_bare_model_too(coloured_df, text):
    with pytest.raises(ValueError, match="empty|nothing to encode"):
        simlib.text_image_search(text, coloured_df, "colour_names", model=BareModel())


def test_a_picture_and_words_meet_in_between(coloured_df):
    encoder = ColourNames()
    picture = Image.new("RGB", (20, 20), "red")
    similarity = {}
    for weight in (0.0, 0.5, 1.0):
        vector = simlib.encode_query(encoder, "blue", image=picture, weight=weight)
        assert np.isclose(np.linalg.norm(vector), 1)
        found = simlib.nearest(coloured_df, "colour_names", vector, k=4).set_index("index")
        similarity[weight] = found["cosine_similarity"]
    assert similarity[0.0].idxmax() == "a" and similarity[1.0].idxmax() == "c"
    assert similarity[0.0]["c"] < similarity[0.5]["c"] < similarity[1.0]["c"]


def test_a_text_less_a_text_finds_what_is_left(coloured_df):
    plain = simlib.text_image_search("yellow", coloured_df, "colour_names", k=4)
    less = simlib.text_image_search("yellow", coloured_df, "colour_names", k=4, minus="lime")
    assert plain["index"].iloc[0] == "d" and less["index"].iloc[0] == "a"
    assert less["index"].tolist().index("b") > plain["index"].tolist().index("b")
    expected = simlib.nearest(coloured_df, "colour_names", text="yellow", minus="lime", k=4)
    pd.testing.assert_frame_equal(less, expected)
    little = simlib.text_image_search(
        "yellow", coloured_df, "colour_names", k=4, minus="lime", minus_weight=0.01
    )
    assert little["index"].iloc[0] == "d"


def test_a_bag_but_not_red_is_still_a_bag(clip_encoder):
    clip = clip_encoder
    sample = simlib.load_catalogue("sample")
    kinds, colours = ["handbag", "hat", "dress"], ["red", "blue", "white"]
    sample = sample[sample["colour"].isin(colours) & sample["category"].isin([*kinds, "sneaker"])]
    sample = simlib.embed(sample, clip, progress=False)
    share = {"colour": [], "plain colour": [], "kind": []}
    for kind in kinds:
        for colour in colours:
            options = {"text": f"a {kind}", "k": 6, "columns": ["category", "colour"]}
            plain = simlib.nearest(sample, clip.column, encoder=clip, **options)
            less = simlib.nearest(sample, clip.column, encoder=clip, minus=colour, **options)
            share["plain colour"].append((plain["colour"] == colour).mean())
            share["colour"].append((less["colour"] == colour).mean())
            share["kind"].append((less["category"] == kind).mean())
    assert np.mean(share["plain colour"]) > 0.3  # a third of the bags are red
    assert np.mean(share["colour"]) < 0.1 and np.mean(share["kind"]) > 0.9


def test_only_rows_that_pass_are_found_and_columns_come_along(coloured_df):
    found = simlib.text_image_search(
        "red", coloured_df, "colour_names", where="colour != 'red'", columns="colour"
    )
    assert "red" not in set(found["colour"]) and len(found) == 3
    none = simlib.text_image_search("red", coloured_df, "colour_names", where=[False] * 4)
    assert len(none) == 0 and list(none) == list(found)[:-1]


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_a_weight_out_of_range_is_named(weight):
    with pytest.raises(ValueError, match=f"weight={weight} must lie between 0"):
        simlib.encode_query(ColourNames(), "red", image=Image.new("RGB", (2, 2)), weight=weight)


# Whose embeddings these are


def forget_session(frame):
    """The frame as another process gets it: with its attrs, but no encoder in memory."""
    return pickle.loads(pickle.dumps(frame))


def test_a_column_from_elsewhere_is_never_searched_with_a_guess(coloured_df):
    rows = np.random.default_rng(0).normal(size=(4, 384)).astype(np.float32)  # as the compact CLIP
    own = coloured_df.assign(own=list(rows))
    with pytest.raises(ValueError, match="not known which model made.*'own'.*model="):
        simlib.text_image_search("red", own, "own")


def test_the_frame_notes_who_made_which_column(coloured_df):
    from simlib.columns import noted_encoders

    pixels = simlib.load_encoder("pixels", size=(2, 2))
    both = simlib.embed(coloured_df, pixels, progress=False)
    expected = {
        encoder.column: {"name": encoder.name, "recipe": encoder.recipe}
        for encoder in (ColourNames(), pixels)
    }
    assert noted_encoders(coloured_df.attrs) == {"colour_names": expected["colour_names"]}
    changed = both[both["colour"] != "red"].sort_values("colour").copy()
    for frame in (both, changed, forget_session(both), both.sample(2), both.drop(columns="colour")):
        assert noted_encoders(frame.attrs) == expected
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        joined = pd.concat([both, coloured_df.rename(index=str.upper)])
        assert len(joined) == 8 and both.equals(both.copy())
        other = both.copy()
        other.attrs = {}
        pd.testing.assert_frame_equal(both, other)
    with pytest.raises(ValueError, match="made by the encoder 'colours?.*other weights.*model="):
        simlib.text_image_search("red", forget_session(both), "colour_names")


def test_the_compact_clip_is_found_again_for_its_own_column_only(
    coloured_df, clip_encoder, shared_home, monkeypatch
):
    from simlib.columns import note_encoder
    from simlib.networks.clip_compact import RECIPE

    monkeypatch.setenv("SIMLIB_HOME", shared_home)
    clip = copy.copy(clip_encoder)
    frame = forget_session(simlib.embed(coloured_df, clip, progress=False))
    found = simlib.text_image_search("something red", frame, "clip_img_embedding", k=4)
    expected = simlib.text_image_search("something red", frame, "clip_img_embedding", 4, clip)
    assert found["index"].tolist() == expected["index"].tolist()
    assert clip.recipe == RECIPE
    clip.recipe = "clip sentence-transformers another"
    note_encoder(frame, clip)
    with pytest.raises(ValueError, match="other weights"):
        simlib.text_image_search("something red", frame, "clip_img_embedding", k=4)


@pytest.mark.parametrize(
    "text",
    ["a bag that is not red", "shoes without laces", "a dress with no pattern", "isn't it a hat",
     "ein Kleid ohne Muster", "不是红色的手提包", "کیف بدون بند", "模様なしのシャツ"],
)  # fmt: skip
def test_a_plain_negation_is_named_with_a_way_out(text):
    with pytest.warns(UserWarning, match="what not to find.*minus=.*where=") as heard:
        warn_of_negation(text)
    assert heard[0].filename == __file__


@pytest.mark.parametrize(
    "text",
    ["a red bag", "no-show socks", "a knot", "Chanel No. 5", "notebook", "a note", "nonslip shoes",
     "红色手提包", "sandals", "sinuous pattern", "cannon", "No 7 hat", "northern coat"],
)  # fmt: skip
def test_other_texts_are_no_negation(text, recwarn):
    warn_of_negation(text)
    assert not recwarn.list
