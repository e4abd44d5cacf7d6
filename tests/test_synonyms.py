"""Both names of a parameter work; what a user loses otherwise: a minute with the documentation."""

import inspect

import matplotlib
import pandas as pd
import pytest
from colour_names import ColourNames
from PIL import Image

import simlib

matplotlib.use("agg")


@pytest.fixture
def coloured(tmp_path):
    import matplotlib.pyplot as plt

    paths = []
    for name in ("red", "green", "blue", "yellow"):
        paths.append(str(tmp_path / f"{name}.png"))
        Image.new("RGB", (20, 20), name).save(paths[-1])
    yield simlib.embed(pd.DataFrame({"img_path": paths}), ColourNames(), progress=False)
    plt.close("all")


def test_the_tutorials_names_and_the_librarys_mean_the_same(coloured):
    expected = simlib.plot_similar(coloured, "colour_names", 0, 2)
    for call in (
        {"df": coloured, "embedding_col": "colour_names", "query_index": 0, "k_neighbors": 2},
        {"image_df": coloured, "embedding_col": "colour_names", "query": 0, "k": 2},
    ):
        pd.testing.assert_frame_equal(simlib.plot_similar(**call), expected)
    expected = simlib.text_image_search("red", coloured, "colour_names", 2, ColourNames())
    options = {"image_df": coloured, "embedding_col": "colour_names", "encoder": ColourNames()}
    found = simlib.text_image_search(text="red", k=2, **options)
    pd.testing.assert_frame_equal(found, expected)
    assert len(simlib.plot_grid(image_df=coloured).axes) == 4
    vector = simlib.encode_query(encoder=ColourNames(), text="red")
    assert vector.tolist() == simlib.encode_query(ColourNames(), "red").tolist()
    explorer = simlib.explore(coloured, "colour_names", encoder=ColourNames())
    assert explorer.state.reads_words


def test_both_names_at_once_are_a_sentence(coloured):
    with pytest.raises(TypeError, match="takes either k_neighbors or k, which are the same; both"):
        simlib.plot_similar(coloured, "colour_names", 0, 2, k=2)
    with pytest.raises(TypeError, match="takes either df or image_df"):
        simlib.plot_similar(df=coloured, image_df=coloured, embedding_col="colour_names", query=0)
    with pytest.raises(TypeError, match="takes either model or encoder"):
        simlib.encode_query(ColourNames(), "red", encoder=ColourNames())


def test_any_other_name_is_the_usual_type_error(coloured):
    with pytest.raises(TypeError, match="unexpected keyword argument 'neighbours'"):
        simlib.plot_similar(coloured, "colour_names", 0, neighbours=2)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'df'"):
        simlib.text_image_search("red", img_emb_col="colour_names")


def test_notebooks_see_both_names():
    parameters = inspect.signature(simlib.plot_similar).parameters
    assert list(parameters)[:4] == ["df", "embedding_col", "query_index", "k_neighbors"]
    assert {"image_df", "query", "k", "where", "figure", "save"} <= set(parameters)
    assert simlib.plot_similar.__name__ == "plot_similar"
    assert "also as ``k=``" in simlib.plot_similar.__doc__.lower()
