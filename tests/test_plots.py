"""What a user loses when these fail: seeing the picture that was found, in its place."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours
from PIL import Image

import simlib

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def closed_figures():
    import matplotlib.pyplot as plt

    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture
def embedded(image_df):
    return simlib.embed(image_df, AverageColours(), progress=False)


def drawn(axis):
    return np.asarray(axis.images[0].get_array())


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_query_and_neighbours_are_drawn_in_order(embedded):
    import matplotlib.pyplot as plt

    shuffled = embedded.sample(frac=1, random_state=0)
    neighbours = simlib.plot_similar(shuffled, "average_colours", query_index=3, k_neighbors=4)
    expected = simlib.nearest(shuffled, "average_colours", 3, 4)
    pd.testing.assert_frame_equal(neighbours, expected)
    figure = plt.gcf()
    paths = [embedded.at[3, "img_path"], *expected["img_path"]]
    assert len(figure.axes) == 5
    for axis, path in zip(figure.axes, paths, strict=True):
        np.testing.assert_array_equal(drawn(axis), pixels(path))
    captions = [axis.get_title() for axis in figure.axes]
    assert captions == ["query", *(f"{x:.2f}" for x in expected["cosine_similarity"])]
    figure.canvas.draw()


def test_fewer_neighbours_than_asked_for_are_drawn(embedded):
    import matplotlib.pyplot as plt

    assert len(simlib.plot_similar(embedded.head(3), "average_colours", 0, k_neighbors=9)) == 2
    assert len(plt.gcf().axes) == 3
    assert len(simlib.plot_similar(embedded.head(1), "average_colours", 0)) == 0


def test_a_neighbour_whose_picture_is_gone_is_marked_not_an_error(embedded):
    import os

    import matplotlib.pyplot as plt

    gone = simlib.nearest(embedded, "average_colours", 0, 3)["img_path"].iloc[1]
    os.unlink(gone)
    simlib.plot_similar(embedded, "average_colours", 0, 3)
    sign = drawn(plt.gcf().axes[2])
    assert sign.shape == (224, 224, 3) and (sign[5, 100] == 211).all()  # light grey


def test_a_grid_shows_every_picture_with_its_caption(embedded):
    embedded["price"] = ["$5", "$5 or $7", None, *range(9)]
    figure = simlib.plot_grid(embedded, columns=5, captions="price")
    assert len(figure.axes) == 12
    for axis, path in zip(figure.axes, embedded["img_path"], strict=True):
        np.testing.assert_array_equal(drawn(axis), pixels(path))
    assert [axis.get_title() for axis in figure.axes[:4]] == ["$5", "$5 or $7", "", "0"]
    figure.canvas.draw()  # a dollar sign is no formula
    assert len(simlib.plot_grid(embedded.head(2), columns=8).axes) == 2


def test_a_grid_takes_captions_of_ones_own_one_for_each_picture(embedded):
    figure = simlib.plot_grid(embedded, captions=(str(number) for number in range(12)))
    assert [axis.get_title() for axis in figure.axes] == [str(number) for number in range(12)]
    with pytest.raises(ValueError, match="11 captions for 12 pictures"):
        simlib.plot_grid(embedded, captions=["caption"] * 11)


def test_a_grid_that_cannot_be_drawn_says_why(embedded):
    with pytest.raises(ValueError, match="can't show 0 pictures"):
        simlib.plot_grid(embedded.head(0))
    with pytest.raises(ValueError, match="0 columns"):
        simlib.plot_grid(embedded, columns=0)
    with pytest.raises(KeyError, match="no column 'title'"):
        simlib.plot_grid(embedded, captions="title")
    with pytest.raises(KeyError, match="no column 'img_path'"):
        simlib.plot_similar(embedded.drop(columns="img_path"), "average_colours", 0)
    with pytest.raises(ValueError, match="not a label"):
        simlib.plot_similar(embedded, "average_colours", 99)


# A comparison


@pytest.fixture
def labelled(image_df):
    return image_df.assign(category=list("aaaabbbbcccc"), colour=["red", "blue", "white"] * 4)


def test_a_comparison_is_drawn_with_its_means_and_intervals(labelled):
    encoders = [AverageColours(), simlib.load_encoder("pixels", size=(4, 4))]
    comparison = simlib.compare(labelled, encoders, k=3, timed=0, progress=False)
    figure = simlib.plot_comparison(comparison, columns=2)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == list(dict.fromkeys(comparison.columns.get_level_values(0)))[1:]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["average", "pixels"]
    for axis, title in zip(figure.axes, titles, strict=True):
        for place, name in enumerate(comparison.index):
            interval, dot = axis.lines[2 * place : 2 * place + 2]
            assert list(interval.get_xdata()) == list(comparison.loc[name, title][["low", "high"]])
            assert dot.get_xdata()[0] == comparison.loc[name, (title, "mean")]
        chance = comparison.attrs["chance"].get(title)
        assert (chance is not None) == (len(axis.lines) == 5)
        assert chance is None or axis.lines[4].get_xdata()[0] == chance
    with pytest.raises(ValueError, match="no measure to draw"):
        simlib.plot_comparison(labelled)


# A map


@pytest.fixture(scope="module")
def clusters():
    """Ninety embeddings around three directions; the pictures do not exist."""
    rng = np.random.default_rng(0)
    label = np.repeat(list("abc"), 30)
    rows = np.repeat(10 * np.eye(20)[:3], 30, axis=0) + rng.normal(size=(90, 20))
    noise = rng.normal(size=(90, 20))
    frame = pd.DataFrame({"img_path": "gone.jpg", "category": label})
    return frame.assign(own=list(rows), noise=list(noise)).sample(frac=1, random_state=0)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_what_is_similar_lies_together_on_the_map(clusters, method):
    import matplotlib.pyplot as plt

    points = simlib.plot_map(clusters, ["own", "noise"], "category", method=method)
    assert points.index.equals(clusters.index) and len(plt.gcf().axes) == 2
    spread = points.groupby(clusters["category"]).std()
    assert (spread["own"] < 0.5 * points.std()["own"]).all(axis=None)
    assert (spread["noise"] > 0.5 * points.std()["noise"]).all(axis=None)
    assert points.min().min() == 0 and points.max().max() == 1
    trust = points.attrs["trustworthiness"]
    assert 0.4 < trust["noise"] < trust["own"] <= 1
    names = [text.get_text() for text in plt.gcf().axes[0].texts]
    assert names == ["a", "b", "c"]
    drawn_points = np.vstack([part.get_offsets() for part in plt.gcf().axes[0].collections])
    assert len(drawn_points) == 90
    again = simlib.plot_map(clusters, ["own", "noise"], "category", method=method)
    pd.testing.assert_frame_equal(points, again)


def test_a_map_shows_pictures_at_their_places(embedded):
    import matplotlib.pyplot as plt

    points = simlib.plot_map(embedded, "average_colours", method="pca", thumbnails=400)
    axis = plt.gcf().axes[0]
    assert len(axis.images) == 12  # so many cells that each picture has one to itself
    for picture in axis.images:
        left, right, bottom, top = picture.get_extent()
        inside = points["average_colours"]
        inside = inside[inside["x"].between(left - 0.01, right + 0.01)]
        inside = inside[inside["y"].between(bottom - 0.01, top + 0.01)]
        shown = [pixels(embedded.at[label, "img_path"]) for label in inside.index]
        assert any(np.array_equal(drawn_image, picture.get_array()) for drawn_image in shown)
    few = simlib.plot_map(embedded, "average_colours", method="pca", thumbnails=4)
    assert len(few) == 12 and 1 < len(plt.gcf().axes[0].images) <= 9


def test_colours_are_drawn_in_themselves_and_what_has_none_in_grey(labelled):
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_rgba

    embedded = simlib.embed(labelled, AverageColours(), progress=False)
    embedded.loc[3, "colour"] = None
    simlib.plot_map(embedded, "average_colours", "colour", method="pca")
    parts = plt.gca().collections
    shown = {tuple(part.get_facecolor()[0]): len(part.get_offsets()) for part in parts}
    expected = {to_rgba("0.6"): 1, to_rgba("blue"): 4, to_rgba("red"): 3, to_rgba("white"): 4}
    assert shown == expected


def test_a_large_catalogue_is_drawn_in_part_and_the_broken_left_out(clusters):
    clusters = clusters.copy()
    clusters.iloc[:3, clusters.columns.get_loc("own")] = [None, np.zeros(20), np.full(20, np.nan)]
    points = simlib.plot_map(clusters, "own", method="pca", most=40)
    assert len(points) == 40 and not set(points.index) & set(clusters.index[:3])
    assert len(simlib.plot_map(clusters, "own", method="pca")) == 87


def test_a_map_that_cannot_be_drawn_says_why(embedded, monkeypatch):
    with pytest.raises(ValueError, match="method='lda' is unknown; choose from pca, tsne, umap"):
        simlib.plot_map(embedded, "average_colours", method="lda")
    with pytest.raises(ValueError, match="needs 5 pictures or more; 4 have embeddings"):
        simlib.plot_map(embedded.head(4), "average_colours")
    with pytest.raises(KeyError, match="no column 'category'"):
        simlib.plot_map(embedded, "average_colours", "category")
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        simlib.plot_map(embedded, "average_colours", method="umap")


def test_a_map_without_thumbnails_needs_no_paths():
    rows = np.random.default_rng(0).random((8, 3)).tolist()
    frame = pd.DataFrame({"own": rows})
    assert simlib.plot_map(frame, "own", method="pca").shape == (8, 2)
    with pytest.raises(KeyError, match="no column 'img_path'; it has: own. .*rename"):
        simlib.plot_map(frame, "own", method="pca", thumbnails=4)


# Text is never markup

NOT_MARKUP = [r"$\nosuch{$", "a $5 bag and a $9 hat", "$", "50% off_under^"]


def rendered(figure):
    """Draw the figure, which is when matplotlib reads its texts, and return those."""
    import matplotlib.text

    figure.canvas.draw()
    texts = figure.findobj(matplotlib.text.Text)
    assert not [text for text in texts if "$" in text.get_text() and text.get_parse_math()]
    return [text.get_text() for text in texts]


class Reader:
    def encode(self, texts, **_):
        return np.ones((len(texts), 192), dtype=np.float32)


@pytest.mark.parametrize("text", NOT_MARKUP)
def test_a_dollar_in_a_column_or_a_query_is_a_dollar(embedded, text):
    import matplotlib.pyplot as plt

    named = embedded.rename(columns={"average_colours": text})
    simlib.plot_similar(named, text, 0, k_neighbors=2)
    assert text in rendered(plt.gcf())

    simlib.text_image_search(text, embedded, "average_colours", k=2, model=Reader())
    assert f"“{text}”" in rendered(plt.gcf())


@pytest.mark.parametrize("text", NOT_MARKUP)
def test_a_dollar_in_a_label_or_a_caption_is_a_dollar(embedded, text):
    import matplotlib.pyplot as plt

    labelled = embedded.assign(label=text).rename(columns={"average_colours": text})
    assert text in rendered(simlib.plot_grid(labelled, captions="label"))
    simlib.plot_map(labelled, text, "label", method="pca", thumbnails=4)
    assert rendered(plt.gcf()).count(text) == 2  # the title, and the label


@pytest.mark.parametrize("text", NOT_MARKUP)
def test_a_dollar_in_a_comparison_is_a_dollar(text):
    columns = pd.MultiIndex.from_product([[f"mAP@R by {text}"], ["mean", "low", "high"]])
    table = pd.DataFrame([[0.5, 0.4, 0.6]], index=[text], columns=columns)
    texts = rendered(simlib.plot_comparison(table))
    assert text in texts and f"mAP@R by {text}" in texts


def test_half_a_character_is_drawn_as_its_escape(embedded):
    import matplotlib.pyplot as plt

    simlib.text_image_search("bag \ud83d", embedded, "average_colours", k=2, model=Reader())
    assert r"“bag \ud83d”" in rendered(plt.gcf())


def test_a_text_without_end_is_cut(embedded):
    import matplotlib.pyplot as plt

    named = embedded.rename(columns={"average_colours": "a" * 10_000})
    simlib.plot_similar(named, "a" * 10_000, 0, k_neighbors=2)
    assert "a" * 199 + "…" in rendered(plt.gcf())


# Figures that stay open


def test_a_figure_can_be_closed_in_a_loop_and_leaves_the_users_own_alone(embedded):
    import matplotlib.pyplot as plt

    own = plt.figure()
    for query in range(3):
        simlib.plot_similar(embedded, "average_colours", query, k_neighbors=2)
        assert plt.gcf() is not own
        plt.close()
    assert plt.get_fignums() == [own.number]


def test_a_drawing_that_fails_leaves_no_figure_open(embedded, monkeypatch):
    import matplotlib.pyplot as plt

    from simlib import plots

    def fail(*_, **__):
        raise MemoryError

    columns = pd.MultiIndex.from_product([["mAP@R by category"], ["mean", "low", "high"]])
    table = pd.DataFrame([[0.5, 0.4, 0.6]], index=["own"], columns=columns)
    monkeypatch.setattr(plots, "_shown", fail)
    for draw in (
        lambda: simlib.plot_similar(embedded, "average_colours", 0),
        lambda: simlib.plot_grid(embedded),
        lambda: simlib.plot_map(embedded, "average_colours", method="pca"),
    ):
        with pytest.raises(MemoryError):
            draw()
    monkeypatch.undo()
    with pytest.raises(KeyError):
        simlib.plot_comparison(table.drop(columns=[("mAP@R by category", "high")]))
    assert plt.get_fignums() == []


def test_a_path_or_a_picture_can_be_the_query_that_is_drawn(embedded):
    import matplotlib.pyplot as plt

    path = embedded["img_path"].iloc[4]
    for query in (path, simlib.load_image(path)):
        found = simlib.plot_similar(embedded, "average_colours", query, k_neighbors=2)
        assert found["index"].iloc[0] == 4
        np.testing.assert_array_equal(drawn(plt.gcf().axes[0]), pixels(path))
    vector = embedded["average_colours"].iloc[4]
    simlib.plot_similar(embedded, "average_colours", vector, k_neighbors=2)
    assert len(plt.gcf().axes) == 2  # there is no query to see
