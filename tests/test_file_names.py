"""File names that are not UTF-8, as any old zip leaves them: pandas' own ``str`` can't hold them.
What a user loses otherwise: the whole catalogue, for the sake of one name."""

import os
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours

import simlib
from conftest import draw_pictures

matplotlib.use("agg")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a disk with such names")

COLUMN = AverageColours.column
CALLS = {  # what comes of it is a frame that has the odd path, or a figure
    "nearest, another row": lambda frame, odd, _: simlib.nearest(frame, COLUMN, 0, k=5),
    "nearest, its own row": lambda frame, odd, _: simlib.nearest(frame, COLUMN, 2, k=5),
    "nearest, its path": lambda frame, odd, _: simlib.nearest(frame, COLUMN, odd, k=5),
    "nearest, a vector": lambda frame, odd, _: simlib.nearest(frame, COLUMN, frame[COLUMN][0], 6),
    "nearest, by path as label": lambda frame, odd, _: simlib.nearest(
        frame.set_axis(pd.Index(frame["img_path"], dtype=object)), COLUMN, odd, k=5
    ),
    "nearest_many": lambda frame, odd, _: simlib.nearest_many(frame, COLUMN, k=5),
    "find_duplicates": lambda frame, odd, _: simlib.find_duplicates(frame, COLUMN, threshold=0.01),
    "evaluate": lambda frame, odd, _: simlib.evaluate(frame, COLUMN, "title", k=2),
    "report": lambda frame, odd, folder: simlib.report(
        frame, COLUMN, folder / "report.html", "title", progress=False
    ),
    "plot_similar": lambda frame, odd, _: simlib.plot_similar(frame, COLUMN, 0, 5),
    "plot_similar, its own row": lambda frame, odd, _: simlib.plot_similar(frame, COLUMN, 2, 5),
    "plot_grid": lambda frame, odd, _: simlib.plot_grid(frame, captions="title"),
    "plot_map": lambda frame, odd, _: simlib.plot_map(frame, COLUMN, "title", method="pca"),
    "explore": lambda frame, odd, _: simlib.explore(frame, COLUMN).grid.visible[2].click(),
}
REFUSED = {
    "save_embeddings": lambda frame, odd, folder: simlib.save_embeddings(
        frame, folder / "a.parquet"
    ),
    "save_embeddings, as labels": lambda frame, odd, folder: simlib.save_embeddings(
        frame.set_axis(pd.Index(frame["img_path"], dtype=object))[[COLUMN]], folder / "a.parquet"
    ),
    "load_embeddings": lambda frame, odd, folder: simlib.load_embeddings(
        simlib.save_embeddings(frame[[COLUMN]], os.path.join(folder, "\udce9.parquet"))
    ),
    "load_catalogue": lambda frame, odd, folder: simlib.load_catalogue(os.path.dirname(odd)),
}


@pytest.fixture
def odd(tmp_path):
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"caf\xe9", b"caf\xe9.png"))
    os.mkdir(os.path.dirname(path))
    return path


@pytest.fixture
def frame(tmp_path, odd):
    paths = draw_pictures(tmp_path / "pictures", 6)
    os.rename(paths[2], odd)
    paths[2] = odd
    titles = ["a", "b", "caf\udce9", "a", "b", "caf\udce9"]
    frame = pd.DataFrame({"img_path": paths, "title": titles}, dtype=object)
    return simlib.embed(frame, AverageColours(), progress=False)


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.mark.parametrize("call", CALLS)
def test_a_file_name_that_is_not_utf8_is_a_path_like_any_other(call, frame, odd, tmp_path):
    assert frame["error"].isna().all() if "error" in frame else True
    result = CALLS[call](frame, odd, tmp_path)
    if isinstance(result, pd.DataFrame) and "its" not in call and "label" not in call:
        if "img_path" in result:
            assert odd in set(result["img_path"])
    if call == "nearest, its path":
        others = simlib.nearest(frame, COLUMN, 2, k=4)
        assert result["index"].tolist()[:1] == [2] and set(others["index"]) < {0, 1, 3, 4, 5}
        np.testing.assert_allclose(result["cosine_similarity"][0], 1, atol=1e-6)


@pytest.mark.parametrize("call", REFUSED)
def test_what_cannot_hold_such_a_name_says_so(call, frame, odd, tmp_path):
    with pytest.raises(ValueError, match="not Unicode.*rename") as caught:
        REFUSED[call](frame, odd, tmp_path)
    assert not isinstance(caught.value, UnicodeError)
