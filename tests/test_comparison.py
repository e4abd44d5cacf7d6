"""What a user loses when these fail: a fair comparison of strategies, and its price."""

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours

import simlib
from simlib.encoders.base import TextEncoder
from simlib.measuring.comparison import compare, text_precision_at_k


class Words(AverageColours, TextEncoder):
    """Average colours that read text, too: a label's text is the embedding of a picture with it."""

    name = "words"
    column = "words_embedding"

    def __init__(self, answers):
        super().__init__("words")
        self.answers = answers  # text -> embedding
        self.asked = []

    def encode_text(self, texts):
        self.asked += texts
        return np.stack([self.answers[text] for text in texts])


@pytest.fixture
def labelled(image_df):
    return image_df.assign(category=list("aaabbbccccdd"), colour=["red", "blue"] * 6)


@pytest.fixture
def words(labelled):
    """Each text points at the first picture of its label, but "c" at one of label "d"."""
    pictures = AverageColours().encode([simlib.load_image(path) for path in labelled["img_path"]])
    first = {"a": 0, "b": 3, "c": 10, "d": 10}
    return Words({f"a photo of a {label}": pictures[place] for label, place in first.items()})


def test_the_table_holds_what_evaluate_measures_and_what_an_embedding_costs(labelled):
    encoders = [AverageColours(), simlib.load_encoder("pixels", size=(4, 4))]
    table = compare(labelled, encoders, k=2, timed=4, progress=False)
    assert table.index.tolist() == ["average", "pixels"]
    assert table["cost"]["dimensions"].tolist() == [192, 48]
    assert table["cost"]["bytes a picture"].tolist() == [768, 192]
    assert (table["cost"]["seconds per 1,000"] > 0).all()
    for encoder in encoders:
        embedded = simlib.embed(labelled, encoder, progress=False)
        measured = simlib.evaluate(embedded, encoder.column, ["category", "colour"], k=2)
        for found in measured[measured["measure"].isin(["precision@2", "mAP@R"])].itertuples():
            row = table.loc[encoder.name, f"{found.measure} by {found.label}"]
            assert row.tolist() == [found.mean, found.low, found.high]
    assert table.columns.get_level_values(0).nunique() == 5  # costs, two measures by two labels
    # By hand: R is 2, 2, 3 and 1 of 11 others.
    chance = np.mean([2 / 11] * 6 + [3 / 11] * 4 + [1 / 11] * 2)
    assert table.attrs["chance"]["precision@2 by category"] == pytest.approx(chance)


def test_the_time_is_that_of_the_network_and_not_of_the_cache(labelled):
    encoder = AverageColours()
    embedded = simlib.embed(labelled, encoder, progress=False)
    seen = encoder.encoded
    table = compare(embedded, [encoder], ["category"], k=2, timed=5, progress=False)
    assert encoder.encoded == seen + 5 + 5  # a warm-up, and the pictures that are timed
    assert table["cost"]["seconds per 1,000"].notna().all()
    untimed = compare(embedded, [encoder], ["category"], k=2, timed=0, progress=False)
    assert encoder.encoded == seen + 10  # what was embedded in this session is used as it is
    assert untimed["cost"]["seconds per 1,000"].isna().all()


def test_words_are_measured_for_those_who_read_them(labelled, words):
    table = compare(labelled, [AverageColours(), words], ["category"], k=1, timed=0, progress=False)
    text = table["text precision@1 by category"]
    assert text.loc["average"].isna().all()
    assert text.loc["words", "mean"] == 0.75 and 0 <= text.loc["words", "low"] < 0.75
    assert words.asked == [f"a photo of a {label}" for label in "abcd"]
    embedded = simlib.embed(labelled, words, progress=False)
    by_label = text_precision_at_k(embedded, words, k=1)
    assert by_label.to_dict() == {"a": 1, "b": 1, "c": 0, "d": 1}
    with pytest.raises(KeyError, match="ein Bild"):  # the words are those asked for
        compare(labelled, [words], ["category"], templates={"category": "ein Bild: {}"}, timed=0)
    with pytest.raises(ValueError, match="No picture has a label in 'category'"):
        text_precision_at_k(embedded.assign(category=None), words, k=1)


def test_a_gallery_is_searched_in_place_of_the_queries(labelled, words):
    queries, gallery = labelled.iloc[::2], labelled.iloc[1::2]
    encoder = AverageColours()
    table = compare(
        queries, [encoder], ["category"], k=1, gallery_df=gallery, timed=0, progress=False
    )
    frames = [simlib.embed(frame, encoder, progress=False) for frame in (queries, gallery)]
    measured = simlib.evaluate(frames[0], encoder.column, k=1, gallery_df=frames[1])
    mean = measured.set_index("measure")["mean"]["precision@1"]
    assert table["precision@1 by category"]["mean"].item() == mean
    # By hand: of the 6 in the gallery, 1 a, 2 b, 2 c and 1 d; the queries are 2 a, 1 b, 2 c, 1 d.
    chance = table.attrs["chance"]["precision@1 by category"]
    assert chance == pytest.approx(np.mean([1, 1, 2, 2, 2, 1]) / 6)


def test_copies_are_left_out_for_every_encoder(labelled):
    twice = pd.concat([labelled, labelled], ignore_index=True)
    options = {"label_cols": ["category"], "k": 1, "timed": 0, "progress": False}
    encoders = [AverageColours(), simlib.load_encoder("pixels", size=(4, 4))]
    flattered = compare(twice, encoders, **options)
    assert (flattered["precision@1 by category"]["mean"] == 1).all()
    honest = compare(twice, encoders, leave_out_duplicates=True, **options)
    once = compare(labelled, encoders, **options)
    pd.testing.assert_frame_equal(honest, once)
    assert honest.attrs == once.attrs


def test_encoders_of_one_kind_are_told_apart_by_names_of_ones_own(labelled):
    small, large = (simlib.load_encoder("pixels", size=(side, side)) for side in (2, 4))
    table = compare(
        labelled, {"small": small, "large": large}, ["category"], k=1, timed=0, progress=False
    )
    assert table["cost"]["dimensions"].to_dict() == {"small": 12, "large": 48}
    with pytest.raises(ValueError, match="Two encoders have one name: pixels, pixels"):
        compare(labelled, [small, large])


def test_what_can_not_be_compared_is_said_in_a_sentence(labelled):
    with pytest.raises(ValueError, match="neither 'category' nor 'colour'.*label_cols="):
        compare(labelled[["img_path"]], [AverageColours()])
    with pytest.raises(ValueError, match="no encoder to compare"):
        compare(labelled, [])
    with pytest.raises(TypeError, match="'towhee' is not an encoder"):
        compare(labelled, {"cnn": "towhee"})
    with pytest.raises(KeyError, match="no column 'pattern'"):
        compare(labelled, [AverageColours()], ["pattern"])


def test_a_picture_that_can_not_be_read_costs_its_row_and_nothing_else(labelled):
    broken = pd.DataFrame({"img_path": ["gone.jpg"], "category": ["a"], "colour": ["red"]})
    together = pd.concat([labelled, broken], ignore_index=True)
    options = {"label_cols": ["category"], "k": 2, "timed": 0, "progress": False}
    pd.testing.assert_frame_equal(
        compare(together, [AverageColours()], **options),
        compare(labelled, [AverageColours()], **options),
        check_flags=False,
    )
