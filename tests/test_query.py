"""Queries of every kind: each is read rightly, or answered in a short error that is true and names
the way out. What a user loses otherwise: an hour with a wrong trail."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours
from colour_names import ColourNames
from PIL import Image

import simlib
from simlib.arguments import short_repr

ROWS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.fixture
def frame():
    paths = [f"{number}.jpg" for number in range(6)]
    return pd.DataFrame({"img_path": paths, "own": list(ROWS)})


def error_of(frame, query, **options):
    with pytest.raises((ValueError, TypeError, KeyError)) as caught:
        simlib.nearest(frame, "own", query, **options)
    message = str(caught.value)
    assert len(message) < 400
    return message


def test_a_text_that_is_no_label_and_no_file_is_called_that(frame):
    products = frame.set_axis([f"S{number}" for number in range(6)])
    message = error_of(products, "S99999")
    assert "neither a label of the frame (which has 'S0', 'S1', 'S2', …)" in message
    assert "nor an existing file" in message and "text=" in message and "picture" not in message
    assert len(error_of(products, "a red bag " * 10_000)) < 300


@pytest.mark.parametrize("path", ["nosuch.jpg", "no/such", Path("nosuch"), "a\0b.png"])
def test_a_path_that_leads_nowhere_is_called_a_picture(frame, path):
    with pytest.raises(simlib.ImageError, match="could not be opened"):
        simlib.nearest(frame, "own", path)


def test_a_very_long_path_is_named_in_short(frame):
    assert "could not be opened" in error_of(frame, "a" * 100_000 + ".jpg")


def test_a_frame_is_not_one_query(frame):
    message = error_of(frame, frame.head(2))
    assert "DataFrame of 2 rows" in message and "nearest_many" in message
    assert "DataFrame of 1 row" in error_of(frame, pd.DataFrame([ROWS[0]]))


@pytest.mark.parametrize("rows", [np.ones((2, 4)), [[1, 2, 3, 4], [5, 6, 7, 8]]])
def test_many_rows_are_not_one_query(frame, rows):
    message = error_of(frame, rows)
    assert "2 rows of 4 values" in message and "nearest_many" in message


def test_a_picture_as_an_array_is_told_what_to_become(frame):
    assert "PIL.Image.fromarray" in error_of(frame, np.zeros((8, 8, 3), dtype=np.uint8))


def test_the_bytes_of_a_picture_are_that_picture(image_df):
    embedded = simlib.embed(image_df, AverageColours(), progress=False)
    data = Path(image_df["img_path"].iloc[4]).read_bytes()
    for query in (data, bytearray(data), memoryview(data)):
        found = simlib.nearest(embedded, "average_colours", query, k=1)
        assert found["index"].item() == 4


@pytest.mark.parametrize("data", [b"", b"no picture", bytes(100_000)])
def test_other_bytes_are_a_short_error(frame, data):
    assert f"a query of {len(data):,} bytes" in error_of(frame, data)


def test_bytes_that_are_a_label_are_a_label(frame):
    by_bytes = frame.set_axis([bytes([number]) for number in range(6)])
    assert len(simlib.nearest(by_bytes, "own", b"\x03", k=9)) == 5


def test_tensors_are_vectors_whatever_they_carry(frame):
    torch = pytest.importorskip("torch")
    expected = simlib.nearest(frame, "own", ROWS[2])
    tensor = torch.from_numpy(ROWS[2].copy())
    for query in (tensor, tensor.clone().requires_grad_(), tensor.double(), tensor[None]):
        pd.testing.assert_frame_equal(simlib.nearest(frame, "own", query), expected)
    half = simlib.nearest(frame, "own", tensor.bfloat16())
    assert half["index"].iloc[0] == 2
    cells = [torch.from_numpy(row.copy()).requires_grad_() for row in ROWS]
    matrix = simlib.embedding_matrix(frame.assign(own=cells), "own")
    np.testing.assert_array_equal(matrix, ROWS)


def test_a_part_of_a_label_is_told_from_an_ambiguous_one(frame):
    levels = frame.set_axis(pd.MultiIndex.from_product([["a", "b", "c"], [0, 1]]))
    for part in ("a", ("a",)):
        message = error_of(levels, part)
        assert "only a part of a label" in message and "2 levels" in message
        assert "such as ('a', " in message and "reset_index" not in message
    assert ("b", 1) not in simlib.nearest(levels, "own", ("b", 1), k=9)["index"].tolist()


@pytest.mark.parametrize("digits", [400, 5_000])
def test_a_number_of_many_digits_is_no_label(frame, digits):
    assert "is not a label of the frame" in error_of(frame, 10**digits)
    assert "k=" in error_of(frame, 0, k=-(10**digits))


@pytest.mark.parametrize("query", [[1j, 2, 3, 4], np.ones(4, complex), {"a": 1}, object()])
def test_what_holds_no_numbers_is_not_a_vector(frame, query):
    assert "nor a path, a picture or a vector" in error_of(frame, query)


def test_nothing_is_nothing_to_search_for(frame):
    assert "nothing to search for" in error_of(frame, None)


def test_a_column_that_is_there_twice_is_named(frame):
    doubled = pd.concat([frame, frame[["img_path"]]], axis=1)
    message = error_of(doubled, 0)
    assert "2 columns of the name 'img_path'" in message and "columns.duplicated()" in message
    with pytest.raises(ValueError, match="2 columns of the name 'img_path'"):
        simlib.embed(doubled, AverageColours(), progress=False)


@pytest.fixture
def coloured(tmp_path):
    paths = []
    for name in ("red", "green", "blue", "yellow"):
        paths.append(str(tmp_path / f"{name}.png"))
        Image.new("RGB", (20, 20), name).save(paths[-1])
    frame = pd.DataFrame({"img_path": paths}, index=list("abcd"))
    return simlib.embed(frame, ColourNames(), progress=False)


def test_words_are_a_query_alone_and_with_any_other(coloured):
    found = simlib.nearest(coloured, "colour_names", text="something blue", k=1)
    assert found["index"].item() == "c"
    red = coloured["img_path"].iloc[0]
    vector = simlib.encode_query(ColourNames(), "blue", simlib.load_image(red), weight=0.4)
    expected = simlib.nearest(coloured, "colour_names", vector, k=4)
    for query in (red, simlib.load_image(red), Path(red).read_bytes()):
        found = simlib.nearest(coloured, "colour_names", query, k=4, text="blue", weight=0.4)
        pd.testing.assert_frame_equal(found, expected)
    by_label = simlib.nearest(coloured, "colour_names", "a", k=4, text="blue", weight=0.4)
    assert by_label["index"].tolist() == [label for label in expected["index"] if label != "a"]


def test_words_are_taken_away_from_any_query(coloured):
    # The ColourNames of yellow are those of red and green, so yellow less green is red.
    picture = simlib.load_image(coloured["img_path"].iloc[3])
    for query in ({"text": "yellow"}, {"query": picture}, {"query": "d"}):
        found = simlib.nearest(coloured, "colour_names", **query, minus="lime", k=4)
        assert found["index"].iloc[0] == "a"
    vector = simlib.encode_query(
        ColourNames(), "blue", picture, weight=0.4, minus="red", minus_weight=0.3
    )
    assert np.isclose(np.linalg.norm(vector), 1)
    expected = simlib.nearest(coloured, "colour_names", vector, k=4)
    options = {"text": "blue", "weight": 0.4, "minus": "red", "minus_weight": 0.3}
    found = simlib.nearest(coloured, "colour_names", picture, k=4, **options)
    pd.testing.assert_frame_equal(found, expected)


def test_the_weight_says_how_much_is_taken_away(coloured):
    encoder, similarity = ColourNames(), []
    yellow, lime = (simlib.encode_query(encoder, colour) for colour in ("yellow", "lime"))
    for weight in (0, 0.25, 0.5, 1):
        vector = simlib.encode_query(encoder, "yellow", minus="lime", minus_weight=weight)
        similarity.append(float(vector @ lime))
    assert similarity == sorted(similarity, reverse=True)
    assert similarity[0] == pytest.approx(yellow @ lime) and similarity[-1] == pytest.approx(-1)


def test_what_cannot_be_taken_away_is_a_sentence(coloured, frame):
    for ask in (
        lambda **options: simlib.encode_query(ColourNames(), "red", **options),
        lambda **options: simlib.nearest(coloured, "colour_names", text="red", **options),
    ):
        with pytest.raises(ValueError, match="are the same, so nothing is left"):
            ask(minus="red")
        for weight in (-0.1, 1.1, "half", float("nan")):
            with pytest.raises(ValueError, match="minus_weight=.* must lie between 0"):
                ask(minus="blue", minus_weight=weight)
        with pytest.raises(ValueError, match="weight=2 must lie between 0"):
            ask(weight=2)
        with pytest.raises(ValueError, match="empty"):
            ask(minus=" ")
    assert "nothing to search for" in error_of(frame, None, minus="red")
    with pytest.raises(ValueError, match="not known which encoder.*text can't be"):
        simlib.nearest(frame, "own", 0, minus="red")


def test_words_need_an_encoder_that_reads_them(frame, image_df):
    with pytest.raises(ValueError, match="not known which encoder.*text can't be.*encoder="):
        simlib.nearest(frame, "own", text="red")
    embedded = simlib.embed(image_df, AverageColours(), progress=False)
    with pytest.raises(TypeError, match="AverageColours can't encode text"):
        simlib.nearest(embedded, "average_colours", text="red")


def test_a_value_is_shown_in_short_whatever_it_is():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    for value in (b"a" * 10**6, "a" * 10**6, [["a" * 1000] * 1000] * 9, 10**5000, Broken(), ROWS):
        text = short_repr(value)
        assert 0 < len(text) <= 200 and "\n" not in text
