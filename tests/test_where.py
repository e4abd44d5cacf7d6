"""Which rows a search may find: what a user loses otherwise is the right answer, or the machine."""

import numpy as np
import pandas as pd
import pytest

import simlib
from simlib.columns import Embeddings, column_of_rows
from simlib.where import rows_passing

FRAME = pd.DataFrame(
    {
        "img_path": [f"{letter}.jpg" for letter in "abcde"],
        "colour": ["red", "blue", None, "red", "green"],
        "a price": [1, 2, 3.5, None, 8],
        "title": ["Red Bag", "hat", "it's a `hat`", "bag & hat", ""],
        "pieces": pd.array([1, None, 3, 4, 5], dtype="Int64"),
        "seen": pd.date_range("2026-01-01", periods=5),
        "in_stock": [True, False, True, True, False],
        "own": [[1, 0], [3, 1], [2, 1], [1, 1], [0, 1]],
    },
    index=pd.Index(list("abcde"), name="key"),
)


@pytest.mark.parametrize(
    ("condition", "passing"),
    [
        ("colour == 'red'", "ad"),
        ("colour != 'red'", "bce"),
        ("not colour == 'red'", "bce"),
        ("colour in ['red', 'blue'] and `a price` < 2", "a"),
        ("colour not in ['red', 'blue']", "ce"),
        ("colour == ['red', 'green']", "ade"),
        ("1 < `a price` < 8", "bc"),
        ("`a price` > pieces", "ce"),
        ("colour == 'red' & pieces > 1 | colour == 'green'", "de"),
        ("pieces != 3", "ade"),  # what is missing fulfils no comparison, as in DataFrame.query
        ("-pieces < -3 and pieces * 2 + 1 <= 9", "d"),
        ("in_stock and not colour.isna()", "ad"),
        ("~in_stock", "be"),
        ("seen.dt.day > 3", "de"),
        ("seen > '2026-01-03'", "de"),
        ("title.str.lower().str.contains('bag')", "ad"),
        ('title == "it\'s a `hat`"', "c"),
        ("title == 'bag & hat'", "d"),
        ("`a price`.between(1, 3)", "ab"),
        ("key == 'b' or index == 'e'", "be"),
        (" colour == 'nosuch' ", ""),
    ],
)
def test_a_condition_means_what_it_means_in_pandas(condition, passing):
    assert FRAME.index[rows_passing(FRAME, condition)].tolist() == list(passing)
    of_pandas = FRAME.query(condition.strip(), engine="python")
    assert of_pandas.index.tolist() == list(passing)


ATTACKS = [
    "@pd.io.common.os.system('touch /tmp/x')",
    "colour.__class__.__init__.__globals__",
    "title.map(print)",
    "title.to_csv('stolen.csv')",
    "title.str.__class__",
    "title.apply('open')",
    "__import__('os').system('true')",
    "print(1)",
    "(lambda: 1)()",
    "[x for x in colour] == 1",
    "colour[0] == 'red'",
    "f'{colour}' == 'red'",
    "pieces ** 999999 > 1",
    "(x := pieces) > 1",
    "colour @ title",
    "colour == __pd_eval_local_x",
    "'''a`b''' == colour.__class__ or '`'",
    "colour == 1j",
    "colour == ...",
]


@pytest.mark.parametrize("condition", ATTACKS)
def test_a_condition_reaches_nothing_but_columns(condition, monkeypatch):
    x, pd_eval = "red", pd.DataFrame.eval  # which @x and @pd_eval would reach
    monkeypatch.setattr(pd.DataFrame, "eval", lambda *_, **__: pytest.fail("evaluated"))
    with pytest.raises(ValueError, match="^where=.*The frame has: img_path, colour, a price") as no:
        rows_passing(FRAME, condition)
    assert len(str(no.value)) < 400 and x and pd_eval


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("colour = 'red'", r"can't be read \(to compare, write ==\)"),
        ("colour == 'red", "can't be read"),
        ("", "can't be read"),
        ("(" * 5000, "can't be read"),
        ("-" * 9000 + "pieces", "can't be read"),
        ("pieces" + " + pieces" * 1500, "has 13,506 characters, more than 10,000"),
        ("True", "names no column"),
        ("price > 1", "names 'price', which is no column"),
        ("colour < 5", "can't be evaluated"),
        ("title.str.contains('(')", "can't be evaluated"),
        ("pieces + 1", "gives Int64, not true or false"),
    ],
)
def test_a_condition_that_makes_no_sense_is_a_sentence_that_names_the_columns(condition, why):
    with pytest.raises(ValueError, match=f"{why}.*The frame has: img_path, colour") as caught:
        rows_passing(FRAME, condition)
    assert len(str(caught.value)) < 400


def test_a_column_that_is_there_twice_is_named():
    doubled = pd.concat([FRAME, FRAME[["colour"]]], axis=1)
    with pytest.raises(ValueError, match="names 'colour', which 2 columns are called"):
        rows_passing(doubled, "colour == 'red'")


MASK = [True, False, True, False, False]


@pytest.mark.parametrize(
    "mask",
    [
        MASK,
        tuple(MASK),
        np.array(MASK),
        np.array(MASK, dtype=object),
        pd.array(MASK, dtype="boolean"),
        pd.Series(MASK, index=FRAME.index),
        pd.Series([*MASK, True], index=[*FRAME.index, "z"], dtype=object).sample(
            frac=1, random_state=0
        ),
    ],
)
def test_a_mask_of_any_kind_is_taken_a_series_by_its_labels(mask):
    assert rows_passing(FRAME, mask).tolist() == MASK


@pytest.mark.parametrize(
    ("mask", "error", "why"),
    [
        (MASK[:4], ValueError, "has 4 values for the frame's 5 rows"),
        (pd.Series(MASK), ValueError, "without 5 of the frame's 5 labels, the first 'a'"),
        (pd.Series(MASK[:4], index=list("abcd")), ValueError, "without 1 of .*the first 'e'"),
        (pd.Series(MASK * 2, index=list("abcde") * 2), ValueError, "stands several times"),
        (pd.array([*MASK[:4], None], dtype="boolean"), ValueError, "no value at 1 of 5.*fillna"),
        ([*MASK[:4], None], ValueError, "no value at 1 of 5"),
        ([0, 1, 2, 3, 4], TypeError, "but it must be one boolean for each row"),
        (list("abcde"), TypeError, "but it must be one boolean for each row"),
        (np.ones((5, 1), dtype=bool), TypeError, "but it must be one boolean for each row"),
        (FRAME, TypeError, "but it must be one boolean for each row"),
        (7, TypeError, "but it must be one boolean for each row"),
        (lambda frame: MASK, TypeError, "but it must be one boolean for each row"),
    ],
)
def test_a_mask_that_does_not_fit_is_a_sentence(mask, error, why):
    with pytest.raises(error, match=why) as caught:
        rows_passing(FRAME, mask)
    assert len(str(caught.value)) < 400


# In a search


def random_frame(rows):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(rows, 8)).astype(np.float32)
    matrix[3] = 0
    frame = pd.DataFrame({"img_path": [f"{n}.jpg" for n in range(rows)], "group": range(rows)})
    frame = frame.assign(own=list(matrix), group=frame["group"] % 10)
    frame.loc[11, "own"] = None
    return frame.sample(frac=1, random_state=1)


@pytest.mark.parametrize("condition", ["group == 1", "group == 3", "group > 0", "group != 3"])
def test_a_search_finds_what_it_would_find_if_only_those_rows_were_there(condition):
    frame = random_frame(400)
    rows = frame.query(condition)
    assert 0 < len(rows) < 400
    for query in (np.ones(8), rows.index[5], frame.index[~frame.index.isin(rows.index)][0]):
        vector = query if isinstance(query, np.ndarray) else frame.at[query, "own"]
        expected = simlib.nearest(rows, "own", vector, k=400)
        expected = expected[~expected["index"].isin([query] if np.isscalar(query) else [])]
        found = simlib.nearest(frame, "own", query, k=400, where=condition)
        assert found["index"].tolist() == expected["index"].tolist()
        assert found["rank"].tolist() == list(range(1, len(found) + 1))
        np.testing.assert_array_equal(found["cosine_similarity"], expected["cosine_similarity"])
        assert found.attrs["left_out"] == expected.attrs["left_out"]
        by_mask = simlib.nearest(
            frame, "own", query, k=400, where=frame["group"].isin(rows["group"])
        )
        pd.testing.assert_frame_equal(found, by_mask)


@pytest.mark.parametrize("condition", ["group == 1", "group > 0"])
def test_many_queries_find_what_each_finds_alone(condition):
    frame = random_frame(200)
    queries = [0, 1, 21, np.ones(8)]
    many = simlib.nearest_many(frame, "own", queries, k=3, where=condition, columns="group")
    for number, query in enumerate(queries):
        alone = simlib.nearest(frame, "own", query, k=3, where=condition, columns=["group"])
        found = many[many["query"] == number].drop(columns="query").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, alone)
    of_all = simlib.nearest_many(frame, "own", k=1, where=condition)
    assert sorted(of_all["query"]) == sorted(set(frame.index) - {3, 11})
    assert (of_all["query"] != of_all["index"]).all()
    assert set(of_all["index"]) <= set(frame.query(condition).index)


def test_where_nothing_passes_nothing_is_found():
    for condition in ("colour == 'nosuch'", [False] * 5):
        found = simlib.nearest(FRAME, "own", "a", where=condition, columns="title")
        assert len(found) == 0 and list(found)[-1] == "title" and found.attrs["left_out"] == 0
        assert len(simlib.nearest_many(FRAME, "own", where=condition)) == 0
    alone = simlib.nearest(FRAME, "own", "a", where="key == 'a'")
    assert len(alone) == 0  # a label does not find itself


@pytest.mark.parametrize("condition", ["group == 1", "group > 0"])
def test_a_search_among_some_rows_copies_no_matrix(condition, monkeypatch):
    matrix = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    cells = column_of_rows(matrix, np.ones(400, dtype=bool), pd.RangeIndex(400))
    frame = pd.DataFrame({"own": cells, "group": np.arange(400) % 10})
    gathered, take = [], Embeddings.take

    def counted(self, places):
        rows = take(self, places)
        gathered.append(len(rows))
        return rows

    monkeypatch.setattr(Embeddings, "take", counted)
    simlib.nearest(frame, "own", np.ones(8), k=3, where=condition)
    assert max(gathered) <= 40


# Columns that come along


def test_columns_come_along_behind_the_path_with_their_types():
    asked = ["pieces", "seen", "img_path", "colour", "pieces", "own"]
    found = simlib.nearest(FRAME, "own", "a", k=2, columns=asked)
    assert list(found) == ["rank", "index", "cosine_similarity", "img_path"] + [
        *("pieces", "seen", "colour", "own")
    ]
    assert found["index"].tolist() == ["b", "c"]
    for column in ("pieces", "seen", "colour"):
        assert found[column].dtype == FRAME[column].dtype
        expected = FRAME.loc[["b", "c"], column].reset_index(drop=True)
        pd.testing.assert_series_equal(found[column], expected)
    assert simlib.nearest(FRAME, "own", "a", k=1, columns="title")["title"].item() == "hat"


def test_columns_that_cannot_come_along_are_named():
    with pytest.raises(KeyError, match="no column 'price'; it has: img_path, colour"):
        simlib.nearest(FRAME, "own", "a", columns=["price"])
    named = FRAME.rename(columns={"colour": "rank", "title": "query"})
    with pytest.raises(ValueError, match="would overwrite the 'rank' of the results. Rename"):
        simlib.nearest(named, "own", "a", columns="rank")
    assert "query" in simlib.nearest(named, "own", "a", columns="query")
    with pytest.raises(ValueError, match="would overwrite the 'query'"):
        simlib.nearest_many(named, "own", columns="query")
    doubled = pd.concat([FRAME, FRAME[["colour"]]], axis=1)
    with pytest.raises(ValueError, match="2 columns of the name 'colour'"):
        simlib.nearest(doubled, "own", "a", columns="colour")
