"""What a user loses when these fail: seeing the picture that was found, in its place."""

from xml.etree import ElementTree

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


def test_a_map_is_drawn_again_without_computing_it(clusters, monkeypatch):
    import matplotlib.pyplot as plt

    first = simlib.plot_map(clusters, ["own", "noise"], "category", method="pca", most=40)
    monkeypatch.setattr("simlib.plots._MAPS", dict.fromkeys(["pca", "tsne"]))  # can't be called
    again = simlib.plot_map(clusters, "noise", thumbnails=4, coordinates=first)
    pd.testing.assert_frame_equal(again, first[["noise"]], check_like=True)
    assert again.attrs["trustworthiness"] == {"noise": first.attrs["trustworthiness"]["noise"]}
    assert "principal components" in plt.gcf().get_label()  # as it was made, not by default
    with pytest.raises(KeyError, match="The coordinates are not of 'own'"):
        simlib.plot_map(clusters, "own", coordinates=again)
    with pytest.raises(
        ValueError, match="of the 40 coordinates are of pictures that the frame lacks"
    ):
        simlib.plot_map(clusters.drop(first.index[:3]), "own", coordinates=first)


def test_names_on_a_map_grow_with_it(clusters):
    import matplotlib.pyplot as plt

    sizes = []
    for side in (3, 8):
        _, axis = plt.subplots(figsize=(side, side))
        simlib.plot_map(clusters, "own", "category", method="pca", ax=axis)
        sizes.append(axis.texts[0].get_fontsize())
    assert sizes == [6, 9]


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


# The user's figure, the file, and the alt text


def phone_photo(path, orientation=6):
    """A photo as a phone writes it: on its side, with a note how to turn it."""
    photo = Image.new("RGB", (160, 80), "navy")
    photo.paste("orange", (0, 0, 20, 80))  # the upper edge, once it is turned
    note = Image.Exif()
    note[0x0112] = orientation
    photo.save(path, "JPEG", exif=note, quality=95)
    return path


def test_a_phone_photo_is_searched_and_drawn_upright_in_one_call(embedded, tmp_path):
    import matplotlib.pyplot as plt

    path = phone_photo(tmp_path / "photo.jpg")
    by_path = simlib.plot_similar(embedded, "average_colours", str(path))
    seen = drawn(plt.gcf().axes[0]).astype(int)
    assert seen.shape == (160, 80, 3)
    assert seen[5, 40, 0] > 200 and seen[80, 40, 0] < 50  # orange above, navy below
    by_bytes = simlib.plot_similar(embedded, "average_colours", path.read_bytes())
    pd.testing.assert_frame_equal(by_bytes, by_path)
    np.testing.assert_array_equal(drawn(plt.gcf().axes[0]), seen)
    large = simlib.load_image(path).resize((800, 1600))
    assert len(simlib.plot_similar(embedded, "average_colours", large)) == 5
    assert max(drawn(plt.gcf().axes[0]).shape) == 224 and large.size == (800, 1600)


def test_a_heic_photo_is_searched_and_drawn(embedded, tmp_path):
    import matplotlib.pyplot as plt

    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    path = tmp_path / "photo.heic"
    with Image.open(phone_photo(tmp_path / "photo.jpg")) as photo:
        bare = Image.frombytes(photo.mode, photo.size, photo.tobytes())
        note = photo.getexif().tobytes()
    pillow_heif.from_pillow(bare).save(path, quality=95, exif=note)
    for query in (path, path.read_bytes()):
        assert len(simlib.plot_similar(embedded, "average_colours", query, k=2)) == 2
        seen = drawn(plt.gcf().axes[0]).astype(int)
        assert seen.shape == (160, 80, 3) and seen[5, 40, 0] > 200 and seen[80, 40, 0] < 50


def test_a_plot_takes_what_nearest_takes(embedded):
    import matplotlib.pyplot as plt

    options = {"where": embedded.index > 5, "columns": ["img_path", "kind"]}
    kinds = embedded.assign(kind=list("aabbccddeeff"))
    found = simlib.plot_similar(kinds, "average_colours", 3, k=4, **options)
    pd.testing.assert_frame_equal(found, simlib.nearest(kinds, "average_colours", 3, 4, **options))
    assert found["index"].min() > 5 and len(plt.gcf().axes) == 5
    encoder = AverageColours()
    lists = embedded.assign(own=embedded["average_colours"].map(list))
    path = embedded["img_path"].iloc[4]
    assert simlib.plot_similar(lists, "own", path, encoder=encoder)["index"].iloc[0] == 4
    with pytest.raises(ValueError, match="nothing to search for"):
        simlib.plot_similar(embedded, "average_colours")


def test_where_nothing_passes_the_figure_says_so(embedded):
    import matplotlib.pyplot as plt

    assert len(simlib.plot_similar(embedded, "average_colours", 3, where=[False] * 12)) == 0
    assert "nothing found" in rendered(plt.gcf()) and len(plt.gcf().axes[0].images) == 1
    assert plt.gcf().get_label().endswith("but nothing was found.")
    options = {"where": [False] * 12, "model": Reader()}
    assert len(simlib.text_image_search("a bag", embedded, "average_colours", **options)) == 0
    assert {"nothing found", "“a bag”"} <= set(rendered(plt.gcf()))


ONE_OF_EACH = {
    "similar": lambda frame, **to: simlib.plot_similar(frame, "average_colours", 0, k=2, **to),
    "words": lambda frame, **to: simlib.text_image_search(
        "a bag", frame, "average_colours", k=2, model=Reader(), **to
    ),
    "grid": lambda frame, **to: simlib.plot_grid(frame.head(3), captions="colour", **to),
    "comparison": lambda frame, **to: simlib.plot_comparison(comparison_of_two(), **to),
}


def comparison_of_two():
    columns = pd.MultiIndex.from_product([["mAP@R by category"], ["mean", "low", "high"]])
    rows = [[0.5, 0.4, 0.6], [np.nan, np.nan, np.nan]]
    return pd.DataFrame(rows, index=["pixels", "towhee"], columns=columns)


@pytest.fixture
def titled(embedded):
    return embedded.assign(title=[f"Bag no. {n}" for n in range(12)], colour="red")


@pytest.mark.parametrize("plot", ONE_OF_EACH)
def test_a_plot_goes_into_the_figure_that_is_given(titled, plot):
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(9, 7), layout="constrained")
    above, below = figure.subfigures(2, 1)
    ONE_OF_EACH[plot](titled, figure=below)
    assert plt.get_fignums() == [figure.number] and figure.get_label() == ""
    assert below.axes and not above.axes and len(below.get_label()) > 20
    figure.canvas.draw()
    assert tuple(figure.get_size_inches()) == (9, 7)
    with pytest.raises(ValueError, match="drawn in figure= already. Give an empty one"):
        ONE_OF_EACH[plot](titled, figure=below)
    with pytest.raises(ValueError, match="drawn in figure= already"):
        ONE_OF_EACH[plot](titled, figure=figure)
    with pytest.raises(TypeError, match="is not a figure of matplotlib's"):
        ONE_OF_EACH[plot](titled, figure=below.axes[0])


def test_a_drawing_that_fails_leaves_the_users_figure_empty(embedded, monkeypatch):
    import matplotlib.pyplot as plt

    from simlib import plots

    figure = plt.figure()
    monkeypatch.setattr(plots, "_draw", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        simlib.plot_grid(embedded, figure=figure)
    assert not figure.axes and plt.get_fignums() == [figure.number]


def test_a_map_goes_into_the_axes_that_are_given(clusters):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3)
    expected = simlib.plot_map(clusters, ["own", "noise"], method="pca")
    figure_of_its_own = plt.gcf()
    found = simlib.plot_map(clusters, ["own", "noise"], method="pca", ax=axes[1:])
    pd.testing.assert_frame_equal(found, expected)
    assert [bool(axis.collections) for axis in axes] == [False, True, True]
    assert axes[1].get_label() == figure_of_its_own.get_label() != "" == figure.get_label()
    assert axes[1].get_label() == (
        "2 maps of 90 pictures (principal components) by own, noise: "
        "what is similar lies close together."
    )
    simlib.plot_map(clusters, "own", method="pca", ax=axes[0])
    assert axes[0].collections and len(plt.get_fignums()) == 2
    with pytest.raises(ValueError, match="ax= has 3 axes for 2 panels"):
        simlib.plot_map(clusters, ["own", "noise"], method="pca", ax=axes)
    with pytest.raises(TypeError, match="not one of matplotlib's axes"):
        simlib.plot_map(clusters, "own", method="pca", ax=figure)


@pytest.mark.parametrize("plot", ONE_OF_EACH)
def test_a_figure_is_saved_with_its_alt_text(titled, plot, tmp_path):
    import matplotlib.pyplot as plt

    titled.loc[1, "title"] = "<Bag> & ü 赤"
    ONE_OF_EACH[plot](titled, save=str(tmp_path / "found.png"))
    alt_text = plt.gcf().get_label()
    assert 20 < len(alt_text) < 1000 and alt_text.endswith(".")
    with Image.open(tmp_path / "found.png") as saved:
        assert saved.text["Description"] == alt_text
        assert saved.size == tuple(plt.gcf().canvas.get_width_height())
    ONE_OF_EACH[plot](titled, save=tmp_path / "found.SVG")
    svg = ElementTree.parse(tmp_path / "found.SVG").getroot()
    assert svg.find("{http://www.w3.org/2000/svg}title").text == plt.gcf().get_label()
    for name in ("found.pdf", "found.jpg", "found.webp"):
        ONE_OF_EACH[plot](titled, save=tmp_path / name)
    assert len(list(tmp_path.glob("found.*"))) == 5


def test_a_column_of_simlibs_own_is_called_by_its_strategy(titled):
    import matplotlib.pyplot as plt

    vectors = simlib.embedding_matrix(titled, "average_colours")
    named = simlib.set_embeddings(titled, "towhee_img_embedding", vectors)
    simlib.plot_similar(named, "towhee_img_embedding", 0, k=2)
    assert plt.gcf().get_suptitle() == "classifier"
    assert "most similar by classifier, with" in plt.gcf().get_label()
    simlib.plot_map(named, ["towhee_img_embedding", "average_colours"], method="pca")
    assert [axis.get_title() for axis in plt.gcf().axes] == ["classifier", "average_colours"]


def test_the_alt_text_says_what_is_drawn(titled):
    import matplotlib.pyplot as plt

    found = simlib.plot_similar(titled, "average_colours", 0, k=2)
    names = [f"Bag no. {index} {x:.2f}" for index, x in zip(
        found["index"], found["cosine_similarity"], strict=True)]  # fmt: skip
    assert plt.gcf().get_label() == (
        "The picture Bag no. 0, and what is most similar by average_colours, with cosine "
        f"similarities: {names[0]}; {names[1]}."
    )
    untitled = titled.drop(columns="title")
    simlib.plot_grid(untitled, captions="colour")
    assert "12 pictures, 8 in a row: 000.png (red); 001.png (red)" in plt.gcf().get_label()
    simlib.plot_grid(pd.concat([titled] * 3))
    assert plt.gcf().get_label().endswith("Bag no. 7; and 16 more.")
    simlib.text_image_search(
        "a bag", titled, "average_colours", k=2, model=Reader(), minus="red", minus_weight=0.4
    )
    assert plt.gcf().get_label().startswith("What fits “a bag” without “red” best by average_col")
    simlib.plot_comparison(comparison_of_two())
    assert plt.gcf().get_label() == (
        "Means with 95% intervals. mAP@R by category: pixels 0.50 (0.40 to 0.60)."
    )


@pytest.mark.parametrize(
    ("save", "error", "why"),
    [
        ("found.xyz", ValueError, r"can't be saved as '.xyz'. End the name with one of .*\.png"),
        ("found", ValueError, "can't be saved as ''"),
        ("no/such/found.png", FileNotFoundError, "there is no folder .*Make it first"),
        (7, TypeError, "save=7 is not the path of a file"),
    ],
)
@pytest.mark.parametrize("plot", [*ONE_OF_EACH, "map"])
def test_a_place_where_nothing_can_be_saved_is_said_before_anything_is_drawn(
    titled, plot, save, error, why, tmp_path, monkeypatch
):
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    draw = ONE_OF_EACH.get(plot) or (
        lambda frame, **to: simlib.plot_map(frame, "average_colours", method="pca", **to)
    )
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(error, match=why):
        draw(titled, save=save)
    assert plt.get_fignums() == [] and {path.name for path in tmp_path.iterdir()} == before


def test_a_file_that_was_there_survives_a_disk_that_refuses(titled, tmp_path, monkeypatch):
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    path = tmp_path / "found.png"
    path.write_bytes(b"what was there")

    def full(self, file, **_):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OSError, match="The figure could not be saved.*before is unchanged"):
        simlib.plot_grid(titled.head(2), save=path)
    assert path.read_bytes() == b"what was there" and plt.get_fignums() == []
    assert not list(tmp_path.glob(".found*"))
