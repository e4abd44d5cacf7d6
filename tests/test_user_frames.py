"""Frames that users make themselves: each has its right result, or a sentence that says what is
wrong and what to do. What a user loses otherwise: an hour with a traceback, or a wrong answer."""

import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from average_colours import AverageColours
from colour_names import ColourNames

import simlib
from conftest import draw_pictures

matplotlib.use("agg")

ROWS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
REVERSED = [5, 4, 3, 2, 1, 0]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return draw_pictures(tmp_path_factory.mktemp("pictures"), 6)


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def frame_of(paths, cells):
    frame = pd.DataFrame({"img_path": paths, "category": list("ababab")}).head(len(cells))
    frame["own"] = pd.Series(list(cells), dtype=object)
    return frame


def with_cell(cell):
    return [*ROWS[:1], cell, *ROWS[2:]]


CALLS = {  # each asks for row 1, or for all
    "embedding_matrix": lambda frame, _: simlib.embedding_matrix(frame, "own"),
    "nearest": lambda frame, _: simlib.nearest(frame, "own", 1, k=3),
    "plot_similar": lambda frame, _: simlib.plot_similar(frame, "own", 1, k_neighbors=3),
    "text_image_search": lambda frame, _: simlib.text_image_search(
        "red", frame, "own", k=3, model=ColourNames()
    ),
    "precision_at_k": lambda frame, _: simlib.precision_at_k(frame, "own", k=2),
    "evaluate": lambda frame, _: simlib.evaluate(frame, "own", k=2),
    "explore": lambda frame, _: simlib.explore(frame, "own"),
    "save_embeddings": lambda frame, folder: simlib.save_embeddings(frame, folder / "a.parquet"),
    "embed": lambda frame, _: simlib.embed(frame, AverageColours(), progress=False),
}
READERS = list(CALLS)[:7]  # those that look into the column
ALL = list(CALLS)

NOT_NUMBERS = "The cell of 'own' at label {} is {}, not a row of numbers. Expected lists"
NO_COLUMN = "Expected a pandas DataFrame, but got Series"

# what is wrong: (the frame, by whom it is refused, in which words)
WRONG = {
    "no such column": (lambda f: f(ROWS).drop(columns="own"), READERS, "no column 'own'; it has: "),
    "no img_path": (
        lambda f: f(ROWS).drop(columns="img_path"),
        ["plot_similar", "text_image_search", "explore", "embed"], "no column 'img_path'; it has:",
    ),
    "not a frame": (lambda f: f(ROWS)["own"], ALL, "Expected a pandas DataFrame, but got Series"),
    "empty": (lambda f: f(ROWS).head(0), READERS[:-1], "frame is empty, so 'own' holds no embed"),
    "empty, to explore": (lambda f: f(ROWS).head(0), ["explore"], "frame is empty: .*nothing to e"),
    "nothing but missing": (lambda f: f([None] * 6), READERS, "'own' holds no embedding at all"),
    "missing, as None": (lambda f: f(with_cell(None)), ["embedding_matrix"],
                         r"no embedding in 1 of 6 rows, the first at label 1.*dropna\(subset="),
    "missing, as NaN": (lambda f: f(with_cell(np.nan)), ["embedding_matrix"], "in 1 of 6 rows"),
    "missing, as NA": (lambda f: f(with_cell(pd.NA)), ["embedding_matrix"], "in 1 of 6 rows"),
    "the query is missing": (
        lambda f: f(with_cell(None)), ["nearest", "plot_similar"], "label 1 has no embedding in '",
    ),
    "mixed dimensions": (
        lambda f: f(with_cell(ROWS[1, :3])), READERS,
        r"'own' mixes embeddings of 4 and 3 values \(first at label 1\). Embed all pictures with",
    ),
    "lists in lists": (
        lambda f: f([[row.tolist()] for row in ROWS]), READERS, NOT_NUMBERS.format(0, "list"),
    ),
    "tables in cells": (
        lambda f: f([row[None] for row in ROWS]), READERS,
        NOT_NUMBERS.format(0, "ndarray"),
    ),
    "text": (lambda f: f(with_cell("[1, 2, 3, 4]")), READERS, NOT_NUMBERS.format(1, "str")),
    "a number": (lambda f: f(with_cell(7)), READERS, NOT_NUMBERS.format(1, "int")),
    "a dict": (lambda f: f(with_cell({"a": 1})), READERS, NOT_NUMBERS.format(1, "dict")),
    "empty lists": (lambda f: f([[]] * 6), READERS, NOT_NUMBERS.format(0, "list")),
    "complex numbers": (
        lambda f: f([[1j, 1, 2, 3]] * 6), READERS, NOT_NUMBERS.format(0, "list"),
    ),
    "complex numbers, to save": (
        lambda f: f([[1j, 1, 2, 3]] * 6), ["save_embeddings"],
        "can't be saved as Parquet .*column own.*leave the column out",
    ),
    "the column twice": (
        lambda f: pd.concat([f(ROWS), f(ROWS)[["own"]]], axis=1), READERS,
        "has 2 columns of the name 'own'",
    ),
    "labels that stand twice": (
        lambda f: f(ROWS).set_axis([0, 1, 1, 2, 3, 4]), ["nearest", "plot_similar"],
        r"label 1 stands at several rows.*image_df.reset_index\(drop=True\)",
    ),
    "the query has NaN": (
        lambda f: f(with_cell([1, np.nan, 2, 3])), ["nearest", "plot_similar"], "zero or not fini",
    ),
    "the query is zero": (
        lambda f: f(with_cell([0, 0, 0, 0])), ["nearest", "plot_similar"], "zero or not finite, so",
    ),
    "all are zero": (
        lambda f: f(0 * ROWS), ["text_image_search"], "None of the embeddings in 'own' can be comp",
    ),
    "all are zero, to measure": (
        lambda f: f(0 * ROWS), ["precision_at_k", "evaluate"], "the gallery offers 0 neighbours",
    ),
    "another model's column": (
        lambda f: f(ROWS[:, :3]), ["text_image_search"],
        "gives 4 values, but the embeddings in 'own' have 3: another model made them. Pass that on",
    ),
    "an error column of the user's own": (
        lambda f: f(ROWS).assign(error=0.5), ["embed"], r"column 'error' of its own \(with 0.5\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_frame_is_answered_with_its_sentence(name, paths, tmp_path):
    make, refused_by, sentence = WRONG[name]
    for call in refused_by:
        frame = make(lambda cells: frame_of(paths, cells))
        with (
            warnings.catch_warnings(),
            pytest.raises((ValueError, KeyError, TypeError), match=sentence),
        ):
            warnings.simplefilter("error")
            CALLS[call](frame, tmp_path)
    assert list(tmp_path.iterdir()) == []  # nothing half-saved


# what is odd, but right: (the frame, which rows it keeps in which order, which it can't rank)
ODD = {
    "lists": (lambda f: f(ROWS.tolist()), None, []),
    "tuples": (lambda f: f([tuple(row) for row in ROWS]), None, []),
    "float64": (lambda f: f(ROWS.astype(np.float64)), None, []),
    "float16": (lambda f: f(ROWS.astype(np.float16).astype(np.float32)), None, []),
    "whole numbers": (lambda f: f((ROWS * 1000).astype(int)), None, []),
    "series": (lambda f: f([pd.Series(row) for row in ROWS]), None, []),
    "lists and arrays": (lambda f: f([*ROWS[:3], *ROWS[3:].tolist()]), None, []),
    "turned around": (lambda f: f(ROWS).iloc[::-1], REVERSED, []),
    "labels that are words": (lambda f: f(ROWS).set_axis([*"xbcdef"]), None, []),
    "a missing one": (lambda f: f([*ROWS[:5], None]), None, [5]),
    "NaN in one": (lambda f: f([*ROWS[:5], [np.nan, 0, 0, 1]]), None, [5]),
    "one that is infinite": (lambda f: f([*ROWS[:5], [np.inf, 0, 0, 1]]), None, [5]),
    "one beyond float32": (lambda f: f([*ROWS[:5], [1e300, 0, 0, 1]]), None, [5]),
    "a zero": (lambda f: f([*ROWS[:5], [0, 0, 0, 0]]), None, [5]),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_frame_gives_the_right_neighbours_everywhere(name, paths, tmp_path):
    make, order, unrankable = ODD[name]
    frame = make(lambda cells: frame_of(paths, cells))
    order = order or list(range(6))
    query = frame.index[order.index(1)]
    exact = ROWS.astype(np.float64) / np.linalg.norm(ROWS.astype(np.float64), axis=1)[:, None]
    similar = dict(zip(range(6), exact @ exact[1], strict=True))
    rankable = [row for row in similar if row not in (1, *unrankable)]
    ranked = sorted(rankable, key=lambda row: -similar[row])
    expected = [frame.index[order.index(row)] for row in ranked]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for found in (
            simlib.nearest(frame, "own", query, k=10**9),
            simlib.plot_similar(frame, "own", query, k_neighbors=10**9),
        ):
            assert found["index"].tolist() == expected
            assert found.attrs["left_out"] == len(unrankable)
            np.testing.assert_allclose(
                found["cosine_similarity"], [similar[row] for row in ranked], atol=2e-3
            )
        explorer = simlib.explore(frame, "own")
        explorer.state.choose_row(order.index(1))
        explored = explorer.state.found["own"].neighbours
        assert explored["img_path"].tolist() == found["img_path"].tolist()
        loaded = simlib.load_embeddings(simlib.save_embeddings(frame, tmp_path / "a.parquet"))
        again = simlib.nearest(loaded, "own", order.index(1), k=10)
        assert again["img_path"].tolist() == found["img_path"].tolist()
        if not unrankable:
            matrix = simlib.embedding_matrix(frame, "own")
            assert matrix.dtype == np.float32 and matrix.shape == (6, 4)
        embedded = simlib.embed(frame, AverageColours(), progress=False)
        assert embedded.index.equals(frame.index) and list(embedded["own"]) == list(frame["own"])


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", None, True])
def test_a_wrong_number_of_neighbours_is_answered_with_its_sentence(k, paths):
    frame = frame_of(paths, ROWS)
    for search in (
        lambda: simlib.nearest(frame, "own", 1, k=k),
        lambda: simlib.plot_similar(frame, "own", 1, k_neighbors=k),
        lambda: simlib.text_image_search("red", frame, "own", k=k, model=ColourNames()),
    ):
        with pytest.raises(ValueError, match=f"k={k!r} is not a whole number from 1 on"):
            search()


def test_more_neighbours_to_measure_than_there_are_is_a_sentence(paths):
    for measure in (simlib.precision_at_k, simlib.evaluate):
        with pytest.raises(ValueError, match="k=1000000000 is out of range: the gallery offers 5"):
            measure(frame_of(paths, ROWS), "own", k=10**9)


def test_a_thousand_neighbours_are_found_and_so_many_drawn_as_one_can_see(paths):
    import matplotlib.pyplot as plt

    frame = pd.concat([frame_of(paths, ROWS)] * 20, ignore_index=True)
    found = simlib.plot_similar(frame, "own", 1, k_neighbors=10**9)
    assert len(found) == 119
    assert len(plt.gcf().axes) == 1 + 50 and "the first 50 of 119" in plt.gcf().get_suptitle()


def test_an_error_column_by_an_earlier_embed_is_renewed(paths):
    frame = frame_of([*paths[:5], "gone.png"], ROWS)
    embedded = simlib.embed(frame, AverageColours(), progress=False)
    assert embedded["error"].notna().tolist() == [False] * 5 + [True]
    embedded.loc[5, "img_path"] = paths[5]
    assert "error" not in simlib.embed(embedded, AverageColours(), progress=False)
