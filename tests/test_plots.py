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
    neighbours = simlib.plot_similar(
        shuffled, "average_colours", query_index=3, k_neighbors=4
    )
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
